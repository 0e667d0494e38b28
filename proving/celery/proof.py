"""A system of several machines bills a period, one of them dies half-way: what arrived, and how long its batches stood.

Nothing of the product takes part in the counting but our own tables' word on which documents are kept back, and why.
"""

import os
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from billing_assets.erp.billing_system.resource import BillingSystem
from billing_assets.erp.close.reconciliation import Billing, close_month
from billing_assets.erp.netsuite.resource import NetSuite
from billing_assets.erp.settings import SourceSettings
from billing_assets.foundation.database import embedded
from billing_assets.foundation.database.connection import connect, libpq_url
from billing_assets.foundation.runtime import DATABASE, Runtime
from billing_assets.foundation.settings import load_settings, variable
from billing_assets.operations.sample import sandbox_settings, seeded_sandbox
from billing_assets.sandbox.netsuite.process import RunningSandbox
from billing_assets.sandbox.samples.loader import load_sample
from proving.celery.machines import Machine
from proving.scenarios.world import can_mount
from proving.world.builders import open_for_writing
from proving.world.servers import debian_postgres, free_port, postgres, redis

_LOOK_SECONDS = 0.1
_LEFT = 30
"""A batch with fewer documents left might be through before its machine is dead."""
_PREFIX = {"I": "INV-", "C": "CM-"}
_UNDECIDED = "('open', 'ready', 'batched', 'locked', 'posting')"


class Scale(NamedTuple):
    """What is billed, and how patient everybody is. `latency_ms`: median of the sandbox's answers; `settings`: ours."""

    period: str
    latency_ms: float
    settings: Mapping[str, str]
    seconds: float


FULL = Scale(
    "all",
    latency_ms=20,
    settings={"netsuite.max_request_seconds": "20", "netsuite.read_back_seconds": "10"},
    seconds=1800,
)
SHORT = Scale(
    "2011-12",
    latency_ms=60,
    settings={
        "netsuite.timeout_seconds": "5",
        "netsuite.max_request_seconds": "1",
        "netsuite.read_back_seconds": "1",
        "batches.lease_seconds": "2",
        "batches.sensor_seconds": "1",
        "batches.max_documents": "400",
        "batches.at_once_below": "100",
        "staging.detect_seconds": "1",
    },
    seconds=200,
)


class Result(NamedTuple):
    """What came of it. `stood_seconds`: from the death until another run had each batch of the dead machine, the
    longest of them; `slots_seconds`: until Dagster no longer counted its runs as running."""

    documents: int
    posted: int
    kept_back: int
    lost: int
    doubled: int
    cents_off: int
    months: int
    months_off: int
    sent_twice: int
    batches_killed: int
    stood_seconds: float | None
    slots_seconds: float | None
    seconds: float

    @property
    def whole(self) -> bool:
        """Everything is there once, to the cent, and every month reconciles."""
        return not (self.lost or self.doubled or self.cents_off or self.months_off)


@dataclass
class System:
    """`control` has daemon and code server, the others a worker each."""

    control: Machine
    workers: list[Machine]
    state_url: str
    source_url: str
    sandbox: RunningSandbox
    scale: Scale
    killed: dict[str, int] = field(default_factory=dict)  # epoch by batch

    @property
    def machines(self) -> list[Machine]:
        return [self.control, *self.workers]

    def created(self) -> int:
        """Documents that the sandbox has."""
        return int(self.sandbox.control.get("summary")["posts"]["created"])

    def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        """From our database."""
        with connect(self.state_url) as connection:
            return connection.execute(query, values).fetchall()


