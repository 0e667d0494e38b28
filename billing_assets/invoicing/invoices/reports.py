"""What the room reads: what a member is invoiced from, drafts of a batch, and what checks before release compare."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from billing_assets.foundation.database.connection import Connection


def invoicing_facts(connection: Connection, member: int) -> dict[str, Any] | None:
    """Account, agreement, group and tariff of a member, the account locked until the transaction ends."""
    row = connection.execute(
        """
        select m.id as member, m.batch, m.channel, b.bill_group, b.cut_off, q.source,
            a.customer_class, a.tax_codes, a.is_taxed, a.billing_model,
            g.issuer, g.currency, g.ceiling, g.due_days, coalesce(g.without_charges, false) as without_charges,
            n.tariff, n.valid_from as agreed_from, n.valid_until as agreed_until, t.id as tariff_version,
            coalesce(p.zone, 'UTC') as zone, coalesce(n.channels, '{}') as channels,
            coalesce(n.calendar, g.calendar) as calendar
        from billing.batch_members as m
        join billing.invoice_batches as b on b.id = m.batch
        join billing.invoice_requests as q on q.id = b.request
        join billing.accounts as a on a.account = m.account and a.replaced_at is null and a.valid_from < m.period_end
            and (a.valid_until is null or a.valid_until >= m.period_end)
        left join billing.bill_groups as g on g.bill_group = b.bill_group and g.replaced_at is null
            and g.valid_from <= b.cut_off and (g.valid_until is null or g.valid_until > b.cut_off)
        left join billing.agreements as n on n.point = m.point and n.account = m.account and n.replaced_at is null
            and n.valid_from < m.period_end and (n.valid_until is null or n.valid_until >= m.period_end)
        left join billing.tariff_versions_now as t on t.tariff = n.tariff and t.is_used
        left join billing.service_points as p on p.point = m.point and p.replaced_at is null
            and p.valid_from < m.period_end and (p.valid_until is null or p.valid_until >= m.period_end)
        where m.id = %s for update of a""",
        [member],
    ).fetchone()
    return dict(row) if row else None


def next_clear(connection: Connection, batch: int) -> int | None:
    """The first member of a batch that is to be invoiced, locked."""
    row = connection.execute(
        """
        select id from billing.batch_members where batch = %s and state = 'clear' order by id limit 1 for update""",
        [batch],
    ).fetchone()
    return int(row["id"]) if row else None


def documents_today(connection: Connection, account: str, today: date) -> int:
    """Documents that were made for an account on a day of UTC, discarded ones too."""
    (row,) = connection.execute(
        """
        select count(*)::int as many from billing.utility_invoices
        where account = %s and rated_at >= %s::date::timestamp at time zone 'UTC'
          and rated_at < (%s::date + 1)::timestamp at time zone 'UTC'""",
        [account, today, today],
    ).fetchall()
    return int(row["many"])


def earlier_totals(connection: Connection, account: str, before: date, many: int = 12) -> list[str]:
    """Totals of an account's last bills, the oldest first."""
    rows = connection.execute(
        """
        select total from billing.utility_invoices
        where account = %s and period_end <= %s and state = 'issued' and kind = 'invoice'
        order by period_end desc limit %s""",
        [account, before, many],
    ).fetchall()
    return [f"{row['total']:f}" for row in reversed(rows)]


def taken_by(connection: Connection, point: str, channel: str, begin: date, end: date) -> str:
    """The number of a live invoice that has days of a period, or `draft` and its id."""
    row = connection.execute(
        """
        select coalesce(v.number, 'draft ' || v.id) as number
        from billing.invoiced_usage as i join billing.invoiced_streams as s on s.id = i.stream
        join billing.utility_invoices as v on v.id = i.invoice
        where (s.point, s.channel) = (%s, %s) and i.is_live and i.days && daterange(%s, %s) limit 1""",
        [point, channel, begin, end],
    ).fetchone()
    return str(row["number"]) if row else "unknown"


