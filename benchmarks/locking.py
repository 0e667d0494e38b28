"""Planning and locking 1,000 documents among ten million, against among 54,000: it must not depend on the history."""

import statistics
import time
from collections.abc import Iterator

import psycopg

from benchmarks.measure import Mark, Measure, Place, Round
from benchmarks.world import database
from billing_assets.batches import store
from billing_assets.state.database import connect, libpq_url

_FILL = """
insert into billing.staged_invoices (source, document_id, kind, number, status, document_date, period, currency, total,
    line_count, extra, lines, content_hash, external_id, state, findings, batch, netsuite_id, posted_at)
select 'billing', 'h' || i, 'invoice', 'h' || i, 'closed', '2010-01-01', '2010-01', 'GBP', 1, 1, '{}', '[]', 'x',
       'H-' || i, 'posted', '[]', 'history', i::text, now() - interval '90 days'
from generate_series(%s::int, %s) as i"""
_READY = """
insert into billing.staged_invoices (source, document_id, kind, number, status, document_date, period, currency, total,
    line_count, extra, lines, content_hash, external_id, state, findings)
select 'billing', 'r' || i, 'invoice', 'r' || i, 'closed', '2010-11-01', '2010-11', 'GBP', 1, 1, '{}', '[]', 'x',
       'R-' || i, 'ready', '[]'
from generate_series(1, 20000) as i"""


def _play(here: Place, small: bool) -> Iterator[Round]:
    few, many, rounds = (500, 5_000, 1) if small else (54_000, 10_000_000, 3)
    with database(here, migrated=True) as large, database(here, migrated=True) as little:
        _fill(large, many)
        _fill(little, few)
        for number in range(rounds):
            yield Round(_lock(large, number), _lock(little, number), many)


def _fill(url: str, history: int) -> None:
    with psycopg.connect(libpq_url(url), autocommit=True) as connection:
        connection.execute(
            "insert into billing.locked_batches (partition_key, period, sequence, documents, total, state) "
            "values ('history', '2010-01', 1, 0, 0, 'posted')"
        )
        connection.execute(_READY)
        connection.execute(_FILL, [1, history])
        connection.execute("vacuum analyze billing.staged_invoices")


def _lock(url: str, call: int, times: int = 5) -> float:
    """Median milliseconds to make a batch of 1,000 and lock it."""
    seconds = []
    with connect(url) as connection:
        for number in range(1 + call * times, 1 + (call + 1) * times):
            key = f"2010-11-{number:04d}"
            began = time.monotonic()
            with connection.transaction():
                store.add_batch(connection, key, "2010-11", number, 1000)
            with connection.transaction():
                store.lock(connection, key, "benchmark", 30, retry_rejected=False)
            seconds.append(time.monotonic() - began)
    return 1000 * statistics.median(seconds)


MEASURES = [
    Measure(
        "lock",
        "planning and locking 1,000 among 10 million",
        "among 54,000",
        "ms",
        Mark(at_most=1.2),
        12,
        _play,
    )
]