@contextmanager
def system(folder: Path, scale: Scale, *, debian: bool = True) -> Iterator[System]:
    """Servers, a loaded billing system and three machines; nothing is started yet."""
    with ExitStack() as stack:
        server = stack.enter_context(postgres(debian_postgres() if debian else None))
        broker = stack.enter_context(redis(folder / "servers" / "redis"))
        sandbox = stack.enter_context(
            seeded_sandbox(folder / "servers" / "netsuite", switches={"latency_median_ms": scale.latency_ms})
        )
        urls = {}
        for name in (DATABASE, "billing_system"):
            embedded.create_database(server, name)
            urls[name] = server.rpartition("/")[0] + f"/{name}"
        load_sample(urls["billing_system"], scale.period)
        variables = {
            **{variable(name): value for name, value in sandbox_settings(sandbox).items()},
            **{variable(name): value for name, value in scale.settings.items()},
            "BILLING_DATABASE_URL": urls[DATABASE],
            "BILLING_SOURCE__URL": urls["billing_system"],
            "DAGSTER_POSTGRES_URL": libpq_url(urls[DATABASE], driver="postgresql+psycopg2"),
            "DAGSTER_CELERY_BROKER_URL": f"{broker}/0",
            "DAGSTER_CELERY_BACKEND_URL": f"{broker}/1",
        }
        folders = [folder / name for name in ("control", "worker-1", "worker-2")]
        code_server_port = free_port()
        machines = []
        for number, own in enumerate(folders):
            others = [other for other in (*folders, folder / "servers") if other != own]
            hidden = others if can_mount() else ()
            machines.append(Machine(own, variables, code_server_port, hidden, str(number)))
            machines[-1].set_up(sandbox.credentials.private_key_file)
        control, *workers = machines
        found = System(control, workers, urls[DATABASE], urls["billing_system"], sandbox, scale)
        try:
            yield found
        finally:
            for machine in found.machines:
                machine.die()


def prove(found: System) -> Result:
    """Bills the period; a worker's machine dies when about half of it is posted. Raises TimeoutError."""
    found.control.run("init")
    began = time.monotonic()
    found.control.start("billing-code-server")
    found.control.start("billing-daemon")
    for worker in found.workers:
        worker.start("billing-worker@")
    with open_for_writing(found.source_url) as source:
        row = source.execute("select count(*) from invoices where status = 'closed'").fetchone()
    documents = row[0] if row else 0
    _wait(found, began, lambda: found.created() >= 0.45 * documents)
    died = _kill_a_busy_worker(found, began)
    taken: dict[str, float] = {}
    ended: list[float] = []

    def is_done() -> bool:
        now = time.monotonic() - died
        for row in found.rows("select partition_key, epoch from billing.locked_batches"):
            key = row["partition_key"]
            if found.killed.get(key, row["epoch"]) < row["epoch"]:
                taken.setdefault(key, now)
        if not ended and not _shown_as_running(found):
            ended.append(now)
        return len(taken) == len(found.killed) and bool(ended) and _is_done(found, documents)

    _wait(found, began, is_done)
    seconds = time.monotonic() - began
    stood = max(taken.values()) if taken else None
    return count(found, stood, ended[0] if found.killed else None, seconds)


def _kill_a_busy_worker(found: System, began: float) -> float:
    """SIGKILL for a worker with all its processes, once it holds a batch with requests under way. Returns when."""
    victims: list[tuple[Machine, dict[str, int]]] = []

    def busy() -> bool:
        rows = found.rows(
            """
            select b.partition_key, b.epoch, (regexp_match(e.event, '\\(pid: (\\d+)\\)'))[1]::int as pid
            from billing.locked_batches as b join event_logs as e on e.run_id = b.run_id
            where e.event like '%%Started process for run%%' and b.state = 'running' and %s < (
                select count(*) from billing.staged_invoices as d
                where d.batch = b.partition_key and d.state in ('locked', 'posting'))""",
            _LEFT,
        )
        for worker in found.workers:
            pids = worker.pids()
            if batches := {row["partition_key"]: row["epoch"] for row in rows if row["pid"] in pids}:
                victims.append((worker, batches))
                return True
        return False

    _wait(found, began, busy)
    machine, found.killed = victims[0]
    machine.die()
    return time.monotonic()


def _shown_as_running(found: System) -> list[dict[str, Any]]:
    """Runs of the dead machine's batches that Dagster goes on showing as at work."""
    return found.rows(
        """
        select r.run_id from runs as r join billing.posting_attempts as a on a.run_id = r.run_id
        join billing.locked_batches as b on b.partition_key = a.batch
        where r.status = 'STARTED' and b.partition_key = any(%s) and a.epoch <= any(%s) limit 1""",
        list(found.killed),
        list(found.killed.values()),
    )


