"""The SQL of retention: the log of what was posted long ago goes to partitions by month, counts are put together."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import psycopg
from psycopg import sql

from billing_assets.erp.batches.ledger import DOCUMENTS
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.errors import BillingError
from billing_assets.posting.attempts import forget_archived

_PARENTS = ("archived_attempts", "archived_outcomes")


class ArchivedMonth(NamedTuple):
    """The archived log of everything posted in one month. `size` in bytes, indexes included."""

    month: date
    size: int


class ArchiveError(BillingError):
    """A month cannot be taken out of the log. The message says why."""


def archive(connection: Connection, older_than_days: float, limit: int) -> int:
    """Moves the attempts and outcomes of up to `limit` documents that were posted longer ago than that, in one
    transaction. Returns how many documents' it moved; 0 when there is nothing left to do.

    Only what is at its end goes: posted, read back and equal. Everything that posting still reads stays where it is.
    """
    with connection.transaction():
        _serialise(connection)
        chosen = connection.execute(
            """
            with old as (select clock_timestamp() - make_interval(secs => 86400 * %s::float) as than)
            select d.id, date_trunc('month', d.posted_at at time zone 'UTC')::date as month
            from billing.posting_attempts as a join billing.staged_invoices as d on d.id = a.document
            where a.started_at < (select than from old) and d.posted_at < (select than from old)
              and d.state = 'posted' and d.read_back_at is not null and d.difference is null
            order by a.id limit %s""",
            [older_than_days, limit],
        ).fetchall()
        documents = list({row["id"] for row in chosen})
        for month in sorted({row["month"] for row in chosen}):
            connection.execute("select billing.open_archive(%s)", [month])
        connection.execute(
            """
            insert into billing.archived_attempts
                (id, document, batch, run_id, epoch, attempt, external_id, payload_hash, started_at, payload, posted_at)
            select a.id, a.document, a.batch, a.run_id, a.epoch, a.attempt, a.external_id, a.payload_hash, a.started_at,
                   a.payload, d.posted_at
            from billing.posting_attempts as a
            join billing.staged_invoices as d on d.id = a.document
            where a.document = any(%s)""",
            [documents],
        )
        connection.execute(
            """
            insert into billing.archived_outcomes
            select o.*, d.posted_at from billing.posting_outcomes as o
            join billing.posting_attempts as a on a.id = o.attempt
            join billing.staged_invoices as d on d.id = a.document
            where a.document = any(%s)""",
            [documents],
        )
        forget_archived(connection, DOCUMENTS, documents)
    return len(documents)


def _serialise(connection: Connection) -> None:
    """Waits until no other retention is at work; held to the end of the transaction."""
    connection.execute("select pg_advisory_xact_lock(hashtextextended('billing retention', 0))")


def put_totals_together(connection: Connection) -> None:
    """Makes one row of the many that count posted documents of one source, month, kind and currency."""
    with connection.transaction():
        _serialise(connection)
        connection.execute(
            """
            with counted as (delete from billing.posted_totals returning *)
            insert into billing.posted_totals
            select source, period, kind, currency, sum(documents), sum(total) from counted group by 1, 2, 3, 4"""
        )


def archived_months(connection: Connection) -> list[ArchivedMonth]:
    """The months that the archive has, oldest first."""
    rows = connection.execute(
        """
        select to_date(right(c.relname, 7), 'YYYY_MM') as month, sum(pg_total_relation_size(c.oid))::bigint as size
        from pg_inherits as i join pg_class as c on c.oid = i.inhrelid
        where i.inhparent = any(%s::regclass[]) and c.relkind = 'r' group by 1 order by 1""",
        [[f"billing.{parent}" for parent in _PARENTS]],
    )
    return [ArchivedMonth(**row) for row in rows]


def detach(connection: Connection, month: date, wait_seconds: float = 10.0) -> list[str]:
    """Takes everything posted in a month (its first day) out of the log, in one transaction; the tables stay, under the
    names that this returns, to be dumped and dropped.

    Raises ArchiveError, having done nothing, also when another session still reads the log after `wait_seconds`: one
    that comes after us would have to wait as well.
    """
    if month not in {one.month for one in archived_months(connection)}:
        raise ArchiveError(f"There is no archive of {month:%Y-%m}. `billing retention` lists those that there are.")
    names = []
    with connection.transaction():
        connection.execute("select set_config('lock_timeout', %s, true)", [f"{round(1000 * wait_seconds)}ms"])
        for parent in _PARENTS:
            part, name = f"{parent}_{month:%Y_%m}", f"{parent.replace('archived', 'detached')}_{month:%Y_%m}"
            # Under another name: something of that month may still come to the archive, read back late.
            statement = sql.SQL("alter table {0} detach partition {1}; alter table {1} rename to {2}")
            identifiers = sql.Identifier("billing", parent), sql.Identifier("billing", part), sql.Identifier(name)
            try:
                connection.execute(statement.format(*identifiers))
            except psycopg.errors.DuplicateTable:
                raise ArchiveError(f"billing.{name} is still there: dump and drop it first.") from None
            except psycopg.errors.LockNotAvailable:
                raise ArchiveError("Somebody is reading billing.posting_log; try again later.") from None
            names.append(f"billing.{name}")
    return names


class BatchRun(NamedTuple):
    """Whether a batch is posted, and the run that had it last."""

    posted: bool
    run_id: str | None


def batch_runs(connection: Connection, keys: Sequence[str]) -> dict[str, BatchRun]:
    """Those of the partition keys that are batches."""
    rows = connection.execute(
        """
        select partition_key, state = 'posted' as posted, run_id from billing.locked_batches
        where partition_key = any(%s)""",
        [list(keys)],
    )
    return {row["partition_key"]: BatchRun(row["posted"], row["run_id"]) for row in rows}


def settled_batches(connection: Connection, keys: Sequence[str], days: float) -> list[str]:
    """Those of the batches that were posted, and since then not touched, longer ago than so many days; oldest first."""
    rows = connection.execute(
        """
        select partition_key from billing.locked_batches
        where partition_key = any(%s) and state = 'posted'
          and finished_at < clock_timestamp() - make_interval(secs => 86400 * %s::float)
        order by partition_key""",
        [list(keys), days],
    )
    return [row["partition_key"] for row in rows]
