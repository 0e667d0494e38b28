"""A million documents through all states by the product's own SQL: what that leaves behind with autovacuum as it is."""

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import orjson

from billing_assets.erp.batches import store as batches
from billing_assets.erp.batches.ledger import DOCUMENTS
from billing_assets.erp.batches.planning import plan
from billing_assets.erp.netsuite import store as posting
from billing_assets.erp.netsuite.store import Posting
from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.foundation.sections import BatchSettings
from billing_assets.operations.retention.archive import CHUNK
from billing_assets.operations.retention.store import archive
from billing_assets.posting import attempts as attempts_of
from billing_assets.posting import batch_lock
from billing_assets.posting.attempts import Intent, Outcome, ReadBack
from billing_assets.posting.states import ItemState
from proving import measured
from proving.benchmarks.measure import Place
from proving.benchmarks.world import database

_SETTINGS = BatchSettings(parallel_runs=1)
_RUNS = 3
_SLICE = 250
"""Intents and outcomes that a run writes at a time: more than it does beside NetSuite, as only what is left counts."""

_OPEN = """
insert into billing.staged_invoices (source, document_id, kind, number, status, created_at, document_date, due_date,
    period, customer, branch, currency, terms, memo, total, line_count, extra, lines, content_hash, external_id, state,
    findings)
select 'billing', i::text, 'invoice', (500000 + i)::text, 'open', now(), '2026-01-05', '2026-02-05', %(period)s,
       '12346', 'United Kingdom', 'GBP', 'NET30', 'Ordered by telephone', 20, 20, '{}',
       (select jsonb_agg(jsonb_build_array(n, (10000 + (i + 37 * n) %% 4000)::text, 'A thing that is sold ' || n, '1',
                                           '1.00', '1.00', null, null, null, null)) from generate_series(1, 20) as n),
       sha256(i::text::bytea), 'INV-' || 500000 + i, 'open', '[]'
from generate_series(%(first)s::int, %(last)s) as i"""
_CLOSE = """
update billing.staged_invoices
set state = 'ready', status = 'closed', content_hash = sha256(content_hash), staged_at = clock_timestamp()
where source = 'billing' and state = 'open'"""
_TABLES = """
select relname as name, pg_table_size(relid) as heap, pg_indexes_size(relid) as indexes, n_live_tup as live,
       n_dead_tup as dead, n_tup_upd as updated, n_tup_hot_upd as hot, autovacuum_count as vacuums
from pg_stat_user_tables where schemaname = 'billing' and relname = any(array[
    'staged_invoices', 'locked_batches', 'posting_attempts', 'posting_outcomes', 'posted_totals']) order by 1"""
_INDEXES = """
select indexrelid::regclass::text as name, pg_relation_size(indexrelid) as bytes
from pg_index where indrelid = 'billing.staged_invoices'::regclass order by 1"""


def passage(here: Place, small: bool) -> dict[str, Any]:
    """Plays it, month by month; sizes before and after everything was rewritten, and what archiving takes."""
    documents, month = (2_000, 1_000) if small else (1_000_000, 50_000)
    months = []
    with database(here, migrated=True) as url, connect(url) as connection:
        began = time.monotonic()
        for first in range(0, documents, month):
            number = first // month
            period = f"{2010 + number // 12}-{number % 12 + 1:02d}"
            connection.execute(_OPEN, {"period": period, "first": first + 1, "last": first + month})
            connection.execute(_CLOSE)
            months.append({"before": first, **_month(url, connection)})
            print(months[-1], flush=True)
        seconds = time.monotonic() - began
        time.sleep(0 if small else 60)  # autovacuum looks once a minute
        tables, indexes = _rows(connection, _TABLES), _rows(connection, _INDEXES)
        connection.execute("vacuum (full, analyze)")
        rewritten = {row["name"]: row for row in _rows(connection, _TABLES)}
        indexes_rewritten = {row["name"]: row["bytes"] for row in _rows(connection, _INDEXES)}
        began = time.monotonic()
        while archive(connection, 0, CHUNK):
            pass
        archiving = time.monotonic() - began
    return {
        "documents": documents,
        "seconds": seconds,
        "months": months,
        "tables": [
            row
            | {"heap_rewritten": rewritten[row["name"]]["heap"], "indexes_rewritten": rewritten[row["name"]]["indexes"]}
            for row in tables
        ],
        "indexes": [row | {"rewritten": indexes_rewritten[row["name"]]} for row in indexes],
        "archiving_seconds": archiving,
    }