def drafts(connection: Connection, batch: int, *states: str) -> list[dict[str, Any]]:
    """Invoices of a batch in these states, locked, with what they are to be issued with."""
    return connection.execute(
        """
        select i.id, i.member, i.account, i.issuer, i.bill_group, i.state, i.period_end,
            coalesce(g.due_days, 16) as due_days, g.calendar,
            not exists (
                select from billing.invoiced_usage as u
                join billing.invoiced_streams as s on s.id = u.stream
                where u.invoice = i.id and u.message is null and not exists (
                    select from billing.interval_periods as p
                    where p.point = s.point and p.version = u.version and p.is_ready)) as is_valid,
            array(select u.message from billing.invoiced_usage as u where u.invoice = i.id and u.message is not null)
                || array(select c.message from billing.invoiced_charges as c where c.invoice = i.id) as messages
        from billing.utility_invoices as i
        join billing.invoice_batches as b on b.id = i.batch
        left join billing.bill_groups as g on g.bill_group = i.bill_group and g.replaced_at is null
            and g.valid_from <= b.cut_off and (g.valid_until is null or g.valid_until > b.cut_off)
        where i.batch = %s and i.state = any(%s) order by i.issuer, i.id for update of i""",
        [batch, list(states)],
    ).fetchall()


def billed_again(connection: Connection, rebills: Sequence[int]) -> set[int]:
    """Usage and charges on these rebills that are billed, and were on an invoice that is cancelled."""
    rows = connection.execute(
        """
        select on_it.message
        from billing.utility_invoices as i
        cross join lateral (
            select u.message from billing.invoiced_usage as u where u.invoice = i.id and u.message is not null
            union all select c.message from billing.invoiced_charges as c where c.invoice = i.id) as on_it
        join billing.usage_messages as m on m.message = on_it.message and m.state = 'billed'
        where i.id = any(%s) and i.replaces is not null""",
        [list(rebills)],
    )
    return {row["message"] for row in rows}


def invoice(connection: Connection, number: int) -> dict[str, Any] | None:
    """An invoice with its state, locked."""
    row = connection.execute(
        "select id, batch, member, state, number from billing.utility_invoices where id = %s for update", [number]
    ).fetchone()
    return dict(row) if row else None


