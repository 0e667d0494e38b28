"""The SQL of the utility sample's bills: what our database has of them. Queries only."""

from datetime import date
from decimal import Decimal
from typing import NamedTuple

from billing_assets.foundation.database.connection import Connection


class Bill(NamedTuple):
    """A bill that was issued and counts."""

    account: str
    point: str
    bill_group: str
    tariff: str
    currency: str
    begins: date
    ends: date
    number: str
    kwh: Decimal
    net: Decimal
    tax: Decimal
    total: Decimal


class Unbilled(NamedTuple):
    """A member that was taken out of its batch or failed. `codes`: why."""

    account: str
    point: str
    begins: date
    ends: date
    state: str
    codes: str


def groups(connection: Connection) -> list[str]:
    """The bill groups."""
    rows = connection.execute(
        "select distinct bill_group from billing.bill_groups where replaced_at is null order by bill_group"
    )
    return [row["bill_group"] for row in rows]


def cut_off(connection: Connection, batch: int) -> date:
    """The day until which a batch is billed."""
    (row,) = connection.execute("select cut_off from billing.invoice_batches where id = %s", [batch])
    found: date = row["cut_off"]
    return found


def with_drafts(connection: Connection) -> list[int]:
    """Batches with drafts that are not issued."""
    rows = connection.execute(
        """
        select distinct batch from billing.utility_invoices
        where state in ('drafted', 'qa_hold', 'approved') and batch is not null order by batch"""
    )
    return [row["batch"] for row in rows]


def held_drafts(connection: Connection, batch: int) -> list[tuple[int, list[str]]]:
    """Drafts of a batch that a check before release holds, with the codes of what it found."""
    rows = connection.execute(
        """
        select i.id, array(
            select q.code from billing.invoice_quality_findings as q
            where q.invoice = i.id and q.severity = 'error' order by q.code) as codes
        from billing.utility_invoices as i where i.batch = %s and i.state = 'qa_hold' order by i.id""",
        [batch],
    )
    return [(row["id"], row["codes"]) for row in rows]


def bills(connection: Connection) -> list[Bill]:
    """Every bill that was issued and counts."""
    rows = connection.execute(
        """
        select i.account, u.point, i.bill_group, i.tariff, i.currency, i.period_start as begins, i.period_end as ends,
            i.number, u.kwh, i.net, i.tax, i.total
        from billing.utility_invoices as i
        join (
            select invoice, min(s.point) as point, sum(x.kwh) as kwh
            from billing.invoiced_usage as x join billing.invoiced_streams as s on s.id = x.stream
            where x.is_live group by invoice) as u on u.invoice = i.id
        where i.state = 'issued' and i.kind = 'invoice' order by i.account, i.period_start"""
    )
    return [Bill(**row) for row in rows]


def unbilled(connection: Connection) -> list[Unbilled]:
    """Members that were taken out of their batch or failed, and whose usage is on no bill."""
    rows = connection.execute(
        """
        select m.account, m.point, m.period_start as begins, m.period_end as ends, m.state,
            coalesce(m.code, m.why, '') as codes
        from billing.batch_members as m
        where m.state in ('taken_out', 'failed') and not exists (
            select from billing.invoiced_usage as i where i.message = m.usage and i.is_live)
        order by m.account, m.period_start"""
    )
    return [Unbilled(**row) for row in rows]


def elsewhere(connection: Connection) -> set[str]:
    """Points that are supplied to an account which billing does not have: another system bills it."""
    rows = connection.execute(
        """
        select s.point from billing.supply_periods as s
        where s.replaced_at is null and not exists (
            select from billing.accounts as a where a.account = s.account and a.replaced_at is null)"""
    )
    return {row["point"] for row in rows}


def months(connection: Connection) -> list[str]:
    """The months of the invoice dates, as YYYY-MM."""
    rows = connection.execute(
        """
        select distinct to_char(invoice_date, 'YYYY-MM') as month from billing.utility_invoices
        where number is not null order by month"""
    )
    return [row["month"] for row in rows]


def issued_totals(connection: Connection) -> dict[str, tuple[int, Decimal]]:
    """Bills and their sum by currency, with cancels."""
    rows = connection.execute(
        """
        select currency, count(*) as bills, sum(total) as total from billing.utility_invoices
        where number is not null group by currency order by currency"""
    )
    return {row["currency"]: (row["bills"], row["total"]) for row in rows}


def unposted(connection: Connection) -> int:
    """Staged bills that are on their way to NetSuite."""
    (row,) = connection.execute(
        """
        select count(*)::int as n from billing.staged_invoices
        where source = 'invoicing' and state in ('ready', 'batched', 'locked', 'posting')"""
    )
    number: int = row["n"]
    return number
