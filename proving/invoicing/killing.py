"""Batches brought to their end by several processes side by side that are killed again and again, against one in peace.

Both begin with the same customers in batches that were not validated. In the end each customer and period has the
same invoice to the cent, and the numbers have no gap; who got which is free.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from billing_assets.foundation.database import embedded
from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.foundation.database.migrations import migrate
from billing_assets.foundation.shipped import shipped
from billing_assets.invoicing.batches.validating import lock
from proving.invoicing import contents, invariants, world

_SECONDS = 3600.0
_GROUPS = 3
_FIRST_SECONDS = 1.5
"""No process is killed before: it would only have begun to import Python's modules."""


class Result(NamedTuple):
    """What came of it. `differing`: invoices that are not as in peace; `broken`: what must hold and does not."""

    customers: int
    batches: int
    invoices: int
    kills: int
    killed_at_work: int
    differing: int
    broken: list[str]
    peace_seconds: float
    killed_seconds: float

    @property
    def whole(self) -> bool:
        """Killed and in peace are the same, and all is billed."""
        return not self.differing and not self.broken and self.invoices == 2 * self.customers


def populate(connection: Connection, customers: int, max_batch: int) -> int:
    """Customers in three groups, two periods of each, in batches that wait for validation. How many batches."""
    world.tariff(connection)
    share = -(-customers // _GROUPS)
    for place in range(_GROUPS):
        first = 1 + place * share
        world.group(connection, f"G{place}", max_batch=max_batch)
        world.customers(connection, f"G{place}", first, min(share, customers - first + 1))
    for period in (world.JUNE, world.JULY):
        world.metered(connection, 1, customers, period)
    connection.execute("analyze")
    return len(lock(connection, world.wanted(*(f"G{place}" for place in range(_GROUPS))), "Mara", "Month end"))


def play(
    folder: Path, customers: int, kills: int, *, workers: int = 3, max_batch: int = 50, seed: int | None = None
) -> Result:
    """Bills so many customers twice: by one process in peace, and by several that are killed. Raises RuntimeError where
    a process ends otherwise than told."""
    chance = random.Random(seed)
    with _server(folder) as base:
        urls = {}
        for name in ("peace", "killed"):
            embedded.create_database(base, name)
            urls[name] = base.rpartition("/")[0] + f"/{name}"
            migrate(urls[name], shipped("sql/state"))
            with connect(urls[name]) as connection:
                batches = populate(connection, customers, max_batch)
        began = time.monotonic()
        _wait([_start(folder, urls["peace"])], folder)
        peace = time.monotonic() - began
        began = time.monotonic()
        struck, at_work = _kill_again_and_again(folder, urls["killed"], workers, kills, peace / workers, chance)
        _wait([_start(folder, urls["killed"]) for _ in range(workers)], folder)
        killed = time.monotonic() - began
        with connect(urls["peace"]) as one, connect(urls["killed"]) as other:
            expected, found = contents.documents(one), contents.documents(other)
            differing = len(set(expected) ^ set(found)) + abs(len(expected) - len(found))
            broken = [*invariants.broken(one), *invariants.broken(other)]
    return Result(customers, batches, len(found), struck, at_work, differing, broken, peace, killed)


@contextmanager
def _server(folder: Path) -> Iterator[str]:
    server = embedded.start(folder / "server", durable=False)
    try:
        yield server.url()
    finally:
        embedded.stop(folder / "server", mode="immediate")


def _start(folder: Path, url: str) -> subprocess.Popen[bytes]:
    with (folder / "workers.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "proving.invoicing.worker", url], stdout=log, stderr=log, start_new_session=True
        )


def _wait(processes: list[subprocess.Popen[bytes]], folder: Path) -> None:
    codes = [process.wait(timeout=_SECONDS) for process in processes]
    if any(codes):
        said = (folder / "workers.log").read_text(encoding="utf-8", errors="replace")
        raise RuntimeError(f"workers ended with {codes}:\n{said[-3000:]}")


def _kill_again_and_again(
    folder: Path, url: str, workers: int, kills: int, seconds: float, chance: random.Random
) -> tuple[int, int]:
    """SIGKILL for one of the workers after a while drawn so that all fit into the work that there is, and another in
    its place. How many were struck before the work was through, and how many of them had a batch in their hands."""
    mean = seconds / (kills + 1)
    at_work = 0
    processes = [_start(folder, url) for _ in range(workers)]
    time.sleep(_FIRST_SECONDS)
    for number in range(kills):
        victim = chance.randrange(workers)
        with suppress(subprocess.TimeoutExpired):
            processes[victim].wait(timeout=chance.uniform(0.1, 1.9) * mean)
            _wait(processes, folder)
            return number, at_work
        with connect(url) as connection:
            (row,) = connection.execute(
                """
                select count(*) as many from billing.invoice_batches
                where queue_state = 'claimed' and queue_worker = %s""",
                [f"worker {processes[victim].pid}"],
            ).fetchall()
        os.killpg(processes[victim].pid, signal.SIGKILL)
        processes[victim].wait()
        at_work += row["many"]
        processes[victim] = _start(folder, url)
    _wait(processes, folder)
    return kills, at_work