def quality_facts(connection: Connection, batch: int) -> Sequence[dict[str, Any]]:
    """What the checks before release compare, for each draft of a batch.

    `last_count`, `last_sum`: the account's bills that end with its last one. `year_ago`: the bill of the same day a
    year ago. `receivable`: what receivables last read of the account, where something is carried forward.
    """
    return connection.execute(
        """
        with charges as materialized (
            select v.id, array_agg(c->>'code') filter (where c->>'kind' like 'fixed%%') as fixed,
                coalesce(array_agg(c->>'code') filter (where c->>'kind' = 'feed_in'), '{}') as feed_in,
                array_agg(c->>'code') filter (where coalesce(c->>'net', 'none') <> 'none') as netted
            from billing.tariff_versions as v, json_array_elements(v.content->'charges') as c
            where v.id in (
                select o.tariff_version from billing.utility_invoices as o
                where o.batch = %(batch)s and o.state = 'drafted')
            group by v.id)
        select i.id as invoice, i.account, i.period_start, i.period_end, i.net, i.tax, i.total, i.is_final,
            i.is_estimated, i.tariff_version, i.correction is not null or i.replaces is not null as is_correction,
            i.balance_forward, case when i.balance_forward = 0 then 0 else coalesce((
                select sum(o.open_amount) from billing.open_receivables as o
                where o.customer = i.account and o.currency = i.currency), 0) end as receivable,
            a.customer_class, a.is_taxed, a.exempt_until, a.language, a.address_since, g.ceiling,
            coalesce(g.due_days, 16) as due_days, g.calendar, coalesce(g.checks_off, '{}') as checks_off,
            coalesce(g.severities, '{}') as severities, u.kwh, u.points,
            coalesce(l.energy, 0) as energy, coalesce(l.fixed, 0)::int as fixed, coalesce(l.feed_in, 0)::int as feed_in,
            coalesce(cardinality(k.fixed), 0) as fixed_charges,
            l.first_day, l.last_day, coalesce(l.points, 0)::int as billed_points,
            coalesce(c.charges, 0) as passthrough,
            h.bills::int as bills, h.mean, h.last_version, h.last_dated, h.year_ago, h.last_count::int as last_count,
            h.last_sum, exists (
                select from billing.utility_invoices as o
                where o.account = i.account and o.period_end = i.period_end and o.total = i.total and o.id <> i.id
                  and o.kind = 'invoice' and o.state in ('drafted', 'qa_hold', 'approved', 'issued')) as is_twice
        from billing.utility_invoices as i
        left join charges as k on k.id = i.tariff_version
        left join billing.accounts as a on a.account = i.account and a.replaced_at is null
            and a.valid_from < i.period_end and (a.valid_until is null or a.valid_until >= i.period_end)
        join billing.invoice_batches as b on b.id = i.batch
        left join billing.bill_groups as g on g.bill_group = i.bill_group and g.replaced_at is null
            and g.valid_from <= b.cut_off and (g.valid_until is null or g.valid_until > b.cut_off)
        cross join lateral (
            select coalesce(sum(x.kwh), 0) as kwh, count(*)::int as points
            from billing.invoiced_usage as x where x.invoice = i.id) as u
        left join lateral (
            select sum(abs(n.amount)) filter (where n.unit = 'kWh' and n.code <> all(k.feed_in)) as energy,
                count(*) filter (where n.code = any(k.fixed)) as fixed,
                count(*) filter (where n.amount < 0 and n.code = any(k.feed_in || k.netted)) as feed_in,
                min(n.period_start) as first_day, max(n.period_end) as last_day,
                count(distinct n.point) filter (where n.point <> '') as points
            from billing.utility_invoice_lines as n where n.invoice = i.id) as l on true
        left join lateral (
            select sum(x.total) as charges from billing.invoiced_charges as x where x.invoice = i.id) as c on true
        cross join lateral (
            select count(*) as bills, avg(o.total) as mean,
                (array_agg(o.tariff_version order by o.period_end desc))[1] as last_version,
                max(o.invoice_date) as last_dated, count(*) filter (where o.period_end = o.newest) as last_count,
                sum(o.total) filter (where o.period_end = o.newest) as last_sum,
                max(o.total) filter (
                    where o.period_start <= o.day_a_year_ago and o.period_end > o.day_a_year_ago) as year_ago
            from (
                select p.total, p.period_start, p.period_end, p.tariff_version, p.invoice_date,
                    max(p.period_end) over () as newest,
                    ((i.period_end - 1) - interval '1 year')::date as day_a_year_ago
                from billing.utility_invoices as p
                where p.account = i.account and p.period_end <= i.period_start and p.state = 'issued'
                  and p.kind = 'invoice'
                order by p.period_end desc limit 13) as o) as h
        where i.batch = %(batch)s and i.state = 'drafted' order by i.id""",
        {"batch": batch},
    ).fetchall()


def issued_of(connection: Connection, bill_group: str, most: int) -> int:
    """How many invoices of a group have a number; counted no further than `most`."""
    (row,) = connection.execute(
        """
        select count(*)::int as many from (
            select from billing.utility_invoices where bill_group = %s and number is not null limit %s) as i""",
        [bill_group, most],
    ).fetchall()
    return int(row["many"])


def drawn(connection: Connection, batch: int) -> list[int]:
    """Drafts of a batch that were drawn for review, or warned of, and that no one has reviewed yet."""
    rows = connection.execute(
        """
        select distinct q.invoice from billing.invoice_quality_findings as q
        join billing.utility_invoices as i on i.id = q.invoice
        where i.batch = %s and i.state in ('drafted', 'qa_hold', 'approved') and q.decision is null
          and (q.severity = 'warning' or q.code = 'QA_SAMPLE') order by q.invoice""",
        [batch],
    )
    return [row["invoice"] for row in rows]


def needs_review(connection: Connection, batch: int) -> bool:
    """Whether a batch is issued only when its sample was reviewed."""
    row = connection.execute(
        """
        select g.review_samples from billing.invoice_batches as b
        join billing.bill_groups as g on g.bill_group = b.bill_group and g.replaced_at is null
            and g.valid_from <= b.cut_off and (g.valid_until is null or g.valid_until > b.cut_off)
        where b.id = %s""",
        [batch],
    ).fetchone()
    return bool(row and row["review_samples"])


