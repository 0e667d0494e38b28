"""Planning and locking 1,000 documents among ten million, against among 54,000: it must not depend on the history."""

import os
import statistics
import time

import psycopg

from benchmarks.world import World, report, world
from billing_assets.batches import store
from billing_assets.state.database import libpq_url

LARGE = int(os.environ.get("BENCH_ROWS", "10000000"))
SMALL = 54_000
_ROUNDS = 9

_FILL = """
insert into billing.staged_invoices (source, document_id, kind, number, status, document_date, period, currency, total,
    line_count, extra, lines, content_hash, external_id, state, findings, batch, netsuite_id, posted_at)
select 'billing', 'h' || i, 'invoice', 'h' || i, 'closed', '2010-01-01', '2010-01', 'GBP', 1, 1, '{}', '[]', 'x',
       'H-' || i, 'posted', '[]', 'history', i::text, now() - interval '90 days'
from generate_series(%s, %s) as i"""
_READY = """
insert into billing.staged_invoices (source, document_id, kind, number, status, document_date, period, currency, total,
    line_count, extra, lines, content_hash, external_id, state, findings)
select 'billing', 'r' || i, 'invoice', 'r' || i, 'closed', '2010-11-01', '2010-11', 'GBP', 1, 1, '{}', '[]', 'x',
       'R-' || i, 'ready', '[]'
from generate_series(1, 20000) as i"""


def main() -> None:
    """Prints the ratio."""
    with world("2011-12") as here:
        with psycopg.connect(libpq_url(here.runtime.database_url), autocommit=True) as connection:
            connection.execute(
                "insert into billing.locked_batches (partition_key, period, sequence, documents, total, state) "
                "values ('history', '2010-01', 1, 0, 0, 'posted')"
            )
            connection.execute(_READY)
            connection.execute(_FILL, [1, SMALL])
            connection.execute("vacuum analyze billing.staged_invoices")
            small = _lock(here, 1)
            connection.execute(_FILL, [SMALL + 1, LARGE])
            connection.execute("vacuum analyze billing.staged_invoices")
            large = _lock(here, 1001)
    what = f"plan and lock 1,000 of {LARGE:,}"
    report(what, f"{large * 1000:.0f} ms", f"of {SMALL:,} {small * 1000:.0f} ms", large / small, 1.2)


def _lock(here: World, sequence: int) -> float:
    """Median seconds to make a batch of 1,000, lock it, and give it back."""
    seconds = []
    with here.runtime.state() as connection:
        for number in range(sequence, sequence + _ROUNDS):
            key = f"2010-11-{number:04d}"
            began = time.monotonic()
            with connection.transaction():
                store.add_batch(connection, key, "2010-11", number, 1000)
            with connection.transaction():
                store.lock(connection, key, "benchmark", 30, retry_rejected=False)
            seconds.append(time.monotonic() - began)
    return statistics.median(seconds)


if __name__ == "__main__":
    main()
