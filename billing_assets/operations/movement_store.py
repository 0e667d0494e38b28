"""The SQL of a supervised run: which documents of its months can still move, and what staging does not hold yet."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from billing_assets.erp.billing_system.totals import MonthDocument
from billing_assets.erp.close import month_tables
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.periods import first_day, following

_NUMBERS = 5


class Staged(NamedTuple):
    """What staging holds of one month and status of the billing system."""

    documents: int
    total: Decimal


def now(connection: Connection) -> datetime:
    """Our database's clock: what is due is due by it."""
    (row,) = connection.execute("select clock_timestamp() as now").fetchall()
    moment: datetime = row["now"]
    return moment


def states(connection: Connection, periods: Sequence[str]) -> dict[str, int]:
    """Documents of some months by state."""
    rows = connection.execute(
        "select state, count(*) as n from billing.staged_invoices where period = any(%s) group by 1", [list(periods)]
    )
    return {row["state"]: row["n"] for row in rows}


def on_their_way(connection: Connection, periods: Sequence[str]) -> list[dict[str, Any]]:
    """Documents that a batch or a look-up can still change, by state: how many, the first numbers, their batches.

    `state` is `unread` for what was posted and not read back. Not among them: what is ready and has to wait for a
    person, because its month is closed or the invoice that it credits is not on its way. Nor, after a restored
    backup, what is to be sent. `due` is when the last of the unknown outcomes is looked up.
    """
    return connection.execute(
        """
        with closed_invoices as (  -- credit memos that wait for an invoice whose month is closed
            select w.id from billing.waiting_credits as w
            join billing.staged_invoices as t on t.source = billing.credited_source(w.source) and t.kind = 'invoice'
                and t.number = w.invoice and t.state = 'ready'
            where w.state = 'ready' and t.period in (select period from billing.closed_months)
        ), moving as (
            select id, number, batch, state from billing.staged_invoices as d
            where period = any(%(periods)s) and state in ('ready', 'batched', 'locked', 'posting')
              -- nothing is sent before a person confirmed what NetSuite has and we never sent
              and (state = 'posting' or not exists (select from billing.found_here where decision is null))
              and (state <> 'ready' or (
                  period not in (select period from billing.closed_months)
                  and id not in (select id from billing.kept_back_credits)
                  and id not in (select id from closed_invoices)))
            union all
            select d.id, d.number, d.batch, 'unread' from billing.locked_batches as b
            join billing.staged_invoices as d on d.batch = b.partition_key
            where b.state in ('running', 'attention') and b.period = any(%(periods)s)
              and d.state = 'posted' and d.read_back_at is null)
        select m.state, count(*) as documents, (array_agg(m.number order by m.id))[1:%(numbers)s] as numbers,
               array_remove(array_agg(distinct m.batch order by m.batch), null) as batches,
               max(b.unknown_due_at) filter (where m.state in ('posting', 'unread')) as due
        from moving as m left join billing.locked_batches as b on b.partition_key = m.batch
        group by 1 order by 1""",
        {"periods": list(periods), "numbers": _NUMBERS},
    ).fetchall()


def unfinished_batches(connection: Connection, periods: Sequence[str]) -> list[str]:
    """Batches of some months that no run brought to an end yet."""
    rows = connection.execute(
        """
        select partition_key from billing.locked_batches
        where state in ('planned', 'running') and period = any(%s) order by 1""",
        [list(periods)],
    )
    return [row["partition_key"] for row in rows]


def dues(connection: Connection, periods: Sequence[str]) -> dict[str, datetime]:
    """When the unknown outcomes of a batch are looked up again."""
    rows = connection.execute(
        """
        select partition_key, unknown_due_at from billing.locked_batches
        where state in ('running', 'attention') and period = any(%s) and unknown_due_at is not null""",
        [list(periods)],
    )
    return {row["partition_key"]: row["unknown_due_at"] for row in rows}


def staged(connection: Connection, source: str, periods: Sequence[str]) -> dict[tuple[str, str], Staged]:
    """What staging holds of some months of a source, by month and status there."""
    rows = connection.execute(
        """
        select period, status, count(*) as documents, coalesce(sum(total), 0) as total from billing.staged_invoices
        where period = any(%s) and source = %s and (state <> 'gone' or status = 'void') group by 1, 2""",
        [list(periods), source],
    )
    return {(row["period"], row["status"]): Staged(row["documents"], row["total"]) for row in rows}


def staged_otherwise(
    connection: Connection, source: str, period: str, documents: Iterable[list[MonthDocument]]
) -> tuple[int, list[str]]:
    """How many documents of a month staging does not hold as the billing system shows them, and the first numbers.

    What was posted is not among them, nor what a run has: staging does not change it any more.
    """
    month_tables.create_tables(connection)
    for some in documents:
        month_tables.add_billing(connection, source, some)
    connection.execute("analyze month_billing")
    (row,) = connection.execute(
        """
        with b as (select distinct on (document_id) * from month_billing where document_id is not null),
        s as (
            select * from billing.staged_invoices
            where source = %(source)s and (document_date >= %(first)s and document_date < %(end)s
                                           or document_id in (select document_id from b))),
        lacking as (
            select coalesce(b.number, s.number) as number
            from b full join s on s.document_id = b.document_id
            where s.id is null or s.state = 'gone' and s.status <> 'void' and b.document_id is not null
               or s.state in ('open', 'held', 'excluded', 'ready', 'batched', 'rejected', 'gone')
                  and (b.document_id is not null
                       and (b.status, b.total, b.document_date) is distinct from (s.status, s.total, s.document_date)
                       or b.document_id is null and (s.state <> 'gone' or s.status = 'void')))
        select count(*) as documents, (array_agg(number order by number))[1:%(numbers)s] as numbers from lacking""",
        {
            "source": source,
            "first": first_day(period),
            "end": first_day(following(period)),
            "numbers": _NUMBERS,
        },
    ).fetchall()
    return row["documents"], row["numbers"] or []


def sent_within(connection: Connection, seconds: float) -> int:
    """How many requests left within the last seconds."""
    (row,) = connection.execute(
        """
        select count(distinct attempt) as n from billing.posting_outcomes
        where recorded_at > clock_timestamp() - make_interval(secs => %s) and outcome not in ('found', 'absent')""",
        [seconds],
    ).fetchall()
    return int(row["n"])
