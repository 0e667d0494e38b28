"""The SQL of back-casting: invoices that newer versions may change, what was billed of them, and what came of it."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from billing_assets.foundation.database.connection import Connection
from billing_assets.invoicing.back_casting.amounts import Amounts, Part


class Billed(NamedTuple):
    """An issued invoice as it was rated. `series`: the newest versions of its series, by kind and name. `is_closed`:
    the account had its final bill, and there is no next one."""

    id: int
    number: str
    account: str
    currency: str
    tariff: str
    period_start: date
    period_end: date
    rated: dict[str, Any]
    is_closed: bool
    series: Mapping[str, int]

    @property
    def versions(self) -> str:
        """What it is rated with now, as one text."""
        return " ".join(f"{name}={number}" for name, number in self.series.items())


def candidates(connection: Connection, since: date) -> list[int]:
    """Issued invoices of periods that ended after a day, for which a newer version of a series is there; also those
    that were rated again with it."""
    rows = connection.execute(
        """
        select distinct x.invoice from billing.invoice_series as x
        join billing.rating_series as s on (s.kind, s.name) = (x.kind, x.name)
        join billing.utility_invoices as i on i.id = x.invoice
        where i.state = 'issued' and i.kind = 'invoice' and i.period_end > %(since)s and exists (
            select from billing.rating_series_versions as v
            where v.series = s.id and v.number > x.version
              and v.begins_at < (i.period_end + 1)::timestamp at time zone 'UTC'
              and v.ends_at > (i.period_start - 1)::timestamp at time zone 'UTC')
        order by invoice""",
        {"since": since},
    )
    return [row["invoice"] for row in rows]


def billed(connection: Connection, invoice: int) -> Billed | None:
    """An invoice, locked; None where it is not issued any more, was rated again with these versions, or was made of
    intervals that changed since: these are corrected first."""
    row = connection.execute(
        """
        select i.id, i.number, i.account, i.currency, i.tariff, i.period_start, i.period_end, i.rated,
            i.is_final or exists (
                select from billing.utility_invoices as f
                where f.account = i.account and f.is_final and f.state = 'issued' and f.period_end >= i.period_end
                  and not exists (
                    select from billing.supply_periods as o where o.account = i.account and o.replaced_at is null
                      and (o.valid_until is null or o.valid_until > f.period_end))) as is_closed
        from billing.utility_invoices as i
        where i.id = %s and i.state = 'issued' and not exists (
            select from billing.invoiced_usage as u
            join billing.invoiced_streams as t on t.id = u.stream
            join billing.interval_periods as p on p.point = t.point and p.begins <= i.period_start
                and p.ends >= i.period_end and p.version <> u.version
            where u.invoice = i.id and u.is_live and u.message is null)
        for update of i""",
        [invoice],
    ).fetchone()
    if row is None:
        return None
    series = connection.execute(
        """
        select x.kind || ':' || x.name as name, max(v.number) as number
        from billing.invoice_series as x join billing.rating_series as s on (s.kind, s.name) = (x.kind, x.name)
        join billing.rating_series_versions as v on v.series = s.id
        where x.invoice = %s group by 1 order by 1""",
        [invoice],
    )
    found = Billed(**row, series={one["name"]: one["number"] for one in series})
    done = connection.execute(
        "select from billing.back_casts where (invoice, versions) = (%s, %s)", [invoice, found.versions]
    ).fetchone()
    return found if done is None else None


def trued_up(connection: Connection, invoice: int) -> Amounts:
    """What true-ups billed of an invoice, and of those that it replaces."""
    rows = connection.execute(
        """
        with recursive chain as (
            select id, replaces from billing.utility_invoices where id = %s
            union select i.id, i.replaces from billing.utility_invoices as i join chain as c on i.id = c.replaces)
        select one->>'group' as part, one->>'tax_category' as category,
            sum((one->>'quantity')::numeric * (one->>'price')::numeric) as amount
        from billing.back_casts as b join billing.account_adjustments as a on a.id = b.adjustment
        cross join json_array_elements(a.lines) as one
        where b.invoice in (select id from chain) and a.state <> 'withdrawn' group by 1, 2""",
        [invoice],
    )
    found: dict[Part, Decimal] = defaultdict(Decimal)
    for row in rows:
        found[Part(row["part"], row["category"])] += row["amount"]
    return found


def note(
    connection: Connection,
    billed: Billed,
    old: Decimal,
    new: Decimal,
    outcome: str,
    adjustment: int | None,
) -> int:
    """Writes what came of an invoice down for good. Its number."""
    (row,) = connection.execute(
        """
        insert into billing.back_casts (invoice, versions, old_amount, new_amount, outcome, adjustment)
        values (%s, %s, %s, %s, %s, %s) returning id""",
        [billed.id, billed.versions, old, new, outcome, adjustment],
    ).fetchall()
    return int(row["id"])


def to_rebill(connection: Connection) -> list[dict[str, Any]]:
    """Invoices that are to be cancelled and billed again, the oldest first."""
    return connection.execute(
        """
        select back_cast, number, account, change, noted_at::date::text as since
        from billing.back_casts_to_rebill order by back_cast"""
    ).fetchall()
