"""The documents that the invoice engine made, as they are kept: header, lines, taxes and what they were rated from."""

from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from billing_assets.foundation.database.connection import Connection


class KeptLine(NamedTuple):
    """A line. `detail`: the whole line of rating's answer, or what it mirrors."""

    position: int
    code: str
    bill_text: str
    amount: Decimal
    detail: dict[str, Any]


class KeptTax(NamedTuple):
    """A tax."""

    position: int
    code: str
    rate: Decimal
    base: Decimal
    amount: Decimal


class Document(NamedTuple):
    """A draft, an invoice or a cancel. `rated`: the case and its answer; `cancels`: the number of what it cancels."""

    id: int
    number: str | None
    kind: str
    state: str
    account: str
    currency: str
    period_start: date
    period_end: date
    tariff: str
    tariff_version: int | None
    net: Decimal
    tax: Decimal
    total: Decimal
    cancels: str | None
    rated: dict[str, Any]
    lines: tuple[KeptLine, ...]
    taxes: tuple[KeptTax, ...]


def document(connection: Connection, name: str) -> Document | None:
    """The document with this number, or else the one with this id in our database."""
    row = connection.execute(
        """
        select i.id, i.number, i.kind, i.state, i.account, i.currency, i.period_start, i.period_end, i.tariff,
            i.tariff_version, i.net, i.tax, i.total, o.number as cancels, i.rated
        from billing.utility_invoices as i left join billing.utility_invoices as o on o.id = i.cancels
        where i.number = %(name)s or i.id = %(id)s order by i.number = %(name)s desc nulls last limit 1""",
        {"name": name, "id": int(name) if name.isdecimal() and len(name) < 18 else None},
    ).fetchone()
    if row is None:
        return None
    lines = connection.execute(
        """
        select position, code, bill_text, amount, detail from billing.utility_invoice_lines
        where invoice = %s order by position""",
        [row["id"]],
    ).fetchall()
    taxes = connection.execute(
        """
        select position, code, rate, base, amount from billing.utility_invoice_taxes
        where invoice = %s order by position""",
        [row["id"]],
    ).fetchall()
    return Document(**row, lines=tuple(KeptLine(**one) for one in lines), taxes=tuple(KeptTax(**one) for one in taxes))


class Sum(NamedTuple):
    """Documents of a batch in one state and currency."""

    state: str
    currency: str
    documents: int
    total: Decimal


def sums(connection: Connection, batch: int) -> list[Sum]:
    """The documents of a batch by state and currency."""
    rows = connection.execute(
        """
        select state, currency, count(*)::int as documents, sum(total) as total
        from billing.utility_invoices where batch = %s group by 1, 2 order by 1, 2""",
        [batch],
    )
    return [Sum(**row) for row in rows]


def numbers(connection: Connection, batch: int) -> list[str]:
    """The numbers that documents of a batch have, in order."""
    rows = connection.execute(
        """
        select number from billing.utility_invoices where batch = %s and number is not null
        order by issuer, year, sequence""",
        [batch],
    )
    return [row["number"] for row in rows]


def open_quality(connection: Connection, batch: int) -> list[dict[str, Any]]:
    """What the checks before release found in drafts of a batch and no one has let go, errors first."""
    return connection.execute(
        """
        select i.id as invoice, i.account, q.code, q.severity, q.sentence
        from billing.invoice_quality_findings as q join billing.utility_invoices as i on i.id = q.invoice
        where i.batch = %s and i.state in ('drafted', 'qa_hold') and q.decision is null
        order by array_position(array['error', 'warning', 'info'], q.severity), q.code, i.id""",
        [batch],
    ).fetchall()
