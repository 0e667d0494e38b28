"""The SQL of planning: requests, what is billable by group, and the members that batches are made of."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple
from uuid import uuid4

from psycopg.types.json import Jsonb

from billing_assets.decisions.store import Subject, record
from billing_assets.foundation.database.connection import Connection
from billing_assets.invoicing.batches.selections import Wanted, wanted_of

UNBILLED = """
    select u.message, u.charges, u.point, u.period_start, u.period_end, u.is_ready, a.account, a.bill_group,
        a.id as row, m.arrived_at,
        exists (select from billing.batch_members as o
            where o.usage = u.message and o.state in ('selected', 'clear', 'held')) as in_batch,
        exists (select from billing.batch_members as o
            where o.usage = u.message and o.state = 'taken_out') as taken_out
    from billing.billable_usage as u
    join billing.usage_messages as m on m.message = u.message
    join lateral (
        select s.account from billing.supply_periods as s
        where s.point = u.point and s.replaced_at is null and s.valid_from < u.period_end
        order by s.valid_from desc limit 1) as s on true
    join billing.accounts as a on a.account = s.account and a.replaced_at is null
        and a.valid_from < u.period_end and (a.valid_until is null or a.valid_until >= u.period_end)
    where u.period_end > u.period_start
      and not exists (select from billing.invoiced_usage as i where i.message = u.message and i.is_live)
      and not exists (select from billing.invoiced_usage as i where i.message = u.rebills)
      and not exists (
        select from billing.billed_elsewhere as e
        where e.point = u.point and e.replaced_at is null and e.valid_from < u.period_end
          and (e.valid_until is null or e.valid_until > u.period_start))
    union all
    select null, null, u.point, d.begins, d.ends, u.is_ready, a.account, a.bill_group, a.id, u.judged_at,
        exists (select from billing.batch_members as o
            where o.usage is null and o.point = u.point and o.state in ('selected', 'clear', 'held')
              and o.period_start < d.ends and o.period_end > d.begins),
        exists (select from billing.batch_members as o
            where o.usage is null and o.point = u.point and o.state = 'taken_out'
              and o.period_start < d.ends and o.period_end > d.begins)
    from billing.interval_periods as u
    join billing.supply_periods as s on s.point = u.point and s.replaced_at is null and s.valid_from < u.ends
        and coalesce(s.valid_until > u.begins, true)
    cross join lateral (
        select greatest(u.begins, s.valid_from) as begins, least(u.ends, s.valid_until) as ends) as d
    join billing.accounts as a on a.account = s.account and a.replaced_at is null
        and a.valid_from < d.ends and (a.valid_until is null or a.valid_until >= d.ends)
    where not exists (
        select from billing.usage_messages as o
        where o.point = u.point and o.kind = 'usage' and o.period_start < d.ends and o.period_end > d.begins)
      and not exists (
        select from billing.invoiced_streams as x join billing.invoiced_usage as i on i.stream = x.id
        where (x.point, x.channel) = (u.point, 'general') and i.is_live and i.days && daterange(d.begins, d.ends))
      and not exists (
        select from billing.billed_elsewhere as e
        where e.point = u.point and e.replaced_at is null and e.valid_from < d.ends
          and (e.valid_until is null or e.valid_until > d.begins))
"""
"""Usage that is on no invoice, with the account that it is of: messages of the market, and where a point has none for
these days, periods whose intervals were validated, as far as the account is supplied in them. What replaces usage of
an invoice is a correction's; what another issuer bills is not ours."""


class GroupCount(NamedTuple):
    """A bill group: its customers, those that can be billed now, and those that wait for something."""

    bill_group: str
    name: str
    automated: bool
    customers: int
    billable: int
    waiting: int
    in_batches: int


class Planned(NamedTuple):
    """A batch that was made."""

    batch: int
    bill_group: str
    members: int


def request(
    connection: Connection, wanted: Wanted, *, by: str | None = None, why: str = "", priority: int = 0
) -> tuple[int, bool]:
    """Queues a request; without `by` in the name of the machine. Its number, and whether it is new."""
    with connection.transaction():
        row = connection.execute("select id from billing.invoice_requests where key = %s", [wanted.key]).fetchone()
        if row is not None:
            return int(row["id"]), False
        decision = None
        if by is not None:
            what = f"request {wanted.selection} until {wanted.cut_off}"
            decision = record(connection, Subject.INVOICING, "invoice request", what, by, why).id
        row = connection.execute(
            """
            insert into billing.invoice_requests (kind, selection, parameters, cut_off, source, key, priority, decision)
            values (%s, %s, %s, %s, %s, %s, %s, %s) on conflict (key) do nothing returning id""",
            [
                wanted.kind,
                wanted.selection,
                Jsonb(wanted.parameters),
                wanted.cut_off,
                "manual" if by else "automatic",
                wanted.key,
                priority,
                decision,
            ],
        ).fetchone()
        if row is not None:
            return int(row["id"]), True
        (row,) = connection.execute("select id from billing.invoice_requests where key = %s", [wanted.key]).fetchall()
        return int(row["id"]), False


