"""Batches billed by Dagster's runs on two Celery workers, of which one dies, against one process.

The groups are automated: the sensor asks for them, plans their batches and has a run for each. A machine dies while a
run of its has drafted half of a batch; the batch is gone on with when its lease has ended. A person issues them.
"""

import time
from pathlib import Path
from typing import NamedTuple

from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.foundation.database.migrations import migrate
from billing_assets.foundation.sections import CalendarSettings
from billing_assets.foundation.shipped import shipped
from billing_assets.invoicing.batches.validating import lock
from billing_assets.invoicing.printing import day_of
from proving.celery.machines import Machine
from proving.invoicing import contents, invariants, world
from proving.invoicing.worker import work
from proving.market.workers import System, opened

_SETTINGS = {
    "areas": "metering,invoicing",
    "batches.lease_seconds": "5",
    "batches.sensor_seconds": "1",
    "batches.retry_seconds": "1",
}
_GROUPS = ("G0", "G1", "G2")


class Result(NamedTuple):
    """What came of it. `runs`: that had a batch; `died_with`: batches that the dead machine had half drafted;
    `differing`: invoices that are not those of one process; `broken`: what must hold and does not."""

    customers: int
    batches: int
    invoices: int
    runs: int
    died_with: int
    differing: int
    broken: list[str]
    seconds: float

    @property
    def whole(self) -> bool:
        """By workers and by one process is the same, and all is billed."""
        return not self.differing and not self.broken and self.invoices == self.customers


def populate(connection: Connection, customers: int, max_batch: int, *, automated: bool) -> None:
    """Customers of three groups with a period each."""
    world.tariff(connection)
    share = -(-customers // len(_GROUPS))
    for place, name in enumerate(_GROUPS):
        first = 1 + place * share
        world.group(connection, name, max_batch=max_batch, automated=automated)
        world.customers(connection, name, first, min(share, customers - first + 1))
    world.metered(connection, 1, customers)
    for name in _GROUPS if automated else ():
        world.window(connection, name)


def play(folder: Path, customers: int, *, max_batch: int = 50) -> Result:
    """Bills so many customers by workers, and by one process on a database of its own."""
    today = day_of(None, CalendarSettings())
    with opened(folder, _SETTINGS) as system:
        began = time.monotonic()
        system.control.run("init")
        with connect(system.url) as connection:
            populate(connection, customers, max_batch, automated=True)
        died_with = _by_workers(system)
        seconds = time.monotonic() - began
        peace = system.url.rpartition("/")[0] + "/peace"
        migrate(peace, shipped("sql/state"))
        with connect(peace) as one, connect(system.url) as other:
            populate(one, customers, max_batch, automated=False)
            lock(one, world.wanted(*_GROUPS), "Mara", "Month end")
            work(peace, "peace", today)
            expected, found = contents.documents(one), contents.documents(other)
            broken = [*invariants.broken(one), *invariants.broken(other)]
        (row,) = system.rows(
            "select count(*) as batches, count(distinct queue_worker) as runs from billing.invoice_batches"
        )
    differing = len(set(expected) ^ set(found)) + abs(len(expected) - len(found))
    return Result(customers, row["batches"], len(found), row["runs"], died_with, differing, broken, seconds)


def _by_workers(system: System) -> int:
    """Everything by runs of Dagster, and the release by a command; batches that the dead machine had."""
    for unit in ("billing-code-server", "billing-daemon"):
        system.control.start(unit)
    for worker in system.workers:
        worker.start("billing-worker@")
    dead, begun = _kill_a_drafter(system)
    dead.start("billing-worker@")
    system.wait(lambda: _is_drafted(system))
    for row in system.rows("select id from billing.invoice_batches order by id"):
        system.control.run("invoicing", "issue", str(row["id"]))
    return begun


def _kill_a_drafter(system: System) -> tuple[Machine, int]:
    """SIGKILL for a worker with all its processes while a run of its has drafted a part of a batch."""
    victims: list[tuple[Machine, int]] = []

    def is_drafting() -> bool:
        rows = system.rows(
            """
            select b.id, (regexp_match(e.event, '\\(pid: (\\d+)\\)'))[1]::int as pid
            from billing.invoice_batches as b join event_logs as e on e.run_id = b.queue_worker
            where e.event like '%%Started process for run%%' and b.queue_state = 'claimed' and b.state = 'processing'
              and exists (select from billing.batch_members as m where m.batch = b.id and m.state = 'invoiced')
              and exists (select from billing.batch_members as m where m.batch = b.id and m.state = 'clear')"""
        )
        for worker in system.workers:
            pids = worker.pids()
            if many := sum(row["pid"] in pids for row in rows):
                victims.append((worker, many))
        return bool(victims)

    system.wait(is_drafting)
    machine, begun = victims[0]
    machine.die()
    return machine, begun


def _is_drafted(system: System) -> bool:
    (row,) = system.rows(
        """
        select count(*) filter (where state not in ('completed', 'error_occurred')) as open, count(*) as batches
        from billing.invoice_batches"""
    )
    return bool(row["batches"]) and not row["open"]
