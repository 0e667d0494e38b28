"""What people ask of adjustments: which there are, where each is, and who decided."""

from typing import Any

from billing_assets.foundation.database.connection import Connection


def adjustments(
    connection: Connection, account: str | None = None, *, everything: bool = False
) -> list[dict[str, Any]]:
    """Adjustments by number: what waits or is held, or all. `bill`: on which it is, or what it was posted as."""
    return connection.execute(
        """
        select a.id as adjustment, a.kind, a.account, a.amount, a.currency, a.reason,
            case when b.invoice is not null then 'on_bill' else a.state end as state,
            coalesce(d.number, b.number, 'draft ' || b.invoice) as bill, made.decided_by as maker,
            checked.decided_by as checker, a.since::date::text as since
        from billing.account_adjustments as a
        left join billing.utility_invoices as d on d.id = a.document
        left join billing.decisions as made on made.id = a.decision
        left join billing.decisions as checked on checked.id = a.checked
        left join lateral (
            select i.invoice, v.number
            from billing.invoiced_adjustments as i join billing.utility_invoices as v on v.id = i.invoice
            where i.adjustment = a.id and i.is_live) as b on true
        where (%(account)s::text is null or a.account = %(account)s)
          and (%(everything)s or (a.state in ('waiting', 'open') and b.invoice is null))
        order by a.id""",
        {"account": account, "everything": everything},
    ).fetchall()


def payer(connection: Connection, account: str, day: str) -> dict[str, Any] | None:
    """What a document of an account needs besides its lines: group, issuer, tariff and place on a day; locked."""
    row = connection.execute(
        """
        select a.account, a.bill_group, a.customer_class, a.tax_codes, a.is_taxed, g.issuer, g.currency, g.due_days,
            g.calendar, n.tariff, t.id as tariff_version, coalesce(p.zone, 'UTC') as zone
        from billing.accounts as a
        join billing.bill_groups as g on g.bill_group = a.bill_group and g.replaced_at is null
            and g.valid_from <= %(day)s::date and (g.valid_until is null or g.valid_until > %(day)s::date)
        left join lateral (
            select n.tariff, n.point from billing.agreements as n
            where n.account = a.account and n.replaced_at is null and n.valid_from <= %(day)s::date
            order by coalesce(n.valid_until, 'infinity') desc, n.point limit 1) as n on true
        left join billing.tariff_versions_now as t on t.tariff = n.tariff and t.is_used
        left join billing.service_points as p on p.point = n.point and p.replaced_at is null
            and p.valid_from <= %(day)s::date and (p.valid_until is null or p.valid_until > %(day)s::date)
        where a.account = %(account)s and a.replaced_at is null and a.valid_from <= %(day)s::date
          and (a.valid_until is null or a.valid_until > %(day)s::date)
        for update of a""",
        {"account": account, "day": day},
    ).fetchone()
    return dict(row) if row else None
