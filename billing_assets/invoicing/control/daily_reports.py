"""What was billed on a day, and what was not, by bill group. Queries only."""

from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from billing_assets.foundation.database.connection import Connection
from billing_assets.invoicing.batches.planning_store import UNBILLED


class GroupDay(NamedTuple):
    """A bill group on a day, in one currency. `billed`: invoices issued on the day, with their `amount`; `cancelled`:
    credit memos. `failed`, `taken_out`: members on the day. As things are now: `parked` (members that a person puts
    back), `unbilled`, the end of the oldest unbilled period, `late` (bills past their deadline) and `due_soon`.
    """

    bill_group: str
    currency: str
    billed: int
    amount: Decimal
    cancelled: int
    cancelled_amount: Decimal
    drafted: int
    failed: int
    parked: int
    taken_out: int
    unbilled: int
    oldest_unbilled: date | None
    late: int
    due_soon: int


class FailedCode(NamedTuple):
    """Members of a group that failed on a day, by code."""

    bill_group: str
    code: str
    members: int


class Deadline(NamedTuple):
    """Days from complete usage and charges: when a bill is reported, and when it is late."""

    reported_from: int
    late_after: int


def groups(connection: Connection, begin: datetime, end: datetime, day: date, deadline: Deadline) -> list[GroupDay]:
    """The groups that have anything to report between two instants, a day; and of now what is unbilled."""
    rows = connection.execute(
        f"""
        with documents as (
            select bill_group, currency,
                count(*) filter (where kind = 'invoice' and issued_at is not null) as billed,
                coalesce(sum(total) filter (where kind = 'invoice' and issued_at is not null), 0) as amount,
                count(*) filter (where kind = 'cancel' and issued_at is not null) as cancelled,
                coalesce(sum(total) filter (where kind = 'cancel' and issued_at is not null), 0) as cancelled_amount,
                count(*) filter (where issued_at is null and state <> 'discarded') as drafted
            from billing.utility_invoices
            where (issued_at >= %(begin)s and issued_at < %(end)s)
               or (issued_at is null and rated_at >= %(begin)s and rated_at < %(end)s)
            group by 1, 2
        ), members as (
            select b.bill_group,
                count(*) filter (where m.state = 'failed' and m.since >= %(begin)s and m.since < %(end)s) as failed,
                count(*) filter (where m.state = 'taken_out' and m.since >= %(begin)s and m.since < %(end)s)
                    as taken_out,
                count(*) filter (where m.state = 'failed' and m.code = any(%(parked)s) and not exists (
                    select from billing.batch_members as o
                    where o.account = m.account and o.point = m.point and o.id > m.id
                      and o.period_start < m.period_end and o.period_end > m.period_start)) as parked
            from billing.batch_members as m join billing.invoice_batches as b on b.id = m.batch
            where m.state in ('failed', 'taken_out') group by 1
        ), unbilled as (
            select f.bill_group, count(*) as unbilled, min(f.period_end) as oldest_unbilled,
                count(*) filter (where f.is_ready and %(day)s - f.complete_on > %(late)s) as late,
                count(*) filter (where f.is_ready and %(day)s - f.complete_on between %(soon)s and %(late)s)
                    as due_soon
            from (
                select u.bill_group, u.period_end, u.is_ready,
                    greatest(u.arrived_at, c.arrived_at)::date as complete_on
                from ({UNBILLED}) as u left join billing.usage_messages as c on c.message = u.charges
                where u.arrived_at < %(end)s) as f
            group by 1
        ), named as (
            select bill_group from documents union select bill_group from members
            union select bill_group from unbilled
            union select bill_group from billing.bill_groups
            where replaced_at is null and valid_from <= %(day)s and (valid_until is null or valid_until > %(day)s))
        select n.bill_group, coalesce(d.currency, g.currency, '') as currency, coalesce(d.billed, 0)::int as billed,
            coalesce(d.amount, 0) as amount, coalesce(d.cancelled, 0)::int as cancelled,
            coalesce(d.cancelled_amount, 0) as cancelled_amount, coalesce(d.drafted, 0)::int as drafted,
            coalesce(m.failed, 0)::int as failed, coalesce(m.parked, 0)::int as parked,
            coalesce(m.taken_out, 0)::int as taken_out, coalesce(u.unbilled, 0)::int as unbilled, u.oldest_unbilled,
            coalesce(u.late, 0)::int as late, coalesce(u.due_soon, 0)::int as due_soon
        from named as n left join documents as d using (bill_group) left join members as m using (bill_group)
        left join unbilled as u using (bill_group)
        left join lateral (
            select g.currency from billing.bill_groups as g
            where g.bill_group = n.bill_group and g.replaced_at is null
            order by g.valid_from <= %(day)s desc, g.valid_from desc limit 1) as g on true
        order by n.bill_group, currency""",  # noqa: S608
        {
            "begin": begin,
            "end": end,
            "day": day,
            "late": deadline.late_after,
            "soon": deadline.reported_from,
            "parked": ["INTERNAL", "BOUND_EXCEEDED"],
        },
    )
    return [GroupDay(**row) for row in rows]


def failed(connection: Connection, begin: datetime, end: datetime) -> list[FailedCode]:
    """Members that failed between two instants, by group and code."""
    rows = connection.execute(
        """
        select b.bill_group, m.code, count(*)::int as members
        from billing.batch_members as m join billing.invoice_batches as b on b.id = m.batch
        where m.state = 'failed' and m.since >= %s and m.since < %s group by 1, 2 order by 1, 2""",
        [begin, end],
    )
    return [FailedCode(**row) for row in rows]
