"""Posting through `billing up`: the real daemon, its queue, and a process for every run, three side by side."""

import os
import socket
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from billing_assets.foundation.runtime import Runtime
from proving.benchmarks.backlog import Backlog
from proving.benchmarks.measure import Mark, Measure, Place, Round
from proving.benchmarks.posting import LIMIT
from proving.benchmarks.sandbox import Sandbox, Work, idle_share, mean_seconds, sandbox
from proving.benchmarks.world import ALL, MONTH, database, runtime, source
from proving.world.command import running

_LANES = 15
_LATENCY_MS = 300
_DOCUMENTS = 53_628
_ROUNDS = 1
_QUICK = {"staging.detect_seconds": "1", "batches.sensor_seconds": "1"}
_LOOK_SECONDS = 0.5
_LONGEST_SECONDS = 3_600.0

_RUNS = """
    select a.run_id, count(*) as documents,
           extract(epoch from min(a.started_at))::float as first,
           (select extract(epoch from min(e.timestamp))::float from public.event_logs as e
            where e.run_id = a.run_id and e.dagster_event_type = 'PIPELINE_STARTING') as launched
    from billing.posting_attempts as a group by a.run_id order by launched"""
_ENDS = """
    select extract(epoch from min(planned_at))::float as planned, extract(epoch from max(finished_at))::float as ended
    from billing.locked_batches"""
_DONE = """
    select (select coalesce(bool_and(state = 'posted'), false) from billing.locked_batches)
           and not exists (select from billing.staged_invoices where state in ('ready', 'batched')) as done"""


def _play(here: Place, small: bool) -> Iterator[Round]:
    for number in range(1 if small else _ROUNDS):
        folder = here.folder / f"dagster-{number}"
        documents, latency, quick = (40, 20, _QUICK) if small else (_DOCUMENTS, _LATENCY_MS, {})
        settings = {"home": str(folder / "home"), **quick}
        with (
            sandbox(folder / "netsuite", latency_median_ms=latency, concurrency_limit=_LANES) as netsuite,
            source(here, MONTH if small else ALL, documents) as billing,
            database(here, migrated=True) as state,
            runtime(here, state, billing, netsuite.settings | settings) as found,
        ):
            _work_through(found, folder / "up.log")
            yield from _measured(found, netsuite)


def _work_through(found: Runtime, log: Path) -> None:
    """The running system, which stages, plans and posts on its own, until all is posted."""
    variables = {name: value for name, value in os.environ.items() if name.startswith("BILLING_")}
    with running(log, variables, "up", "--port", str(_free_port())) as system, found.state() as connection:
        deadline = time.monotonic() + _LONGEST_SECONDS
        while not (row := connection.execute(_DONE).fetchone()) or not row["done"]:
            if system.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the system did not get through: {log.read_text(encoding='utf-8')[-2000:]}")
            time.sleep(_LOOK_SECONDS)


def _measured(found: Runtime, netsuite: Sandbox) -> Iterator[Round]:
    with found.state() as connection:
        ends, runs = connection.execute(_ENDS).fetchone(), connection.execute(_RUNS).fetchall()
    assert ends is not None
    posted = Backlog(found, [], sum(run["documents"] for run in runs))
    posted.check(netsuite)
    work = netsuite.work()
    mean = mean_seconds(work)
    first, last = posted.first_and_last_intent()
    detail = {
        "lanes idle while a document waited (%)": 100 * _idle(work, first, last),
        "planned to first POST (s)": first - ends["planned"],
    }
    limit = posted.documents * mean / _LANES
    yield Round(ends["ended"] - ends["planned"], limit, posted.documents, detail, "posting_dagster")
    for run in runs:
        seconds = run["first"] - run["launched"]
        # What lanes lost while the run came up, as if all of them had stood still for so long.
        lost = seconds * _idle(work, run["launched"], run["first"])
        alone = run["documents"] * mean / _LANES
        yield Round(lost, alone, run["documents"], {"launch to first POST (s)": seconds}, "dagster_launch")


def _idle(work: Sequence[Work], begin: float, end: float) -> float:
    """The lanes' idle share between two moments of the wall's clock."""
    ahead = time.time() - time.monotonic()
    return idle_share(work, _LANES, begin - ahead, end - ahead)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


MEASURES = [
    Measure(
        "posting_dagster",
        "posting through Dagster, daemon and all, 15 lanes, 300 ms, three runs side by side",
        LIMIT,
        "s",
        Mark(at_most=1.1),
        19,
        _play,
    ),
    Measure(
        "dagster_launch",
        "Dagster's own time per batch, launch to first POST, in which lanes stood idle",
        "the batch's posting time on all lanes",
        "s",
        Mark(at_most=0.1),
        0,
        _play,
    ),
]
