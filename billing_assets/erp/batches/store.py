"""The SQL of batches of documents: what is in them, requeueing. Planning and locking are the posting core's."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from billing_assets.erp.batches.ledger import DOCUMENTS
from billing_assets.erp.staging import may_be_posted, verbs
from billing_assets.foundation.database.connection import Connection
from billing_assets.posting import backlog
from billing_assets.posting.backlog import BatchWanting
from billing_assets.posting.batch_lock import UnknownBatchError, settle


@dataclass(frozen=True)
class Batch:
    """A batch as it stands: up to 1,000 documents of one billing month, posted by one run at a time."""

    partition_key: str
    period: str
    state: str
    documents: int
    total: Decimal
    epoch: int
    run_id: str | None
    locked_until: datetime | None


def wanting_a_run(connection: Connection, pause_seconds: float = 0.0) -> list[BatchWanting]:
    """Batches of documents with something to do and no live hold, as `posting.backlog.wanting_a_run` says."""
    return backlog.wanting_a_run(connection, DOCUMENTS, pause_seconds)


def get(connection: Connection, partition_key: str) -> Batch:
    """One batch. Raises UnknownBatchError."""
    row = connection.execute(
        """
        select partition_key, period, state, documents, total, epoch, run_id, locked_until
        from billing.locked_batches where partition_key = %s""",
        [partition_key],
    ).fetchone()
    if row is None:
        raise UnknownBatchError(partition_key)
    return Batch(**row)


def needing_attention(connection: Connection) -> list[dict[str, Any]]:
    """Batches that ended with something left, by currency: documents, total, and since when."""
    return connection.execute(
        """
        select b.partition_key, d.currency, count(*) as documents, sum(d.total) as total, b.finished_at as since
        from billing.locked_batches as b
        cross join lateral (  -- batch by batch, each half by its partial index
            select currency, total from billing.staged_invoices
            where batch = b.partition_key and state in ('batched', 'locked', 'posting', 'rejected', 'differs')
            union all
            select currency, total from billing.staged_invoices
            where batch = b.partition_key and state = 'posted'
              and (read_back_at is null or difference is not null)) as d
        where b.state = 'attention'
        group by b.partition_key, d.currency order by 1, 2"""
    ).fetchall()


@dataclass(frozen=True)
class LockedSummary:
    """What a run holds: documents, their totals by currency, and how many of them must not be posted at all."""

    documents: int
    unfit: int
    totals: tuple[tuple[str, Decimal], ...]


def locked_summary(connection: Connection, partition_key: str) -> LockedSummary:
    """The locked documents of a batch, and those among them that validation should never have let through."""
    rows = connection.execute(
        f"""
        select currency, count(*) as documents, sum(total) as total,
               count(*) filter (where not {may_be_posted.WHOLE}) as unfit
        from billing.staged_invoices as s
        where batch = %s and state in ('locked', 'posting') group by 1 order by 1""",  # noqa: S608
        [partition_key],
    ).fetchall()
    return LockedSummary(
        sum(row["documents"] for row in rows),
        sum(row["unfit"] for row in rows),
        tuple((row["currency"], row["total"]) for row in rows),
    )


def requeue(connection: Connection, numbers: list[str] | None, unknown_after_seconds: float) -> int:
    """Rejected documents whose month is not closed go back to the backlog, all or those with the given numbers. Returns
    how many. By its number also one of which NetSuite says that it has its external id, and shows nothing: while that
    is so, it refuses the document again.

    A batch that a run holds keeps its hold: that run settles it at its end.
    """
    # The batches first, as locking does: the other order could deadlock with it.
    batches = connection.execute(
        """
        select partition_key, locked_until is not null as held from billing.locked_batches
        where partition_key in (
            select batch from billing.staged_invoices
            where state = 'rejected' and (%(numbers)s::text[] is null or number = any(%(numbers)s))
            union
            select batch from billing.staged_invoices
            where state = 'differs' and netsuite_id is null and number = any(%(numbers)s))
          and period not in (select period from billing.closed_months)
        order by partition_key for update""",
        {"numbers": numbers},
    ).fetchall()
    moved = verbs.requeue(
        connection,
        numbers,
        [batch["partition_key"] for batch in batches],
        [batch["partition_key"] for batch in batches if not batch["held"]],
    )
    for batch in batches:
        if not batch["held"]:
            settle(connection, DOCUMENTS, batch["partition_key"], unknown_after_seconds)
    return moved


def end_emptied(connection: Connection, period: str) -> None:
    """Batches of a month in which nothing is left but what NetSuite has are done."""
    connection.execute(
        """
        update billing.locked_batches as b set state = 'posted', finished_at = clock_timestamp()
        where b.period = %s and b.state = 'attention' and not exists (
            select from billing.staged_invoices as d
            where d.batch = b.partition_key
              and (d.state <> 'posted' or d.read_back_at is null or d.difference is not null))""",
        [period],
    )


def counts_by_state(connection: Connection) -> dict[str, int]:
    """How many batches are in each state."""
    rows = connection.execute("select state, count(*) as n from billing.locked_batches group by 1 order by 1")
    return {row["state"]: row["n"] for row in rows}
