"""The integrator's extraction queries and how they are wrapped: as derived tables, filtered by bound parameters."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, TypeAlias

from sqlalchemy import (
    ColumnElement,
    Connection,
    CursorResult,
    Date,
    DateTime,
    Dialect,
    Select,
    String,
    Unicode,
    and_,
    any_,
    bindparam,
    cast,
    false,
    func,
    literal_column,
    or_,
    select,
    text,
)
from sqlalchemy.sql.selectable import Subquery
from sqlalchemy.types import NullType, TypeEngine

from billing_assets.erp.billing_system.contract import (
    APPLICATION_COLUMNS,
    CONTACT_COLUMNS,
    DOCUMENT_COLUMNS,
    LINE_COLUMNS,
    SERVICE_COLUMNS,
    VERSION,
)
from billing_assets.foundation.periods import first_day, following, month_of
from billing_assets.foundation.source_database.errors import ColumnsWrong, asking
from billing_assets.foundation.source_database.queries import derived_table, read_query
from billing_assets.foundation.source_database.values import Column

DOCUMENTS_FILE, LINES_FILE = "documents.sql", "lines.sql"
APPLICATIONS_FILE, SERVICES_FILE = "applications.sql", "contract_services.sql"
CONTACTS_FILE = "contacts.sql"


Statement: TypeAlias = Select[*tuple[Any, ...]]
"""A SELECT of whatever columns."""


@dataclass(frozen=True)
class Queries:
    """The text of the extraction queries, as their files have it; None where there is no such file.

    Without `applications` a credit memo settles nothing but the invoice in its column `applies_to`; not every billing
    system has contracts (`services`), and not everybody sends reminders (`contacts`).
    """

    documents: str
    lines: str
    services: str | None = None
    applications: str | None = None
    contacts: str | None = None

    def files(self) -> dict[str, str | None]:
        """The text of each query by its file's name."""
        return {
            DOCUMENTS_FILE: self.documents,
            LINES_FILE: self.lines,
            APPLICATIONS_FILE: self.applications,
            SERVICES_FILE: self.services,
            CONTACTS_FILE: self.contacts,
        }


@dataclass(frozen=True)
class Dates:
    """Documents by their date: from a day on, and of single months (`YYYY-MM`). What has no date that can be read is
    always among them. `everything`: whatever date they have."""

    since: date | None = None
    months: frozenset[str] = frozenset()
    everything: bool = False

    def spans(self) -> list[tuple[date, date | None]]:
        """The months as spans of days, the end not included (None: the last day that there is); months in a row are
        one."""
        found: list[tuple[date, date | None]] = []
        for month in sorted(self.months):
            first, end = first_day(month), None if month == month_of(date.max) else first_day(following(month))
            if found and found[-1][1] == first:
                first = found.pop()[0]
            found.append((first, end))
        return found


def load_queries(folder: Path) -> Queries:
    """Read `documents.sql` and `lines.sql` from `folder`, and those that may be left out where they are.

    Raises QueriesMissing, which names the file.
    """
    optional = (folder / SERVICES_FILE, folder / APPLICATIONS_FILE, folder / CONTACTS_FILE)
    return Queries(
        read_query(folder / DOCUMENTS_FILE),
        read_query(folder / LINES_FILE),
        *(read_query(path) if path.exists() else None for path in optional),
    )


def check_columns(conn: Connection, queries: Queries) -> None:
    """Run the queries for no row. Raises ColumnsWrong with every missing column, QueryFailed if one does not run."""
    missing: dict[str, list[str]] = {}
    repeated: dict[str, list[str]] = {}
    wanted = tables(queries)
    if queries.services is not None:
        wanted.append((SERVICES_FILE, services_table(queries.services), SERVICE_COLUMNS))
    if queries.contacts is not None:
        wanted.append((CONTACTS_FILE, contacts_table(queries.contacts), CONTACT_COLUMNS))
    for file, table, contract in wanted:
        with asking(conn, file):
            found = column_names(conn.execute(no_rows(table)).keys())
        missing[file] = [one.name for one in contract if one.name not in found]
        repeated[file] = sorted({name for name in found if found.count(name) > 1})
    if any(missing.values()) or any(repeated.values()):
        raise ColumnsWrong(missing, repeated)


