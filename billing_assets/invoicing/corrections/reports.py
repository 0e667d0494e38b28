"""What corrections read: issued invoices with what is on them, and what was billed of them."""

from collections.abc import Collection
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from billing_assets.foundation.database.connection import Connection

Amounts = tuple[list[tuple[str, Decimal]], list[tuple[str, Decimal]]]
"""Codes and amounts of the lines of an invoice, and of its taxes, in their order."""


class Original(NamedTuple):
    """An issued invoice, or one that was cancelled. `usage`, `charges`: the messages on it."""

    id: int
    number: str
    state: str
    account: str
    bill_group: str
    currency: str
    tariff: str
    tariff_version: int
    period_start: date
    period_end: date
    is_estimated: bool
    net: Decimal
    tax: Decimal
    total: Decimal
    point: str
    usage: int | None
    charges: int | None

    @property
    def messages(self) -> list[int]:
        """The messages on it."""
        return [one for one in (self.usage, self.charges) if one is not None]


_ORIGINAL = """
    select i.id, i.number, i.state, i.account, i.bill_group, i.currency, i.tariff, i.tariff_version, i.period_start,
        i.period_end, i.is_estimated, i.net, i.tax, i.total, s.point, u.message as usage, c.message as charges
    from billing.utility_invoices as i
    join lateral (
        select message, stream, days from billing.invoiced_usage
        where invoice = i.id order by is_live desc, replaced_by is null desc limit 1) as u on true
    join billing.invoiced_streams as s on s.id = u.stream
    left join lateral (
        select message from billing.invoiced_charges
        where invoice = i.id order by is_live desc, replaced_by is null desc limit 1) as c on true
    where i.kind = 'invoice' and i.number is not null
"""


def by_number(connection: Connection, number: str, *, locked: bool = True) -> Original | None:
    """The invoice of this number."""
    lock = "for update of i" if locked else ""
    row = connection.execute(f"{_ORIGINAL} and i.number = %s {lock}", [number]).fetchone()
    return Original(**row) if row else None


def with_messages(connection: Connection, messages: Collection[int]) -> list[Original]:
    """Issued invoices that have these messages of usage or charges, locked, in the order of their ids."""
    rows = connection.execute(
        f"""
        {_ORIGINAL} and i.id in (
            select invoice from billing.invoiced_usage where message = any(%(messages)s)
            union select invoice from billing.invoiced_charges where message = any(%(messages)s))
        order by i.id for update of i""",  # noqa: S608  a constant
        {"messages": list(messages)},
    )
    return [Original(**row) for row in rows]


def of_days(connection: Connection, point: str, begin: date, end: date) -> list[Original]:
    """Issued invoices that have days of a period of a service point, locked, in the order of their ids."""
    rows = connection.execute(
        f"""
        {_ORIGINAL} and i.state = 'issued' and s.point = %s and exists (
            select from billing.invoiced_usage as d
            where d.invoice = i.id and d.is_live and d.days && daterange(%s, %s))
        order by i.id for update of i""",
        [point, begin, end],
    )
    return [Original(**row) for row in rows]


def series_versions(connection: Connection, invoice: int) -> dict[tuple[str, str], int]:
    """The versions of the series that an invoice was rated with, by `price_series` or `profiles` and name."""
    rows = connection.execute(
        """
        select k.kind, series.key as name, (series.value->>'version')::int as version
        from billing.utility_invoices as i
        cross join unnest(array['price_series', 'profiles']) as k (kind)
        cross join lateral json_each(coalesce(i.rated->'case'->'context'->k.kind, '{}')) as series
        where i.id = %s""",
        [invoice],
    )
    return {(row["kind"], row["name"]): row["version"] for row in rows}


def amounts(connection: Connection, invoice: int) -> Amounts:
    """What an invoice charges."""
    lines = connection.execute(
        "select code, amount from billing.utility_invoice_lines where invoice = %s order by position", [invoice]
    ).fetchall()
    taxes = connection.execute(
        "select code, amount from billing.utility_invoice_taxes where invoice = %s order by position", [invoice]
    ).fetchall()
    return [(row["code"], row["amount"]) for row in lines], [(row["code"], row["amount"]) for row in taxes]


def stale_batches(connection: Connection) -> list[int]:
    """Batches with drafts of which usage or charges may not be billed any more."""
    rows = connection.execute(
        """
        select distinct i.batch from billing.utility_invoices as i
        where i.state in ('drafted', 'qa_hold', 'approved') and i.kind = 'invoice' and exists (
            select from (
                select u.message from billing.invoiced_usage as u where u.invoice = i.id
                union all select c.message from billing.invoiced_charges as c where c.invoice = i.id) as o
            join billing.usage_messages as m on m.message = o.message and m.state <> 'ready')
        order by 1"""
    )
    return [row["batch"] for row in rows]


