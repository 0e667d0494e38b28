"""The SQL of what validations see: all members of a batch in one statement."""

from collections.abc import Sequence
from datetime import date

from billing_assets.foundation.database.connection import Connection
from billing_assets.invoicing.batches.facts import MemberFacts


def facts_of(
    connection: Connection, batch: int, today: date, members: Sequence[int] | None = None
) -> list[MemberFacts]:
    """The open members of a batch, or these of them, with what is known of each."""
    rows = connection.execute(
        """
        select m.id as member, m.account, m.point, m.period_start, m.period_end, b.cut_off, %(today)s::date as today,
            u.message as usage, coalesce(u.amount, iv.kwh) as kwh, u.state as usage_state,
            coalesce(u.state = 'ready', iv.is_ready, false) as is_ready, coalesce(u.codes, '{}') as usage_codes,
            coalesce(e.waits_for, 'validation has ' || iv.open || ' open findings in its readings') as waits_for,
            coalesce(u.is_estimated, iv.is_estimated, false) as is_estimated,
            coalesce(u.is_final, s.valid_until = m.period_end, false) as is_final,
            u.cancelled_by is not null as is_cancelled, u.replaces is not null as replaces,
            coalesce(u.arrived_at, iv.judged_at) as arrived_at, coalesce(u.content, iv.version) as usage_hash,
            iv.version as intervals,
            coalesce(r.content->>'report_type', '') as report_type,
            coalesce(r.content->'references'->>'NH', '') as rate_class,
            coalesce(r.content->'references'->>'BLT', '') as utility_model,
            coalesce(r.content->'loops', '[]') as loops,
            w.unbilled, w.usage_before,
            (select max(o.period_end) from billing.batch_members as o
             where (o.account, o.point, o.channel) = (m.account, m.point, m.channel) and o.period_end <= m.period_start
               and o.state in ('selected', 'clear', 'held')) as member_before,
            c.message as charges, c.period_start as charges_start, c.period_end as charges_end,
            c.arrived_at as charges_arrived_at, c.content as charges_hash,
            (select count(*) from billing.usage_messages as o
             where o.point = m.point and o.kind = 'charges' and (o.is_live or o.state = 'held') and not o.needs_no_pair
               and (o.period_start, o.period_end) = (m.period_start, m.period_end))::int as charges_alike,
            (select min(o.arrived_at)::date from billing.usage_messages as o
             where o.point = m.point and o.kind = 'charges' and o.state = 'waiting'
               and 'ORPHAN_CHARGES' = any(o.codes)) as orphan_charges_since,
            a.id is not null as has_account, coalesce(a.billing_model, '') as billing_model,
            coalesce(a.customer_class, '') as customer_class, coalesce(a.delivery, '') as delivery,
            coalesce(a.tax_codes, '{}') as tax_codes, a.exempt_until, coalesce(a.address_fault, '') as address_fault,
            coalesce(a.email_bounces, 0) as email_bounces,
            h.until as hold_until, coalesce(h.why, '') as hold_why, coalesce(h.decided_by, '') as hold_by,
            coalesce(g.without_charges, false) as without_charges, coalesce(g.checks_off, '{}') as checks_off,
            coalesce(g.severities, '{}') as severities, ag.tariff, t.id as tariff_version,
            t.id is not null as tariff_used, coalesce(ag.rate_class, '') as agreement_class,
            coalesce(ag.needs_approval, false) as needs_approval, ended.valid_until as agreement_ended,
            s.valid_from as supply_start, s.valid_until as supply_end,
            greatest(
                (select min(o.valid_from) from billing.agreements as o
                 where (o.point, o.account) = (m.point, m.account) and o.replaced_at is null),
                (select min(o.valid_from) from billing.accounts as o
                 where o.account = m.account and o.replaced_at is null)) as billed_since,
            coalesce(sp.zone, 'UTC') as zone,
            coalesce((select array_agg(distinct k.serial) from billing.meters as k
                where k.point = m.point and k.replaced_at is null and k.valid_from < m.period_end
                  and (k.valid_until is null or k.valid_until > m.period_start)), '{}') as known_meters,
            coalesce(l.number, l.invoice::text) as last_number, l.last_end, l.last_days, l.kwh as last_kwh,
            coalesce(l.is_estimated, false) as last_estimated, coalesce(l.account = m.account, false) as last_is_own,
            coalesce(l.history, 0)::int as history, coalesce(l.loops, '[]') as last_loops,
            coalesce(l.zeros, 0)::int as zeros, coalesce(l.estimates, 0)::int as estimates,
            y.days as year_ago_days, y.kwh as year_ago_kwh,
            coalesce((select array_agg(coalesce(v.number, 'draft ' || v.id) order by v.id)
                from billing.invoiced_usage as i join billing.utility_invoices as v on v.id = i.invoice
                where i.stream = st.id and i.is_live and i.days && daterange(m.period_start, m.period_end)), '{}')
                as overlaps
        from billing.batch_members as m
        join billing.invoice_batches as b on b.id = m.batch
        left join billing.usage_messages as u on u.message = m.usage
        left join billing.usage_explained as e on e.message = m.usage
        left join billing.raw_messages as r on r.id = m.usage
        left join lateral (
            select * from billing.interval_periods as o
            where m.usage is null and o.point = m.point and o.begins <= m.period_start and o.ends >= m.period_end
            order by o.begins desc, o.ends limit 1) as iv on true
        left join billing.usage_pairs as p on p.usage = m.usage and p.state = 'paired'
        left join billing.usage_messages as c on c.message = p.charges
        left join billing.accounts as a on a.account = m.account and a.replaced_at is null
            and a.valid_from < m.period_end and (a.valid_until is null or a.valid_until >= m.period_end)
        left join billing.bill_groups as g on g.bill_group = b.bill_group and g.replaced_at is null
            and g.valid_from <= b.cut_off and (g.valid_until is null or g.valid_until > b.cut_off)
        left join billing.agreements as ag on ag.point = m.point and ag.account = m.account and ag.replaced_at is null
            and ag.valid_from < m.period_end and (ag.valid_until is null or ag.valid_until >= m.period_end)
        left join billing.tariff_versions_now as t on t.tariff = ag.tariff and t.is_used
        left join billing.invoiced_streams as st on (st.point, st.channel) = (m.point, m.channel)
        left join billing.service_points as sp on sp.point = m.point and sp.replaced_at is null
            and sp.valid_from < m.period_end and (sp.valid_until is null or sp.valid_until >= m.period_end)
        cross join lateral (
            select max(o.period_end) filter (where o.period_start < m.period_start) as usage_before,
                (count(*) filter (where o.state = 'ready' and not exists (
                    select from billing.invoiced_usage as i
                    where i.message = o.message and i.is_live)))::int as unbilled
            from billing.usage_messages as o
            where o.point = m.point and o.kind = 'usage' and o.purpose <> '01'
              and o.state in ('ready', 'waiting', 'billed', 'restated')) as w
        left join lateral (
            select o.valid_until from billing.agreements as o
            where o.point = m.point and o.account = m.account and o.replaced_at is null and o.valid_until < m.period_end
            order by o.valid_until desc limit 1) as ended on true
        left join lateral (
            select o.valid_from, o.valid_until from billing.supply_periods as o
            where o.point = m.point and o.account = m.account and o.replaced_at is null and o.valid_from < m.period_end
            order by o.valid_from desc limit 1) as s on true
        left join lateral (
            select o.until, d.why, d.decided_by from billing.account_holds as o
            join billing.decisions as d on d.id = o.decision
            where o.account = m.account and o.ended_by is null and o.until > %(today)s
            order by o.until desc limit 1) as h on true
        left join lateral (
            select x.*, q.content->'loops' as loops,
                (select count(*) from unnest(x.run_of_zeros) as z where z) as zeros,
                (select count(*) from unnest(x.run_of_estimates) as z where z) as estimates
            from (
                select (array_agg(w.invoice order by w.last_end desc))[1] as invoice, count(*) as history,
                    (array_agg(w.account order by w.last_end desc))[1] as account,
                    (array_agg(w.number order by w.last_end desc))[1] as number,
                    (array_agg(w.message order by w.last_end desc))[1] as message,
                    (array_agg(w.kwh order by w.last_end desc))[1] as kwh,
                    (array_agg(w.is_estimated order by w.last_end desc))[1] as is_estimated,
                    max(w.last_end) as last_end, (array_agg(w.days order by w.last_end desc))[1] as last_days,
                    array_agg(w.zero_so_far) as run_of_zeros, array_agg(w.estimated_so_far) as run_of_estimates
                from (
                    select i.invoice, v.number, v.account, i.message, i.kwh, v.is_estimated, upper(i.days) as last_end,
                        upper(i.days) - lower(i.days) as days,
                        bool_and(i.kwh = 0) over newest as zero_so_far,
                        bool_and(v.is_estimated) over newest as estimated_so_far
                    from (
                        select * from billing.invoiced_usage as n
                        where n.stream = st.id and n.is_live and upper(n.days) <= m.period_start
                        order by upper(n.days) desc limit 13) as i
                    join billing.utility_invoices as v on v.id = i.invoice
                    window newest as (order by upper(i.days) desc)
                ) as w
            ) as x
            left join billing.raw_messages as q on q.id = x.message
            where x.invoice is not null) as l on true
        left join lateral (
            select upper(i.days) - lower(i.days) as days, i.kwh from billing.invoiced_usage as i
            join billing.utility_invoices as v on v.id = i.invoice and v.account = m.account
            where i.stream = st.id and i.is_live
              and i.days @> ((m.period_end - 1) - interval '1 year')::date limit 1) as y on true
        where m.batch = %(batch)s and m.state in ('selected', 'clear', 'held')
          and (%(members)s::bigint[] is null or m.id = any(%(members)s))
        order by m.id""",
        {"batch": batch, "today": today, "members": None if members is None else list(members)},
    )
    return [MemberFacts(**row) for row in rows]