def tables(queries: Queries) -> list[tuple[str, Subquery, tuple[Column, ...]]]:
    """The queries that there are: file, derived table, contract."""
    found: list[tuple[str, Subquery, tuple[Column, ...]]] = [
        (DOCUMENTS_FILE, documents_table(queries), DOCUMENT_COLUMNS),
        (LINES_FILE, lines_table(queries), LINE_COLUMNS),
    ]
    if queries.applications is not None:
        found.append((APPLICATIONS_FILE, applications_table(queries.applications), APPLICATION_COLUMNS))
    return found


def column_names(keys: Sequence[str] | Any) -> list[str]:
    """Column names of a result as the contract spells them; some engines fold unquoted names to capitals."""
    return [str(key).lower() for key in keys]


def key_type(result: CursorResult[Any], names: Sequence[str], name: str = "document_id") -> Any:
    """The type of the column as the driver has it, None where it shows none. Ask before the rows are read."""
    described = result.cursor.description if result.cursor is not None else None
    return described[names.index(name)][1] if described and name in names else None


def documents_table(queries: Queries) -> Subquery:
    """`documents.sql` as a derived table with the columns of the contract."""
    return derived_table(queries.documents, "documents", [one.name for one in DOCUMENT_COLUMNS])


def lines_table(queries: Queries) -> Subquery:
    """`lines.sql` as a derived table with the columns of the contract."""
    return derived_table(queries.lines, "lines", [one.name for one in LINE_COLUMNS])


def services_table(services: str) -> Subquery:
    """`contract_services.sql` as a derived table with the columns of the contract."""
    return derived_table(services, "services", [one.name for one in SERVICE_COLUMNS])


def applications_table(sql: str) -> Subquery:
    """`applications.sql` as a derived table with the columns of the contract."""
    return derived_table(sql, "applications", [one.name for one in APPLICATION_COLUMNS])


def contacts_table(contacts: str) -> Subquery:
    """`contacts.sql` as a derived table with the columns of the contract."""
    return derived_table(contacts, "contacts", [one.name for one in CONTACT_COLUMNS])


def all_columns(derived: Subquery) -> Statement:
    """Every column of the integrator's query, further ones included."""
    return select(text("*")).select_from(derived)


def no_rows(derived: Subquery) -> Statement:
    """The query for no row at all: it shows its columns, and whether the engine takes it."""
    return all_columns(derived).where(false())


def headers_by_id(queries: Queries, dialect: Dialect, ids: Sequence[str]) -> Statement:
    """Documents with one of the ids (at most 1,000: SQL Server takes 2,100 parameters)."""
    documents = documents_table(queries)
    return all_columns(documents).where(is_one_of(documents.c.document_id, dialect, ids))


def versions_by_id(queries: Queries, dialect: Dialect, ids: Sequence[str]) -> Statement:
    """Ids and versions of the documents with one of the ids (at most 1,000), of queries that have versions."""
    documents = derived_table(queries.documents, "documents", ["document_id", VERSION])
    key = documents.c.document_id
    return select(key, documents.c[VERSION]).where(is_one_of(key, dialect, ids))


def headers_without_id(queries: Queries, dialect: Dialect, since: datetime | None, longest: int) -> Statement:
    """What names a document (id, kind, number, status) of those whose id is NULL or longer than `longest`."""
    documents = documents_table(queries)
    key = documents.c.document_id
    named = select(*(documents.c[name] for name in ("document_id", "kind", "number", "status")))
    query = named.where(or_(key.is_(None), func.char_length(cast(key, String())) > longest))
    if since is None:
        return query
    return query.where(or_(created_since(documents, dialect, since), documents.c.created_at.is_(None)))


def lines_by_id(queries: Queries, dialect: Dialect, ids: Sequence[str]) -> Statement:
    """Lines of the documents with one of the ids (at most 1,000), each document's together and in order."""
    lines = lines_table(queries)
    matching = is_one_of(lines.c.document_id, dialect, ids)
    return all_columns(lines).where(matching).order_by(lines.c.document_id, lines.c.line_no)


