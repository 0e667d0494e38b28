"""What the billing database says in sums: for reconciling a month, for noticing that something happened."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, Date, and_, bindparam, case, exists, extract, func, literal, select
from sqlalchemy.sql.selectable import Subquery

from billing_assets.billing_system import contract
from billing_assets.billing_system.errors import QueryFailed, asking
from billing_assets.billing_system.queries import (
    DOCUMENTS_FILE,
    LINES_FILE,
    Queries,
    created_since,
    documents_table,
    lines_table,
    text_type,
)
from billing_assets.domain.documents import SourceStatus


@dataclass(frozen=True, slots=True)
class MonthTotal:
    """Documents of one month with the same branch, currency, kind and status, as the source counts and adds them.

    `total` is in units of the currency, signed, tax included; NaN where the source holds one.
    """

    branch: str | None
    currency: str | None
    kind: str | None
    status: str | None
    count: int
    total: Decimal


def months(conn: Connection, queries: Queries) -> list[str]:
    """The billing months (`YYYY-MM`) in which the source has documents, in order."""
    documents = documents_table(queries)
    year, month = extract("year", documents.c.document_date), extract("month", documents.c.document_date)
    query = select(year, month).where(documents.c.document_date.is_not(None)).group_by(year, month)
    with asking(conn, DOCUMENTS_FILE):
        return sorted(f"{int(row[0]):04d}-{int(row[1]):02d}" for row in conn.execute(query))


def month_totals(conn: Connection, queries: Queries, period: str) -> list[MonthTotal]:
    """Counts and totals of one month (`YYYY-MM`, by the document date), grouped and added at the source."""
    documents = documents_table(queries)
    group = [documents.c[name] for name in ("branch", "currency", "kind", "status")]
    query = (
        select(*group, func.count(), func.sum(documents.c.total))
        .where(_in_month(documents, period))
        .group_by(*group)
        .order_by(*group)
    )
    with asking(conn, DOCUMENTS_FILE):
        rows = conn.execute(query).all()
    return [
        MonthTotal(_text(row[0]), _text(row[1]), _text(row[2]), _text(row[3]), row[4], _sum(row[5])) for row in rows
    ]


def orphan_lines(conn: Connection, queries: Queries, limit: int = 100) -> list[tuple[str, int]]:
    """Ids with lines but without a header, and how many lines each has; at most `limit` of them.

    Compares all lines with all documents: for a check now and then, not for every staging.
    """
    documents, lines = documents_table(queries), lines_table(queries)
    has_header = exists().where(documents.c.document_id == lines.c.document_id)
    key = lines.c.document_id
    query = select(key, func.count()).where(~has_header).group_by(key).order_by(key).limit(limit)
    with asking(conn, LINES_FILE):
        return [(_text(row[0]) or "NULL", row[1]) for row in conn.execute(query)]


def fingerprint(conn: Connection, queries: Queries, since: datetime | None) -> str:
    """A short text that changes when a document appeared, or when an open one closed.

    Counts the documents created at or after `since` by status, and the open ones of any age: those are few, and a
    source that closes one of them has one less. Two aggregates, for the indexes on `created_at` and on open documents.
    """
    documents = documents_table(queries)
    status_type = text_type(conn.dialect, [SourceStatus.OPEN])
    is_open = documents.c.status == literal(str(SourceStatus.OPEN), status_type)
    is_closed = documents.c.status == literal(str(SourceStatus.CLOSED), status_type)
    recent = select(func.count(), func.count(case((is_closed, 1))), func.max(documents.c.created_at))
    if since is not None:
        recent = recent.where(created_since(documents, conn.dialect, since))
    still_open = select(func.count()).select_from(documents).where(is_open)
    with asking(conn, DOCUMENTS_FILE):
        count, closed, newest = conn.execute(recent).one()
        open_count = conn.execute(still_open).scalar_one()
    moment = contract.moment(newest).isoformat() if newest is not None else "-"
    return f"{count}/{closed}/{open_count}/{moment}"


def _in_month(documents: Subquery, period: str) -> ColumnElement[bool]:
    first = date.fromisoformat(f"{period}-01")
    following = date(first.year + first.month // 12, first.month % 12 + 1, 1)
    day = documents.c.document_date
    return and_(day >= bindparam("first", first, Date()), day < bindparam("following", following, Date()))


def _text(value: Any) -> str | None:
    return contract.further(value)


def _sum(value: Any) -> Decimal:
    if value is None:
        return Decimal(0)
    if isinstance(value, Decimal):
        return value
    try:
        return contract.number(value)
    except contract.Unreadable as error:
        raise QueryFailed(DOCUMENTS_FILE, f"the sum of total {error}") from error
