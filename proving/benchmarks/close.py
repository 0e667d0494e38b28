"""The close of a month of all 53,628 documents of the sample against the ten seconds that it may take."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from billing_assets.erp.billing_system.resource import BillingSystem
from billing_assets.erp.close.pack import make_pack
from billing_assets.erp.close.reconciliation import Billing, close_month
from billing_assets.erp.netsuite.resource import NetSuite
from billing_assets.erp.settings import SourceSettings
from billing_assets.foundation.database.connection import libpq_url
from billing_assets.foundation.periods import first_day
from proving.benchmarks.backlog import backlog, post, runs
from proving.benchmarks.measure import Mark, Measure, Place, Round
from proving.benchmarks.sandbox import sandbox
from proving.benchmarks.world import ALL, MONTH, source

_SECONDS_A_DOCUMENT = 10.0 / 54_000


def _play(here: Place, small: bool) -> Iterator[Round]:
    rounds, documents = (1, 40) if small else (3, None)
    with (
        sandbox(here.folder / "netsuite-close") as netsuite,
        _one_month(here, documents) as billing,
        backlog(here, billing, netsuite, {}) as waiting,
    ):
        with runs(1 if small else 3) as pool:
            list(pool.imap_unordered(post, waiting.keys))
        waiting.check(netsuite)
        found = waiting.runtime
        for _ in range(rounds):
            with found.state() as connection, found.of(BillingSystem).connection() as there:
                began = time.monotonic()
                close = close_month(
                    connection,
                    [Billing(found.settings.of(SourceSettings).name, there, found.of(BillingSystem).queries)],
                    found.of(NetSuite).client,
                    found.of(NetSuite).mapping,
                    MONTH,
                )
                connection.execute("delete from billing.close_packs")
                make_pack(connection, close)
                seconds = time.monotonic() - began
            if not close.reconciled:
                raise RuntimeError(f"the month does not agree: {close.differences[:3]}")
            count = sum(row.billing.documents for row in close.rows)
            yield Round(seconds, count * _SECONDS_A_DOCUMENT, count)


@contextmanager
def _one_month(here: Place, documents: int | None) -> Iterator[str]:
    """URL of a billing system with the sample, all of it dated in one month."""
    with source(here, ALL if documents is None else MONTH, documents) as billing:
        with psycopg.connect(libpq_url(billing), autocommit=True) as connection:
            connection.execute(
                "update invoices set document_date = %(day)s, due_date = %(day)s", {"day": first_day(MONTH)}
            )
        yield billing


MEASURES = [
    Measure(
        "close",
        "month close with its pack",
        "the time that it may take: 10 s for 54,000",
        "s",
        Mark(at_most=1),
        5,
        _play,
    )
]