def applications_by_id(sql: str, dialect: Dialect, ids: Sequence[str]) -> Statement:
    """What the documents with one of the ids (at most 1,000) are applied to, in no order."""
    applications = applications_table(sql)
    return all_columns(applications).where(is_one_of(applications.c.document_id, dialect, ids))


def headers_with_applications(queries: Queries, sql: str, dialect: Dialect, ids: Sequence[str]) -> Statement:
    """Documents with one of the ids, each once for every invoice that it is applied to: three columns more, which are
    NULL for one that is applied to none."""
    documents, applied = documents_table(queries), applications_table(sql)
    columns = (applied.c[one.name].label(f"applied_{one.name}") for one in APPLICATION_COLUMNS)
    both = documents.outerjoin(applied, applied.c.document_id == documents.c.document_id)
    query = select(literal_column("documents.*"), *columns).select_from(both)
    return query.where(is_one_of(documents.c.document_id, dialect, ids))


def ids_created_since(queries: Queries, dialect: Dialect, since: datetime | None) -> Statement:
    """Ids of documents created at or after `since`; one without a creation time counts as new, so that it is found."""
    documents = documents_table(queries)
    query = select(documents.c.document_id)
    if since is None:
        return query
    return query.where(or_(created_since(documents, dialect, since), documents.c.created_at.is_(None)))


def ids_by_date(queries: Queries, dialect: Dialect, dates: Dates) -> Statement:
    """Ids of documents by their date, whenever they were created."""
    documents = documents_table(queries)
    query = select(documents.c.document_id)
    return query if dates.everything else query.where(is_dated(documents, dialect, dates))


def is_dated(documents: Subquery, dialect: Dialect, dates: Dates) -> ColumnElement[bool]:
    """The date is one of these, or none that belongs to any month: NULL, infinite, before Christ."""
    day = documents.c.document_date
    wanted: list[ColumnElement[bool]] = [day.is_(None)]
    if dialect.name == "postgresql":  # no other engine has such dates, and some have types that end before 0001-01-01
        wanted += [day < _day("earliest", date.min), day > _day("latest", date.max)]
    if dates.since is not None:
        wanted.append(day >= _day("since_day", dates.since))
    for place, (first, end) in enumerate(dates.spans()):
        begun = day >= _day(f"first_{place}", first)
        wanted.append(begun if end is None else and_(begun, day < _day(f"end_{place}", end)))
    return or_(*wanted)


def _day(name: str, value: date) -> ColumnElement[Any]:
    return bindparam(name, value, Date())


def created_since(documents: Subquery, dialect: Dialect, since: datetime) -> ColumnElement[bool]:
    """`created_at >= since`. Without a zone a timestamp of the source is UTC, so PostgreSQL sessions run in UTC and
    other engines get the parameter without a zone: either way the column is not cast, and its index serves."""
    if dialect.name == "postgresql":
        return documents.c.created_at >= bindparam("since", since, DateTime(timezone=True))
    return documents.c.created_at >= bindparam("since", since.astimezone(UTC).replace(tzinfo=None), DateTime())


def text_type(dialect: Dialect, values: Sequence[str]) -> TypeEngine[Any]:
    """The type for text parameters that are compared with a column of unknown type, so that its index serves.

    PostgreSQL takes the column's type if the parameter has none. SQL Server converts the parameter to a number or a
    uniqueidentifier, but a varchar *column* to nvarchar if the parameter is nvarchar; so it gets varchar where it can.
    """
    if dialect.name != "mssql":
        return NullType()
    return String() if all(map(str.isascii, values)) else Unicode()


def is_one_of(key: ColumnElement[Any], dialect: Dialect, ids: Sequence[str]) -> ColumnElement[bool]:
    """The key is one of the ids, compared in the key's own type so that its index serves."""
    if (
        dialect.name == "postgresql"
    ):  # one parameter, an array of whatever type the key has: the statement stays the same
        return key == any_(bindparam("ids", _array_literal(ids), NullType()))
    return key.in_(bindparam("ids", list(ids), text_type(dialect, ids), expanding=True))


def _array_literal(values: Sequence[str]) -> str:
    joined = "\0".join(values)  # PostgreSQL has no NUL; ten thousand are escaped in one go
    return '{"' + joined.replace("\\", "\\\\").replace('"', '\\"').replace("\0", '","') + '"}'