class Restated(NamedTuple):
    """An issued invoice of intervals that metering validated again since: what it knows of its days now."""

    number: str
    version: str
    kwh: Decimal
    is_ready: bool


def restated_intervals(connection: Connection, number: str | None = None) -> list[Restated]:
    """Issued invoices whose intervals are not those of metering any more, or this one."""
    rows = connection.execute(
        """
        select i.number, p.version, p.kwh, p.is_ready
        from billing.invoiced_usage as u
        join billing.utility_invoices as i on i.id = u.invoice and i.state = 'issued'
        join billing.invoiced_streams as s on s.id = u.stream
        join billing.interval_periods as p on p.point = s.point and p.begins <= i.period_start
            and p.ends >= i.period_end and p.version <> u.version
        where u.is_live and u.message is null and (%(number)s::text is null or i.number = %(number)s)
        order by i.id""",
        {"number": number},
    )
    return [Restated(**row) for row in rows]


class Drafted(NamedTuple):
    """What became of the member of a correction's batch: its draft, or why there is none."""

    invoice: int | None
    total: Decimal | None
    is_estimated: bool
    period_start: date
    period_end: date
    code: str | None
    why: str | None


def drafted(connection: Connection, member: int) -> Drafted:
    """What became of a member."""
    (row,) = connection.execute(
        """
        select i.id as invoice, i.total, coalesce(i.is_estimated, false) as is_estimated, m.period_start, m.period_end,
            m.code, m.why
        from billing.batch_members as m left join billing.utility_invoices as i on i.member = m.id
        where m.id = %s""",
        [member],
    ).fetchall()
    return Drafted(**row)


def held_by_checks(connection: Connection, invoice: int) -> tuple[str, str] | None:
    """Code and sentence of what the checks before release hold an invoice for."""
    row = connection.execute(
        """
        select string_agg(code, ' ' order by code) as codes, string_agg(sentence, ' ' order by code) as said
        from billing.invoice_quality_findings where invoice = %s and severity = 'error' and decision is null""",
        [invoice],
    ).fetchone()
    return (row["codes"], row["said"]) if row and row["codes"] else None


class Usage(NamedTuple):
    """Usage that may be billed again, with the state of its message, and its charges. No message: of intervals."""

    message: int | None
    point: str
    period_start: date
    period_end: date
    state: str
    charges: int | None


def usage_of(connection: Connection, message: int) -> Usage | None:
    """The usage that a message is, or whose charges it is."""
    row = connection.execute(
        """
        select u.message, u.point, u.period_start, u.period_end, u.state, o.charges
        from billing.usage_messages as m
        left join billing.usage_pairs as p on p.charges = m.message and p.state = 'paired'
        join billing.usage_messages as u on u.message = case m.kind when 'usage' then m.message else p.usage end
        left join billing.usage_pairs as o on o.usage = u.message and o.state = 'paired'
        where m.message = %s""",
        [message],
    ).fetchone()
    return Usage(**row) if row else None


class OpenCorrection(NamedTuple):
    """A correction that is not done: of which invoice, since when, until when it waits, and what keeps it."""

    number: str
    account: str
    currency: str
    total: Decimal
    state: str
    reason: str
    opened_at: datetime
    due_at: datetime | None
    code: str | None
    why: str | None


def open_corrections(connection: Connection) -> list[OpenCorrection]:
    """Corrections that are not done, those that a person looks at first."""
    rows = connection.execute(
        """
        select i.number, i.account, i.currency, i.total, c.state, c.reason, c.opened_at, c.due_at, c.code, c.why
        from billing.invoice_corrections as c join billing.utility_invoices as i on i.id = c.original
        where c.state in ('opened', 'waiting', 'ready') order by c.code is null, c.due_at nulls first, c.id"""
    )
    return [OpenCorrection(**row) for row in rows]


class CancelledAlone(NamedTuple):
    """An invoice whose usage the utility cancelled and did not replace."""

    number: str
    currency: str
    total: Decimal


def cancelled_alone(connection: Connection) -> list[CancelledAlone]:
    """Invoices that were cancelled alone, by no person, and are not rebilled."""
    rows = connection.execute(
        """
        select i.number, i.currency, i.total
        from billing.invoice_corrections as c join billing.utility_invoices as i on i.id = c.original
        where c.outcome = 'cancelled' and c.decision is null and i.state = 'cancelled' order by i.number"""
    )
    return [CancelledAlone(**row) for row in rows]
