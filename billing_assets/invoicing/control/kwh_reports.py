"""Where every kWh of a month is: each row of usage with the one place that explains it. Queries only."""

from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from billing_assets.foundation.database.connection import Connection
from billing_assets.invoicing.batches.planning_store import UNBILLED

_UNITS = f"""
    with findable as materialized (
        select f.message, f.point, f.period_start, f.period_end from ({UNBILLED}) as f
    ), units as (
        select u.message, null::text as version, u.point, u.period_start as begins, u.period_end as ends,
            u.amount as kwh, u.state, coalesce(u.codes[1], '') as code, u.since,
            exists (
                select from billing.usage_candidates as r join billing.invoiced_usage as i on i.message = r.original
                where r.kind = 'rebill' and r.message = u.message and r.state <> 'withdrawn') as is_correction
        from billing.usage_messages as u
        where u.kind = 'usage' and u.purpose <> '01'
          and u.state in ('accepted', 'held', 'waiting', 'ready', 'billed')
          and coalesce(u.period_start, u.since::date) >= %(first)s
          and coalesce(u.period_start, u.since::date) < %(until)s
        union all
        select null, v.version, v.point, v.begins, v.ends, v.kwh, case when v.is_ready then 'ready' else 'held' end,
            case when v.is_ready then '' else 'VALIDATION' end, v.judged_at, false
        from billing.interval_periods as v
        where v.begins >= %(first)s and v.begins < %(until)s and not exists (
            select from billing.usage_messages as o
            where o.point = v.point and o.kind = 'usage' and o.period_start < v.ends and o.period_end > v.begins)
    ), known as (
        select u.*, i.days as billed, coalesce(i.kwh, 0) as billed_kwh, i.same_version,
            coalesce(i.many, 0) as invoices, m.days as open, m.states as open_states,
            l.state as last_state, l.code as last_code, l.since as last_since, l.decided_by, l.why as decided_why,
            e.issuer, c.reason as cancelled_why, c.ended_at as cancelled_at,
            case when u.begins is null or u.ends is null or u.begins >= u.ends then i.many > 0
                else coalesce(i.days @> daterange(u.begins, u.ends), false) end as is_whole,
            exists (
                select from findable as f where case when u.message is not null then f.message = u.message
                    else f.message is null and f.point = u.point and f.period_start < u.ends
                        and f.period_end > u.begins end) as is_found,
            exists (
                select from billing.supply_periods as s
                join billing.accounts as a on a.account = s.account and a.replaced_at is null
                    and a.valid_from < u.ends and (a.valid_until is null or a.valid_until >= u.ends)
                where s.point = u.point and s.replaced_at is null and s.valid_from < u.ends) as has_account
        from units as u
        left join lateral (
            select range_agg(x.days) as days, sum(x.kwh) as kwh, count(*)::int as many,
                bool_and(x.version is not distinct from u.version) as same_version
            from (
                select i.days, i.kwh, null as version from billing.invoiced_usage as i
                where i.message = u.message and i.is_live
                union all
                select i.days, i.kwh, i.version
                from billing.invoiced_streams as s join billing.invoiced_usage as i on i.stream = s.id
                where u.message is null and (s.point, s.channel) = (u.point, 'general') and i.is_live
                  and i.days && daterange(u.begins, u.ends)) as x) as i on true
        left join lateral (
            select range_agg(daterange(x.period_start, x.period_end)) as days,
                string_agg(distinct b.state, ', ' order by b.state) as states
            from (
                select o.batch, o.period_start, o.period_end from billing.batch_members as o
                where o.usage = u.message and o.state in ('selected', 'clear', 'held')
                union all
                select o.batch, o.period_start, o.period_end from billing.batch_members as o
                where u.message is null and o.usage is null and o.point = u.point
                  and o.state in ('selected', 'clear', 'held')
                  and o.period_start < u.ends and o.period_end > u.begins) as x
            join billing.invoice_batches as b on b.id = x.batch) as m on true
        left join lateral (
            select x.state, x.code, x.since, d.decided_by, d.why
            from (
                select o.id, o.state, o.code, o.since, o.decision from billing.batch_members as o
                where o.usage = u.message
                union all
                select o.id, o.state, o.code, o.since, o.decision from billing.batch_members as o
                where u.message is null and o.usage is null and o.point = u.point
                  and o.account in (
                    select s.account from billing.supply_periods as s
                    where s.point = u.point and s.replaced_at is null)
                  and o.period_start < u.ends and o.period_end > u.begins) as x
            left join billing.decisions as d on d.id = x.decision
            order by x.id desc limit 1) as l on true
        left join lateral (
            select b.issuer from billing.billed_elsewhere as b
            where b.point = u.point and b.replaced_at is null and b.valid_from < u.ends
              and (b.valid_until is null or b.valid_until > u.begins) limit 1) as e on true
        left join lateral (
            select c.reason, c.ended_at
            from billing.invoiced_usage as i
            join billing.utility_invoices as v on v.id = i.invoice and v.state = 'cancelled'
            join billing.invoice_corrections as c on c.original = v.id and c.outcome = 'cancelled'
            where i.message = u.message order by c.id desc limit 1) as c on true
    ), placed as (
        select k.*, k.invoices > 1 and k.message is not null or coalesce(k.billed && k.open, false)
                or (k.issuer is not null and (k.invoices > 0 or k.open is not null)) as is_double,
            case
                when k.open is not null then 'in_batch'
                when k.issuer is not null then 'billed_elsewhere'
                when k.is_correction then 'correction'
                when k.last_state = 'taken_out' then 'taken_out'
                when k.state in ('accepted', 'held', 'waiting') then 'waiting'
                when k.state = 'billed' and k.cancelled_why is not null then 'cancelled'
                when k.state = 'ready' and (k.is_found or not k.has_account) then 'waiting'
                else 'unexplained' end as rest
        from known as k
    ), places as (
        select date_trunc('month', coalesce(p.begins, p.since::date))::date as month, p.message, p.point, p.begins,
            p.ends, p.state, p.is_double, w.place, w.kwh, w.is_row, w.why, w.since
        from placed as p
        cross join lateral (
            select 'invoiced' as place, p.billed_kwh as kwh, true as is_row,
                concat_ws('; ', case when p.is_double and p.invoices > 1 then p.invoices || ' invoices' end,
                    case when p.is_double and p.open is not null then 'also in a batch: ' || p.open_states end,
                    case when p.issuer is not null then 'also billed by ' || p.issuer end) as why,
                null::timestamptz as since
            where p.invoices > 0
            union all
            select 'changed_since', p.kwh - p.billed_kwh, false, 'CHANGED_SINCE_BILLED', p.since
            where p.is_whole and p.kwh <> p.billed_kwh and p.message is null and not p.same_version
            union all
            select 'unexplained', p.kwh - p.billed_kwh, false, 'another quantity than its invoice', p.since
            where p.is_whole and p.kwh <> p.billed_kwh and (p.message is not null or p.same_version)
            union all
            select p.rest, p.kwh - p.billed_kwh, p.invoices = 0,
                case p.rest
                    when 'in_batch' then p.open_states
                    when 'billed_elsewhere' then p.issuer
                    when 'taken_out' then coalesce(p.decided_by || ': ' || p.decided_why, '')
                    when 'cancelled' then p.cancelled_why
                    when 'correction' then coalesce((
                        select coalesce(c.outcome, c.code, c.state) from billing.invoice_corrections as c
                        where c.message = p.message order by c.id desc limit 1), 'asked for')
                    when 'waiting' then case
                        when p.state <> 'ready' then coalesce(nullif(p.code, ''), 'NOT_SETTLED')
                        when not p.has_account then 'ACCOUNT_UNKNOWN'
                        when p.last_state = 'failed' then p.last_code
                        else 'READY' end
                    else case p.state when 'ready' then 'ready, and no request finds it'
                        else 'billed, and on no invoice' end end,
                case p.rest when 'cancelled' then p.cancelled_at when 'in_batch' then p.last_since
                    when 'taken_out' then p.last_since else p.since end
            where not p.is_whole) as w
    )
"""  # noqa: S608