def next_request(connection: Connection) -> tuple[int, Wanted, bool] | None:
    """The pending request that is due first, for the transaction; and whether it is automatic."""
    row = connection.execute(
        """
        select id, selection, parameters, cut_off, kind, source from billing.invoice_requests
        where state = 'pending' order by priority desc, id limit 1 for update skip locked"""
    ).fetchone()
    if row is None:
        return None
    wanted = wanted_of(row["selection"], row["parameters"], row["cut_off"], row["kind"])
    return int(row["id"]), wanted, row["source"] == "automatic"


def end_request(connection: Connection, request: int, state: str, why: str | None = None) -> None:
    """Notes what became of a request; one that was done stays so when it is asked for again."""
    connection.execute(
        """
        update billing.invoice_requests
        set state = case when state = 'done' then state else %s end, why = %s, attempts = attempts + 1
        where id = %s""",
        [state, why, request],
    )


def plan(connection: Connection, request: int, wanted: Wanted, *, automatic: bool) -> list[Planned]:
    """Makes the batches of a request, in the caller's transaction: one group each, no more members than the group says.

    Of several messages for one period the one that may be billed is taken. Accounts that another planner or an invoice
    holds at this moment are passed over; so is what is in an open batch, and, unless a person asks for the customer,
    what a person took out.
    """
    connection.execute(
        f"""
        create temporary table planned on commit drop as
        with unbilled as ({UNBILLED}), locked as (
            select id from billing.accounts
            where id in (select row from unbilled) order by id for update skip locked)
        select c.*, row_number() over (
            partition by bill_group order by account, period_start, point, not is_ready, message) as number
        from unbilled as c
        where c.row in (select id from locked) and c.period_end <= %(cut_off)s
          and (c.is_ready or %(selection)s = 'customer')
          and not c.in_batch and (%(selection)s = 'customer' or not c.taken_out)
          and case %(selection)s
            when 'customer' then c.account = any(%(names)s)
                and (%(since)s::date is null or c.period_start >= %(since)s)
                and (%(until)s::date is null or c.period_end <= %(until)s)
            when 'bill_group' then c.bill_group = any(%(names)s)
            when 'transaction_date_867' then (c.arrived_at at time zone 'UTC')::date between %(since)s and %(until)s
            when 'consumption_to' then c.period_end between %(since)s and %(until)s
            else c.bill_group in (
                select y.bill_group from billing.bill_cycles as y
                where y.cycle = any(%(names)s) and y.replaced_at is null and y.valid_from <= %(cut_off)s
                  and (y.valid_until is null or y.valid_until > %(cut_off)s))
            end""",  # noqa: S608
        {
            "cut_off": wanted.cut_off,
            "selection": str(wanted.selection),
            "names": sorted(wanted.names),
            "since": wanted.since,
            "until": wanted.until,
        },
    )
    groups = connection.execute(
        """
        select p.bill_group, (p.number - 1) / coalesce(g.max_batch, 200) as part, min(p.number) as first,
            max(p.number) as last
        from planned as p
        left join billing.bill_groups as g on g.bill_group = p.bill_group and g.replaced_at is null
            and g.valid_from <= %(day)s and (g.valid_until is null or g.valid_until > %(day)s)
        group by 1, 2 order by 1, 2""",
        {"day": wanted.cut_off},
    ).fetchall()
    made = []
    for row in groups:
        batch = _new_batch(connection, request, row["bill_group"], wanted.cut_off, automatic=automatic)
        members = connection.execute(
            """
            insert into billing.batch_members (batch, account, point, period_start, period_end, usage, charges)
            select %s, account, point, period_start, period_end, message, charges from planned
            where bill_group = %s and number between %s and %s order by number
            on conflict do nothing""",
            [batch, row["bill_group"], row["first"], row["last"]],
        ).rowcount
        state = "pending_validation" if members else "released"
        connection.execute(
            "update billing.invoice_batches set selected = %s, state = %s where id = %s", [members, state, batch]
        )
        if members:
            made.append(Planned(batch, row["bill_group"], members))
    connection.execute("drop table planned")
    return made


def _new_batch(
    connection: Connection,
    request: int,
    bill_group: str,
    cut_off: date,
    *,
    automatic: bool,
    retries: int | None = None,
) -> int:
    (row,) = connection.execute(
        """
        insert into billing.invoice_batches (request, bill_group, cut_off, is_automatic, retries)
        values (%s, %s, %s, %s, %s) returning id""",
        [request, bill_group, cut_off, automatic, retries],
    ).fetchall()
    return int(row["id"])


class CorrectionBatch(NamedTuple):
    """The batch of a correction's documents. `member`: what is billed again; None where nothing is."""

    batch: int
    member: int | None


