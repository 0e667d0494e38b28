"""Rows of the state database as the watch meets them."""

from datetime import datetime
from decimal import Decimal
from itertools import count

from billing_assets.foundation.database.connection import Connection

_numbers = count(1)


def document(
    connection: Connection,
    state: str,
    *,
    since: datetime,
    total: str | None = "100.00",
    currency: str | None = "GBP",
    batch: str | None = None,
) -> int:
    """One document that came into its state at `since`; its id."""
    number = next(_numbers)
    row = connection.execute(
        """
        insert into billing.staged_invoices
            (source, document_id, kind, number, status, document_date, period, currency, total, line_count, extra,
             lines, content_hash, external_id, state, state_since, findings, batch, netsuite_id, posted_at)
        values ('billing', %(id)s, 'invoice', %(id)s, 'closed', '2010-11-05', '2010-11', %(currency)s, %(total)s, 0,
            '{}', '[]', '\\x00', %(id)s, %(state)s, %(since)s, '[]', %(batch)s,
            case when %(state)s = 'posted' then 'n1' end, case when %(state)s = 'posted' then now() end)
        returning id
        """,
        {
            "id": f"D{number}",
            "currency": currency,
            "total": None if total is None else Decimal(total),
            "state": state,
            "since": since,
            "batch": batch,
        },
    ).fetchone()
    assert row is not None
    return int(row["id"])


def batch(
    connection: Connection,
    key: str,
    *,
    planned_at: datetime,
    locked_until: datetime | None = None,
    run_id: str | None = None,
    state: str = "running",
) -> str:
    connection.execute(
        """
        insert into billing.locked_batches
            (partition_key, period, sequence, state, documents, total, planned_at, locked_until, run_id, epoch)
        values (%s, %s, %s, %s, 0, 0, %s, %s, %s, 1)
        """,
        (key, key[:7], int(key[8:]), state, planned_at, locked_until, run_id),
    )
    return key


def attempt(connection: Connection, document_id: int, batch_key: str, *, started_at: datetime) -> None:
    connection.execute(
        """
        insert into billing.posting_attempts
            (document, batch, run_id, epoch, attempt, external_id, payload_hash, started_at)
        values (%s, %s, 'r0', 1, 1, 'INV-1', '\\x00', %s)
        """,
        (document_id, batch_key, started_at),
    )


def staged(connection: Connection, source: str, *, watermark: datetime, finished_at: datetime) -> None:
    """A successful staging."""
    connection.execute(
        """insert into billing.watermarks values (%s, %s)
        on conflict (source) do update set last_successful_run_at = excluded.last_successful_run_at""",
        (source, watermark),
    )
    connection.execute(
        """insert into billing.staging_runs (source, run_id, watermark, finished_at, counts)
        values (%s, 'r', %s, %s, '{}')""",
        (source, watermark, finished_at),
    )