class Reviewed(NamedTuple):
    """What was found in an invoice before its release, and who looked at it; `reviewed_by` null: no one yet."""

    invoice: int
    number: str | None
    account: str
    state: str
    code: str
    severity: str
    sentence: str
    reviewed_by: str | None
    why: str | None
    reviewed_at: datetime | None


def quality(connection: Connection, batch: int) -> list[Reviewed]:
    """All that was found in the drafts of a batch, before and after its release."""
    rows = connection.execute(
        """
        select q.invoice, i.number, i.account, i.state, q.code, q.severity, q.sentence, d.decided_by as reviewed_by,
            d.why, d.decided_at as reviewed_at
        from billing.invoice_quality_findings as q join billing.utility_invoices as i on i.id = q.invoice
        left join billing.decisions as d on d.id = q.decision
        where i.batch = %s
        order by array_position(array['error', 'warning', 'info'], q.severity), q.invoice, q.code""",
        [batch],
    )
    return [Reviewed(**row) for row in rows]


def open_errors(connection: Connection, invoices: Sequence[int]) -> set[int]:
    """Which of these invoices have an error of the checks before release that no one let go."""
    rows = connection.execute(
        """
        select distinct invoice from billing.invoice_quality_findings
        where invoice = any(%s) and severity = 'error' and decision is null""",
        [list(invoices)],
    )
    return {row["invoice"] for row in rows}


def invoices(connection: Connection, batch: int) -> list[dict[str, Any]]:
    """The invoices of a batch for people."""
    return connection.execute(
        """
        select i.id as invoice, i.account, i.state, i.number, i.period_start::text, i.period_end::text, i.net, i.tax,
            i.total, i.currency, i.due_date::text,
            array(select q.code from billing.invoice_quality_findings as q
                where q.invoice = i.id and q.decision is null and q.severity <> 'info' order by q.code) as quality
        from billing.utility_invoices as i where i.batch = %s order by i.id""",
        [batch],
    ).fetchall()


def exemptions(connection: Connection, account: str, begin: date, end: date) -> list[dict[str, Any]]:
    """An account's exemptions from taxes; rating reports one that ended shortly before the period."""
    return connection.execute(
        """
        select tax, percent, certificate, valid_from, valid_until from billing.tax_exemptions
        where account = %s and replaced_at is null and valid_from < %s
          and (valid_until is null or valid_until > %s::date - 400)
        order by tax, valid_from""",
        [account, end, begin],
    ).fetchall()


def demand_history(connection: Connection, point: str, before: date, months: int = 36) -> list[dict[str, Any]]:
    """What issued bills of a service point measured as demand, the oldest first, as a rating case has it."""
    rows = connection.execute(
        """
        select l.code, l.period_start, l.period_end,
            max((i.rated->'answer'->'evidence'->(l.detail->>'evidence')::int->>'measured')::numeric) as measured
        from billing.invoiced_streams as s
        join billing.invoiced_usage as u on u.stream = s.id and u.is_live and upper(u.days) <= %(before)s
            and upper(u.days) > %(before)s - make_interval(months => %(months)s)
        join billing.utility_invoices as i on i.id = u.invoice and i.state = 'issued'
        join billing.utility_invoice_lines as l on l.invoice = i.id and l.point = s.point
        where s.point = %(point)s and l.detail->>'evidence' is not null
          and i.rated->'answer'->'evidence'->(l.detail->>'evidence')::int->>'measured' is not null
        group by 1, 2, 3 order by 2, 1""",
        {"point": point, "before": before, "months": months},
    )
    return [
        {
            "service_point": point,
            "charge": row["code"],
            "from": row["period_start"].isoformat(),
            "to": row["period_end"].isoformat(),
            "measured": f"{row['measured']:f}",
        }
        for row in rows
    ]


def validated_versions(connection: Connection, point: str, begin: date, end: date) -> set[int]:
    """The versions of readings that the last validation of a period judged."""
    rows = connection.execute(
        """
        select distinct unnest(v.versions) as version
        from billing.validated_periods as v join billing.streams as s on s.id = v.stream
        where s.point = %s and s.register = '' and v.begins <= %s and v.ends >= %s""",
        [point, begin, end],
    )
    return {row["version"] for row in rows}
