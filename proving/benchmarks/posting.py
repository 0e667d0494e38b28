"""Posting the sample into the sandbox: wall time against the limit that NetSuite's latency and lanes set, and our CPU
against a bare loop of the same requests."""

import threading
import time
from collections.abc import Iterator, Sequence
from queue import Empty, SimpleQueue

import requests

from billing_assets.erp.netsuite.auth import authenticator
from billing_assets.erp.settings import NetSuiteSettings
from proving.benchmarks.backlog import backlog, post, runs, warm
from proving.benchmarks.measure import Mark, Measure, Place, Play, Round
from proving.benchmarks.sandbox import Sandbox, idle_share, mean_seconds, sandbox
from proving.benchmarks.world import ALL, MONTH, alone, source

_RUNS = 3


def _wall_time(lanes: int, median_seconds: float, rounds: Sequence[tuple[str, int | None]]) -> Play:
    """A round for each period of the sample, or for its first so many documents, of which some are held."""

    def play(here: Place, small: bool) -> Iterator[Round]:
        median, chosen = (0.05, [(MONTH, 40)]) if small else (median_seconds, rounds)
        switches = {"latency_median_ms": 1000 * median, "concurrency_limit": lanes}
        with sandbox(here.folder / f"netsuite-{lanes}-{median}", **switches) as netsuite:
            for period, documents in chosen:
                with source(here, period, documents) as billing:
                    yield _posted(here, billing, netsuite, lanes)

    return play


def _posted(here: Place, billing: str, netsuite: Sandbox, lanes: int) -> Round:
    """Several runs side by side, from the moment when they are ready until the last batch is read back."""
    with backlog(here, billing, netsuite, {"netsuite.lanes": str(lanes)}) as waiting:
        with runs(_RUNS) as pool:
            began = time.monotonic()
            list(pool.imap_unordered(post, waiting.keys))
            wall = time.monotonic() - began
        waiting.check(netsuite)
        work = netsuite.work(since=began)
        first, last = (moment - time.time() + time.monotonic() for moment in waiting.first_and_last_intent())
    mean = mean_seconds(work)
    detail = {
        "lanes idle while a document waited (%)": 100 * idle_share(work, lanes, first, last),
        "mean latency (s)": mean,
    }
    return Round(wall, waiting.documents * mean / lanes, waiting.documents, detail)


def _cpu(here: Place, small: bool) -> Iterator[Round]:
    """The CPU time of one process, ours and the bare loop by turns."""
    rounds, documents = (1, 40) if small else (3, None)
    with sandbox(here.folder / "netsuite-cpu") as netsuite, source(here, MONTH, documents) as billing:
        for _ in range(rounds):
            with backlog(here, billing, netsuite, {}) as waiting:
                bodies = waiting.bodies()
                ours = alone(_post_all, waiting.keys).value
                waiting.check(netsuite)
                netsuite.reset()
                signed = authenticator(waiting.runtime.settings.of(NetSuiteSettings))(
                    requests.Request("GET", netsuite.base_url).prepare()
                )
                login, threads = signed.headers["Authorization"], waiting.runtime.settings.of(NetSuiteSettings).lanes
                bare = alone(_bare_loop, netsuite.base_url, login, bodies, threads).value
                waiting.check(netsuite)
            yield Round(1000 * ours / waiting.documents, 1000 * bare / waiting.documents, waiting.documents)


def _post_all(keys: Sequence[str]) -> float:
    """CPU seconds of this process for posting these batches."""
    warm()
    began = time.process_time()
    for key in keys:
        post(key)
    return time.process_time() - began


def _bare_loop(base_url: str, login: str, bodies: Sequence[tuple[str, bytes]], threads: int) -> float:
    """CPU seconds of this process for the same requests by as many threads, and nothing else."""
    waiting: SimpleQueue[tuple[str, bytes]] = SimpleQueue()
    for one in bodies:
        waiting.put(one)
    headers = {"Authorization": login, "Content-Type": "application/json"}

    def work() -> None:
        with requests.Session() as session:
            while True:
                try:
                    record_type, body = waiting.get_nowait()
                except Empty:
                    return
                url = f"{base_url}/services/rest/record/v1/{record_type}"
                answer = session.post(url, data=body, headers=headers, timeout=60)
                answer.raise_for_status()

    workers = [threading.Thread(target=work) for _ in range(threads)]
    began = time.process_time()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return time.process_time() - began


LIMIT = "documents × mean latency drawn ÷ lanes"

MEASURES = [
    Measure(
        "posting_15",
        "posting, 15 lanes, 300 ms, three runs side by side",
        LIMIT,
        "s",
        Mark(at_most=1.05),
        22,
        _wall_time(15, 0.3, [(MONTH, None), (MONTH, None), (ALL, None)]),
    ),
    Measure(
        "posting_5",
        "posting, 5 lanes, 300 ms, three runs side by side",
        LIMIT,
        "s",
        Mark(at_most=1.05),
        4.5,
        _wall_time(5, 0.3, [(MONTH, 2_000), (MONTH, 2_000)]),
    ),
    Measure(
        "posting_slow",
        "posting, 15 lanes, 2 s, three runs side by side",
        LIMIT,
        "s",
        Mark(at_most=1.05),
        5.5,
        _wall_time(15, 2.0, [(MONTH, 2_400)]),
    ),
    Measure(
        "posting_cpu",
        "our CPU per posted document, sandbox without latency",
        "a bare loop of the same requests: requests, as many threads",
        "ms",
        Mark(at_most=2),
        3,
        _cpu,
    ),
]
