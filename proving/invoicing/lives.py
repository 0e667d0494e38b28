"""The world in which invoices live: customers in two groups, one of which is automated, and a clock to move."""

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date

import structlog

from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.foundation.database.migrations import migrate
from billing_assets.foundation.shipped import shipped
from proving.invoicing import world
from proving.world import clock
from proving.world.databases import _database

LEASE_SECONDS = 30.0
CUT_OFF = date(2026, 9, 10)
PERIODS = (world.JUNE, world.JULY, (date(2026, 8, 3), date(2026, 9, 1)))
GROUPS = {"G1": (1, 2, 3), "G2": (4, 5)}
CEILING = 400
"""Of a group: a larger total is approved by a person."""

_PASS = "update fake.clock set ahead = ahead + make_interval(secs => %s)"
_EMPTIED = (
    *("invoice_quality_findings", "invoiced_usage", "invoiced_charges", "invoiced_streams", "utility_invoice_lines"),
    *("utility_invoice_taxes", "invoice_corrections", "utility_invoices", "number_ranges", "invoice_findings"),
    *("batch_members", "invoice_batches", "invoice_requests", "account_holds", "usage_billed", "usage_decisions"),
    *("usage_candidates", "usage_pairs", "usage_history", "usage_messages", "raw_messages", "raw_files"),
)
_FORGET = "; ".join(
    [
        "set session_replication_role = replica",  # the triggers refuse it on purpose
        *(f"delete from billing.{table}" for table in _EMPTIED),  # noqa: S608
        "set session_replication_role = origin",
        "update fake.clock set ahead = '0 s'",
    ]
)


@dataclass
class World:
    """`state`: a connection for looking and for people's verbs. `tally`: how often each step was taken."""

    url: str
    state: Connection
    tally: Counter[str] = field(default_factory=Counter)

    def reset(self) -> None:
        """No usage, no invoices, and the present time; the customers stay."""
        self.state.execute(_FORGET.encode())

    def pass_time(self, seconds: float) -> None:
        """Moves the clock of the database on."""
        self.state.execute(_PASS, [seconds])


@contextmanager
def open_world(server_url: str) -> Iterator[World]:
    """A world on a PostgreSQL server (its URL as a superuser)."""
    with ExitStack() as stack:
        stack.callback(structlog.configure, **structlog.get_config())
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
        url = stack.enter_context(_database(server_url, template="template0"))
        clock.make_settable(url)
        migrate(url, shipped("sql/state"))
        state = stack.enter_context(connect(url))
        world.tariff(state)
        for name, numbers in GROUPS.items():
            world.group(state, name, max_batch=2, ceiling=CEILING, automated=name == "G2")
            world.customers(state, name, numbers[0], len(numbers))
        yield World(url, state)