def _is_done(found: System, documents: int) -> bool:
    (row,) = found.rows(
        f"""
        select count(*) as staged, count(*) filter (where state in {_UNDECIDED}) as moving,
               (select count(*) from billing.locked_batches where state <> 'posted') as batches
        from billing.staged_invoices"""  # noqa: S608
    )
    return row["staged"] == documents and not row["moving"] and not row["batches"]


def _wait(found: System, began: float, condition: Any) -> None:
    while not condition():
        for machine in found.machines:
            for unit, process in machine.processes.items():
                if process.poll() is not None:
                    raise RuntimeError(f"{unit} ended with code {process.returncode}:\n{machine.said()}")
        if time.monotonic() - began > found.scale.seconds:
            rows = [
                *found.rows("select partition_key, state, epoch, run_id, rests from billing.locked_batches order by 1"),
                *found.rows("select state, count(*) from billing.staged_invoices group by 1"),
                *found.rows("select run_id, pipeline_name, status, start_time, end_time from runs order by id"),
            ]
            said = "\n".join([*(str(row) for row in rows), *(machine.said() for machine in found.machines)])
            raise TimeoutError(f"not done after {found.scale.seconds:.0f} s; killed {found.killed}:\n{said}")
        time.sleep(_LOOK_SECONDS)


def count(found: System, stood: float | None, slots: float | None, seconds: float) -> Result:
    """Compares the billing database with what the sandbox holds, document by document, and closes every month."""
    kept = {
        row["number"]
        for row in found.rows(
            "select number from billing.staged_invoices where state in ('held', 'excluded') and findings <> '[]'"
        )
    }
    with open_for_writing(found.source_url) as source:
        rows = source.execute("select number, kind, total from invoices where status = 'closed'").fetchall()
    should = {_PREFIX[kind] + number: abs(total) for number, kind, total in rows if number not in kept}
    copies: Counter[str] = Counter()
    total_of: defaultdict[str, Decimal] = defaultdict(Decimal)
    for record in _records(found.sandbox):
        copies[record["externalId"]] += 1
        total_of[record["externalId"]] += abs(Decimal(record["total"]))
    off = sum((abs(total - total_of[one]) for one, total in should.items() if one in copies), Decimal(0))
    months = _closes(found)
    summary = found.sandbox.control.get("summary")
    return Result(
        documents=len(rows),
        posted=len(copies),
        kept_back=len(rows) - len(should),
        lost=len(should.keys() - copies.keys()),
        doubled=sum(copies.values()) - len(copies.keys() & should.keys()),
        cents_off=int(off * 100),
        months=len(months),
        months_off=sum(not well for well in months.values()),
        sent_twice=summary["posts"]["refused_duplicate"],
        batches_killed=len(found.killed),
        stood_seconds=stood,
        slots_seconds=slots,
        seconds=seconds,
    )


def _records(sandbox: RunningSandbox) -> Iterator[dict[str, Any]]:
    offset = 0
    while page := sandbox.control.get("records", limit=500, offset=offset)["items"]:
        yield from page
        offset += len(page)


def _closes(found: System) -> dict[str, bool]:
    """Whether billing system, staging and NetSuite agree, by month."""
    impatient = {variable(name) for name in found.scale.settings}
    before = dict(os.environ)
    os.environ.update({name: value for name, value in found.control.environment.items() if name not in impatient})
    try:
        runtime = Runtime(load_settings())
    finally:
        os.environ.clear()
        os.environ.update(before)
    months = [row["period"] for row in found.rows("select distinct period from billing.staged_invoices order by 1")]
    with runtime.opened(), runtime.state() as state, runtime.of(BillingSystem).connection() as source:
        name = runtime.settings.of(SourceSettings).name
        return {
            month: close_month(
                state,
                [Billing(name, source, runtime.of(BillingSystem).queries)],
                runtime.of(NetSuite).client,
                runtime.of(NetSuite).mapping,
                month,
            ).complete
            for month in months
        }