class Place(NamedTuple):
    """Usage of a month in one place, for one reason. `rows`: rows of usage, each in one place; `kwh` exact."""

    month: date
    place: str
    why: str
    rows: int
    kwh: Decimal
    since: date | None


class Wrong(NamedTuple):
    """A row of usage that is in no explained place, or in two."""

    point: str
    begins: date | None
    ends: date | None
    place: str
    why: str
    kwh: Decimal
    is_double: bool


def places(connection: Connection, first: date, until: date) -> list[Place]:
    """All usage whose period begins from `first` until before `until`, by month, place and reason."""
    rows = connection.execute(
        f"""{_UNITS}
        select month, place, why, count(*) filter (where is_row)::int as rows, sum(kwh) as kwh,
            min(since)::date as since
        from places group by 1, 2, 3 order by 1, 2, 3""",  # noqa: S608
        {"first": first, "until": until},
    )
    return [Place(**row) for row in rows]


def wrong(connection: Connection, first: date, until: date, most: int = 200) -> list[Wrong]:
    """What is not explained, or is in two places."""
    rows = connection.execute(
        f"""{_UNITS}
        select point, begins, ends, place, why, kwh, is_double from places
        where is_double or place = 'unexplained' order by month, point, begins, place limit %(most)s""",  # noqa: S608
        {"first": first, "until": until, "most": most},
    )
    return [Wrong(**row) for row in rows]


def metered(connection: Connection, first: date, until: date) -> dict[date, Decimal]:
    """kWh by month as metering has them, whatever became of them."""
    rows: list[dict[str, Any]] = connection.execute(
        """
        select month, sum(kwh) as kwh from (
            select date_trunc('month', coalesce(period_start, since::date))::date as month, amount as kwh
            from billing.usage_messages
            where kind = 'usage' and purpose <> '01' and state in ('accepted', 'held', 'waiting', 'ready', 'billed')
            union all
            select date_trunc('month', v.begins)::date, v.kwh from billing.interval_periods as v
            where not exists (
                select from billing.usage_messages as o
                where o.point = v.point and o.kind = 'usage' and o.period_start < v.ends
                  and o.period_end > v.begins)) as m
        where month >= %s and month < %s group by 1""",
        [first, until],
    ).fetchall()
    return {row["month"]: row["kwh"] for row in rows}


def superseded(connection: Connection, first: date, until: date) -> dict[date, tuple[int, Decimal]]:
    """Live invoices by month of usage that has a newer version: rows and kWh. A correction is due or was not needed."""
    rows = connection.execute(
        """
        select date_trunc('month', lower(i.days))::date as month, count(*)::int as rows, sum(i.kwh) as kwh
        from billing.invoiced_usage as i join billing.usage_messages as u on u.message = i.message
        where i.is_live and lower(i.days) >= %s and lower(i.days) < %s
          and u.state not in ('accepted', 'held', 'waiting', 'ready', 'billed')
        group by 1""",
        [first, until],
    )
    return {row["month"]: (row["rows"], row["kwh"]) for row in rows}