def _month(url: str, connection: Connection) -> dict[str, float]:
    """Posts what is ready; milliseconds of planning it, of locking a batch (median), and of a look of the sensor."""
    began = time.perf_counter()
    keys = plan(connection, _SETTINGS)
    planned = time.perf_counter() - began
    began = time.perf_counter()
    batches.wanting_a_run(connection)
    looked = time.perf_counter() - began
    with ThreadPoolExecutor(_RUNS) as pool:
        locking = sorted(pool.map(partial(_post, url), keys))
    spent = {"plan": planned, "look": looked, "lock": locking[len(locking) // 2]}
    return {name: round(1000 * value, 1) for name, value in spent.items()}


def _post(url: str, key: str) -> float:
    """What a run writes of one batch when all of it lands; seconds that its lock took."""
    with connect(url) as connection:
        began = time.perf_counter()
        with connection.transaction():
            held = batch_lock.lock(connection, DOCUMENTS, key, f"run-{key}", 60, retry_rejected=False)
        locking = time.perf_counter() - began
        after = 0
        while waiting := posting.next_to_send(connection, held, _SLICE, after):
            after = waiting[-1].id
            attempts = attempts_of.record_intents(connection, held, {one.id: Intent(_body(one)) for one in waiting})
            landed = [
                Outcome(document, attempt, "landed", ItemState.POSTED, 204, remote_id=str(document), seconds=0.3)
                for document, attempt in attempts.items()
            ]
            attempts_of.record_outcomes(connection, held, landed)
            batch_lock.renew(connection, held, 60)
        unread = posting.unread(connection, held)
        attempts_of.record_read_back(
            connection, held, [ReadBack(one.id, f"INV{one.id}", None, False) for one in unread]
        )
        batch_lock.release(connection, held, 960)
    return locking


def _body(one: Posting) -> bytes:
    """A request as large as NetSuite gets for such a document."""
    items = [
        {
            "quantity": str(line.quantity),
            "rate": str(line.unit_price),
            "amount": str(line.amount),
            "item": {"id": line.item},
            "description": line.description,
            "custcol_billing_line": line.line_no,
        }
        for line in one.document.lines
    ]
    return orjson.dumps({"externalId": one.external_id, "entity": {"id": "1"}, "item": {"items": items}})


def _rows(connection: Connection, query: Any) -> list[dict[str, Any]]:
    connection.execute("select pg_stat_clear_snapshot()")
    return connection.execute(query).fetchall()


def text(found: dict[str, Any]) -> str:
    """What stands on the page."""
    tables = measured.table(
        ["table", "rows", "table", "rewritten", "indexes", "rewritten", "dead rows", "HOT updates", "vacuums"],
        [
            [
                f"`{row['name']}`",
                f"{row['live']:,}",
                _megabytes(row["heap"]),
                _megabytes(row["heap_rewritten"]),
                _megabytes(row["indexes"]),
                _megabytes(row["indexes_rewritten"]),
                f"{row['dead']:,}",
                f"{row['hot'] / row['updated']:.0%} of {row['updated']:,}" if row["updated"] else "-",
                row["vacuums"],
            ]
            for row in found["tables"]
        ],
    )
    months = found["months"]
    spans = "; ".join(
        f"{what} {' · '.join(f'{month[name]:.0f}' for month in (months[0], months[len(months) // 2], months[-1]))} ms"
        for name, what in (
            ("plan", "planning the month"),
            ("look", "a look of the sensor"),
            ("lock", "locking a batch"),
        )
    )
    return (
        f"{tables}\n\nIn the first, the middle and the last month: {spans}. Archiving the log of all "
        f"{found['documents']:,} documents took {found['archiving_seconds']:.0f} s. "
        f"{found['measured']}, {found['machine']}."
    )


def _megabytes(size: float) -> str:
    return f"{size / 2**20:,.1f} MB" if size < 100 * 2**20 else f"{size / 2**20:,.0f} MB"
