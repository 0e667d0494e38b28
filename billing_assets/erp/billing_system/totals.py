"""What the billing database says in sums: for reconciling a month, for noticing that something happened."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Date,
    Dialect,
    String,
    and_,
    bindparam,
    case,
    cast,
    exists,
    extract,
    func,
    literal,
    select,
)
from sqlalchemy.sql.selectable import Subquery

from billing_assets.erp.billing_system.queries import (
    DOCUMENTS_FILE,
    LINES_FILE,
    Dates,
    Queries,
    Statement,
    created_since,
    documents_table,
    is_dated,
    lines_table,
    text_type,
)
from billing_assets.erp.billing_system.spelling import exactly, is_exactly
from billing_assets.erp.documents.documents import SourceStatus
from billing_assets.foundation.periods import first_day, following
from billing_assets.foundation.source_database import values
from billing_assets.foundation.source_database.errors import QueryFailed, asking


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
    with asking(conn, DOCUMENTS_FILE):
        found = conn.execute(months_query(queries)).all()
    # A date of PostgreSQL may be infinite or before Christ: such a document is held, it has no month.
    dated = [(year, month) for year, month in found if year is not None and month is not None and 1 <= year <= 9999]
    return sorted(f"{int(year):04d}-{int(month):02d}" for year, month in dated)


def month_totals(conn: Connection, queries: Queries, period: str) -> list[MonthTotal]:
    """Counts and totals of one month (`YYYY-MM`, by the document date), grouped and added at the source."""
    with asking(conn, DOCUMENTS_FILE):
        rows = conn.execute(month_totals_query(queries, conn.dialect, period)).all()
    return [
        MonthTotal(_text(row[0]), _text(row[1]), _text(row[2]), _text(row[3]), row[4], _sum(row[5])) for row in rows
    ]


class Tally(NamedTuple):
    """How many documents there are, and what they add up to: None where the source has no exact sum."""

    documents: int
    total: Decimal | None


MonthTallies = dict[str, dict[str, Tally]]
"""By month of the document date (`UNDATED`: by none that can be read), then by status."""

UNDATED = ""


def tallies(conn: Connection, queries: Queries, dates: Dates) -> MonthTallies:
    """Counts and totals of every month by status, in one query: what shows cheaply that documents came, went, changed
    their status or their amount, whenever they were created."""
    with asking(conn, DOCUMENTS_FILE):
        rows = conn.execute(tallies_query(queries, conn.dialect, dates)).all()
    found: MonthTallies = {}
    for year, month, status, documents, total in rows:
        dated = year is not None and month is not None and 1 <= year <= 9999
        of_month = found.setdefault(f"{int(year):04d}-{int(month):02d}" if dated else UNDATED, {})
        before = of_month.get(_text(status) or "", Tally(0, Decimal(0)))
        of_month[_text(status) or ""] = Tally(before.documents + documents, _plus(before.total, total))
    return found


class MonthDocument(NamedTuple):
    """A document of a month as the source shows it now, without its lines. `total` is signed; None: unreadable."""

    document_id: str | None
    kind: str | None
    number: str | None
    status: str | None
    branch: str | None
    customer: str | None
    currency: str | None
    document_date: date
    total: Decimal | None


def month_documents(conn: Connection, queries: Queries, period: str) -> Iterator[list[MonthDocument]]:
    """Every document of one month (`YYYY-MM`, by the document date), 10,000 at a time, in bounded memory."""
    with (
        asking(conn, DOCUMENTS_FILE),
        conn.execute(month_documents_query(queries, period), execution_options={"yield_per": 10_000}) as result,
    ):
        for rows in result.partitions():
            yield [_month_document(row) for row in rows]


def orphan_lines(conn: Connection, queries: Queries, limit: int = 100) -> list[tuple[str, int]]:
    """Ids with lines but without a header, and how many lines each has; at most `limit` of them.

    Compares all lines with all documents: for a check now and then, not for every staging.
    """
    with asking(conn, LINES_FILE):
        rows = conn.execute(orphan_lines_query(queries, conn.dialect, limit))
        return [(_text(row[0]) or "NULL", row[1]) for row in rows]


def fingerprint(conn: Connection, queries: Queries, since: datetime | None) -> str:
    """A short text that changes when a document appeared, or when an open one closed.

    Counts the documents created at or after `since` by status, and the open ones of any age: those are few, and a
    source that closes one of them has one less. Two aggregates, for the indexes on `created_at` and on open documents.
    """
    with asking(conn, DOCUMENTS_FILE):
        count, closed, newest = conn.execute(recent_query(queries, conn.dialect, since)).one()
        open_count = conn.execute(open_query(queries, conn.dialect)).scalar_one()
    return f"{count}/{closed}/{open_count}/{'-' if newest is None else newest}"


def months_query(queries: Queries) -> Statement:
    day = documents_table(queries).c.document_date
    year, month = extract("year", day), extract("month", day)
    return select(year, month).where(day.is_not(None)).group_by(year, month)


def tallies_query(queries: Queries, dialect: Dialect, dates: Dates) -> Statement:
    documents = documents_table(queries)
    year, month = (extract(part, documents.c.document_date) for part in ("year", "month"))
    status = documents.c.status
    query = select(year, month, status, func.count(), func.sum(documents.c.total))
    query = query.group_by(year, month, *exactly(status, dialect))
    return query if dates.everything else query.where(is_dated(documents, dialect, dates))


def month_totals_query(queries: Queries, dialect: Dialect, period: str) -> Statement:
    documents = documents_table(queries)
    group = [documents.c[name] for name in ("branch", "currency", "kind", "status")]
    sums = select(*group, func.count(), func.sum(documents.c.total))
    exact = [one for column in group for one in exactly(column, dialect)]
    return sums.where(_in_month(documents, period)).group_by(*exact).order_by(*group)


def month_documents_query(queries: Queries, period: str) -> Statement:
    documents = documents_table(queries)
    return select(*(documents.c[name] for name in MonthDocument._fields)).where(_in_month(documents, period))


def orphan_lines_query(queries: Queries, dialect: Dialect, limit: int) -> Statement:
    documents, lines = documents_table(queries), lines_table(queries)
    key = lines.c.document_id
    has_header = exists().where(documents.c.document_id == key)
    return select(key, func.count()).where(~has_header).group_by(*exactly(key, dialect)).order_by(key).limit(limit)


def recent_query(queries: Queries, dialect: Dialect, since: datetime | None) -> Statement:
    documents = documents_table(queries)
    is_closed = _has_status(documents, dialect, SourceStatus.CLOSED)
    newest: ColumnElement[Any] = func.max(documents.c.created_at)
    if dialect.name == "postgresql":  # 'infinity' is a timestamp there, and none in Python
        newest = cast(newest, String())
    query = select(func.count(), func.count(case((is_closed, 1))), newest)
    return query if since is None else query.where(created_since(documents, dialect, since))


def open_query(queries: Queries, dialect: Dialect) -> Statement:
    documents = documents_table(queries)
    return select(func.count()).select_from(documents).where(_has_status(documents, dialect, SourceStatus.OPEN))


def _has_status(documents: Subquery, dialect: Dialect, status: SourceStatus) -> ColumnElement[bool]:
    return is_exactly(documents.c.status, literal(str(status), text_type(dialect, [status])), dialect)


def _in_month(documents: Subquery, period: str) -> ColumnElement[bool]:
    day = documents.c.document_date
    first, end = first_day(period), first_day(following(period))
    return and_(day >= bindparam("first", first, Date()), day < bindparam("following", end, Date()))


def _text(value: Any) -> str | None:
    return values.further(value)


def _month_document(row: Sequence[Any]) -> MonthDocument:
    document_id, kind, number, status, branch, customer, currency = map(_text, row[:7])
    return MonthDocument(
        document_id, kind, number, status, branch, customer, currency, values.day(row[7]), _total(row[8])
    )


def _total(value: Any) -> Decimal | None:
    """A document's total; one that is no exact number is held, whatever it says."""
    try:
        return values.number(value)
    except values.Unreadable:
        return None


def _plus(before: Decimal | None, value: Any) -> Decimal | None:
    if before is None or not isinstance(value, Decimal | int | None):
        return None  # of floats no two sums need be the same
    total = before + (value or 0)
    return total if total.is_finite() else None


def _sum(value: Any) -> Decimal:
    if value is None:
        return Decimal(0)
    if isinstance(value, Decimal):
        return value
    try:
        return values.number(value)
    except values.Unreadable as error:
        raise QueryFailed(DOCUMENTS_FILE, f"the sum of total {error}") from error
