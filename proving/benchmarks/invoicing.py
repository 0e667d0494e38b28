"""Invoices by the thousand: validations of a large batch day, the cost of one invoice when there are few and when there
are millions before it, and the memory, which must not grow with the members.

What is counted is CPU time, of our process and of the database's process that works for it.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import psutil

from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.invoicing.batches import reviewing
from billing_assets.invoicing.batches.validating import lock, validate
from billing_assets.invoicing.invoices import releasing
from billing_assets.invoicing.invoices.engine import rate_case
from billing_assets.invoicing.invoices.processing import process
from proving.benchmarks.measure import Mark, Measure, Place, Round
from proving.benchmarks.world import alone, database
from proving.invoicing import world
from proving.invoicing.history import earlier_invoices

_MEMBERS, _SECONDS = 50_000, 60.0
_PERIODS = 13
_FEW, _MANY = 10_000, 5_000_000
_AT_ONCE = 200
_ROUNDS = 3


class Cost(NamedTuple):
    """CPU seconds of so many members: of our process, and of the database's."""

    ours: float
    database: float
    members: int

    @property
    def seconds(self) -> float:
        """Both."""
        return self.ours + self.database


def cost_of(connection: Connection, work: Callable[[], int]) -> Cost:
    """What work on a connection costs. `work` says of how many members it was."""
    server = psutil.Process(connection.info.backend_pid)
    before, began = server.cpu_times(), time.process_time()
    members = work()
    ours, after = time.process_time() - began, server.cpu_times()
    return Cost(ours, after.user + after.system - before.user - before.system, members)


@contextmanager
def utility(here: Place, customers: int, *, max_batch: int = _AT_ONCE) -> Iterator[str]:
    """A database with so many customers of one group, each billed for a year and a month and metered in June."""
    with database(here, migrated=True) as url:
        with connect(url) as connection:
            world.tariff(connection)
            world.group(connection, "G", max_batch=max_batch)
            world.customers(connection, "G", 1, customers)
            world.metered(connection, 1, customers)
            earlier_invoices(connection, 1, customers, _PERIODS)
            connection.execute("vacuum analyze")
        yield url


def validations(url: str) -> tuple[Cost, Cost]:
    """Plans all that may be billed, and validates it: the cost of each."""
    with connect(url) as connection:
        batches: list[int] = []

        def plan() -> int:
            planned = lock(connection, world.wanted("G"), "Mara", "Month end")
            batches.extend(one.batch for one in planned)
            return sum(one.members for one in planned)

        def run() -> int:
            return sum(validate(connection, batch, today=world.CUT_OFF).members for batch in batches)

        return cost_of(connection, plan), cost_of(connection, run)


def _play_validations(here: Place, small: bool) -> Iterator[Round]:
    members = 400 if small else _MEMBERS
    with utility(here, members) as url:
        planned, validated = validations(url)
        assert validated.members == members
        detail = {"in the database (s)": validated.database, "planning (s)": planned.seconds}
        yield Round(validated.seconds, _SECONDS * members / _MEMBERS, members, detail)


def invoice(url: str, batches: list[int]) -> Cost:
    """Drafts, checks and issues batches that may be invoiced."""
    with connect(url) as connection:

        def run() -> int:
            issued = 0
            for batch in batches:
                process(url, connection, rate_case, "benchmark", batch, today=world.CUT_OFF)
                releasing.check_quality(connection, batch, world.CUT_OFF)
                issued += len(releasing.issue(connection, batch, world.CUT_OFF).numbers)
            return issued

        return cost_of(connection, run)


def pending(url: str) -> list[int]:
    """All that may be billed, in batches that may be invoiced."""
    with connect(url) as connection:
        batches = [one.batch for one in lock(connection, world.wanted("G"), "Mara", "Month end")]
        for batch in batches:
            validate(connection, batch, today=world.CUT_OFF)
            reviewing.proceed(connection, batch, "Mara", "Looked at")
    return batches


def _play_flat(here: Place, small: bool) -> Iterator[Round]:
    rounds, at_once = (1, 20) if small else (_ROUNDS, _AT_ONCE)
    few, many = (400, 4_000) if small else (_FEW, _MANY)
    customers = (rounds + 1) * at_once  # the first batch warms both up
    with utility(here, customers, max_batch=at_once) as little, utility(here, customers, max_batch=at_once) as large:
        counts = []
        for url, invoices in ((little, few), (large, many)):
            with connect(url) as connection:
                others = max(0, invoices // _PERIODS - customers)
                earlier_invoices(connection, 1_000_000, others, _PERIODS)
                connection.execute("vacuum analyze")
                (row,) = connection.execute("select count(*) as many from billing.utility_invoices").fetchall()
                counts.append(row["many"])
        first, second = pending(little), pending(large)
        for number, (one, other) in enumerate(zip(first, second, strict=True)):
            against, ours = invoice(little, [one]), invoice(large, [other])
            assert against.members == ours.members == at_once
            if number:
                detail = {"a thousand invoices (s)": ours.seconds / at_once * 1000, "earlier invoices": counts[1]}
                yield Round(ours.seconds, against.seconds, at_once, detail)


def whole_way(url: str) -> int:
    """Everything of a database, from planning to numbers, as a run does it. How many were issued."""
    return invoice(url, pending(url)).members


def _play_memory(here: Place, small: bool) -> Iterator[Round]:
    few, many, max_batch = (20, 60, 20) if small else (1_000, 10_000, 1_000)
    with utility(here, few, max_batch=max_batch) as little, utility(here, many, max_batch=max_batch) as large:
        less, more = alone(whole_way, little), alone(whole_way, large)
        assert (less.value, more.value) == (few, many)
        yield Round(more.megabytes, less.megabytes, many)


MEASURES = [
    Measure(
        "invoicing-validations",
        "all validations of 50,000 members with 13 invoices each before them, in batches of 200 (CPU time)",
        "the time that they may take: 60 s",
        "s",
        Mark(at_most=1),
        5,
        _play_validations,
    ),
    Measure(
        "invoicing-flat",
        "200 invoices drafted, checked and issued after 5,000,000 others (CPU time)",
        "the same after 10,000",
        "s",
        Mark(at_most=1.2),
        20,
        _play_flat,
    ),
    Measure(
        "invoicing-memory",
        "memory from planning to issuing 10,000 invoices in batches of 1,000",
        "the same of 1,000",
        "MB",
        Mark(at_most=1.1, most=300),
        5,
        _play_memory,
    ),
]