def correction_batch(
    connection: Connection,
    correction: int,
    account: str,
    bill_group: str,
    today: date,
    usage: int | None,
    decision: int | None,
    intervals: tuple[str, date, date] | None = None,
) -> CorrectionBatch:
    """A batch that is being processed, with usage that is billed again as its member, not validated yet: a message, or
    `intervals` of a service point over days. Call in the transaction that completes it."""
    (row,) = connection.execute(
        """
        insert into billing.invoice_requests (selection, parameters, cut_off, source, key, state, decision)
        values ('customer', %s, %s, %s, %s, 'done', %s) returning id""",
        [
            Jsonb({"names": [account], "correction": correction}),
            today,
            "manual" if decision else "automatic",
            f"correction {correction} {uuid4()}",
            decision,
        ],
    ).fetchall()
    (made,) = connection.execute(
        """
        insert into billing.invoice_batches (request, bill_group, cut_off, is_automatic, state, selected)
        values (%s, %s, %s, %s, 'processing', %s) returning id""",
        [row["id"], bill_group, today, decision is None, 0 if usage is None and intervals is None else 1],
    ).fetchall()
    if intervals is not None:
        (member,) = connection.execute(
            """
            insert into billing.batch_members (batch, account, point, period_start, period_end)
            values (%s, %s, %s, %s, %s) returning id""",
            [made["id"], account, *intervals],
        ).fetchall()
        return CorrectionBatch(made["id"], member["id"])
    if usage is None:
        return CorrectionBatch(made["id"], None)
    (member,) = connection.execute(
        """
        insert into billing.batch_members (batch, account, point, period_start, period_end, usage, charges)
        select %s, %s, u.point, u.period_start, u.period_end, u.message, p.charges
        from billing.usage_messages as u
        left join billing.usage_pairs as p on p.usage = u.message and p.state = 'paired'
        where u.message = %s returning id""",
        [made["id"], account, usage],
    ).fetchall()
    return CorrectionBatch(made["id"], member["id"])


def retry(connection: Connection, batch: int, code: str | None = None) -> Planned | None:
    """Puts the failed members of a batch (or those of one code) that are in no other into a new one, linked to it."""
    with connection.transaction():
        old = connection.execute(
            "select request, bill_group, cut_off, is_automatic from billing.invoice_batches where id = %s for update",
            [batch],
        ).fetchone()
        if old is None:
            return None
        new = _new_batch(
            connection,
            old["request"],
            old["bill_group"],
            old["cut_off"],
            automatic=old["is_automatic"],
            retries=batch,
        )
        members = connection.execute(
            """
            insert into billing.batch_members (batch, account, point, channel, period_start, period_end, usage, charges)
            select %(new)s, account, point, channel, period_start, period_end, usage, charges
            from billing.batch_members as m
            where batch = %(old)s and state = 'failed' and (%(code)s::text is null or code = %(code)s)
              and not exists (select from billing.invoiced_usage as i where i.message = m.usage and i.is_live)
            on conflict do nothing""",
            {"new": new, "old": batch, "code": code},
        ).rowcount
        connection.execute(
            "update billing.invoice_batches set selected = %s, state = %s where id = %s",
            [members, "pending_validation" if members else "released", new],
        )
        return Planned(new, old["bill_group"], members) if members else None


def groups(connection: Connection, cut_off: date, names: Sequence[str] = ()) -> list[GroupCount]:
    """Total and billable customers of each bill group, before anything is locked."""
    rows = connection.execute(
        f"""
        with unbilled as ({UNBILLED}), counted as (
            select c.bill_group, count(distinct c.account) filter (where c.is_ready and not c.in_batch) as billable,
                count(distinct c.account) filter (where not c.is_ready) as waiting,
                count(distinct c.account) filter (where c.in_batch) as in_batches
            from unbilled as c
            where c.period_end <= %(cut_off)s group by 1
        ), total as (
            select a.bill_group, count(*) as customers from billing.accounts as a
            where a.replaced_at is null and a.status <> 'ended' and a.valid_from <= %(cut_off)s
              and (a.valid_until is null or a.valid_until > %(cut_off)s) group by 1)
        select g.bill_group, g.name, g.automated, coalesce(t.customers, 0)::int as customers,
            coalesce(c.billable, 0)::int as billable, coalesce(c.waiting, 0)::int as waiting,
            coalesce(c.in_batches, 0)::int as in_batches
        from billing.bill_groups as g
        left join total as t using (bill_group) left join counted as c using (bill_group)
        where g.replaced_at is null and g.valid_from <= %(cut_off)s
          and (g.valid_until is null or g.valid_until > %(cut_off)s)
          and (%(names)s::text[] = '{{}}' or g.bill_group = any(%(names)s))
        order by g.bill_group""",  # noqa: S608
        {"cut_off": cut_off, "names": list(names)},
    )
    return [GroupCount(**row) for row in rows]


def oldest_unbilled(connection: Connection) -> date | None:
    """The end of the period that is unbilled the longest; None where all is billed."""
    (row,) = connection.execute(f"select min(period_end) as oldest from ({UNBILLED}) as u").fetchall()  # noqa: S608
    oldest: date | None = row["oldest"]
    return oldest
