"""Texts that are one to the billing database and several to us: `AB-6` and `ab-6` where a collation ignores case, `A`
and `A ` on SQL Server.

One rule for all texts, keys among them: they are the same where every character is. The database is asked which texts
it takes for one only where a key fits no header: nothing is joined by a rule of our own.
"""

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from sqlalchemy import (
    VARBINARY,
    ColumnElement,
    Connection,
    Dialect,
    Text,
    Unicode,
    cast,
    collate,
    false,
    func,
    select,
)
from sqlalchemy.sql.selectable import Subquery

from billing_assets.erp.billing_system.queries import (
    DOCUMENTS_FILE,
    Queries,
    Statement,
    documents_table,
    is_one_of,
    tables,
)
from billing_assets.foundation.source_database import values
from billing_assets.foundation.source_database.errors import KeysNotComparable, QueryFailed, ValueRefused, asking

_KEYS = 1000
"""Keys per statement: SQL Server takes 2,100 parameters."""

_ALIKE = {"postgresql": (frozenset({20, 21, 23, 1700}), frozenset({25, 1043}))}
"""Types of keys that are compared in one way: exact numbers, and texts that no blanks are added to."""

_LONGEST = 200
"""Characters of a text that are compared on SQL Server: a status or a currency has fewer."""


def exactly(column: ColumnElement[Any], dialect: Dialect) -> list[ColumnElement[Any]]:
    """What to group by, so that texts of other characters are groups of their own."""
    characters = _characters(column, dialect)
    return [column] if characters is None else [column, characters]


def is_exactly(column: ColumnElement[Any], value: ColumnElement[Any], dialect: Dialect) -> ColumnElement[bool]:
    """The column has this very text. The plain comparison stands beside the exact one, so that an index serves."""
    characters, wanted = _characters(column, dialect), _characters(value, dialect)
    plain = column == value
    return plain if characters is None else plain & (characters == wanted)


def _characters(value: ColumnElement[Any], dialect: Dialect) -> ColumnElement[Any] | None:
    """The characters of a text, compared without its collation; None where we know of no way, and need none."""
    match dialect.name:
        case "postgresql":
            return collate(cast(value, Text), "C")
        case "mssql":  # to no collation there is a trailing blank a character, so the bytes it is
            return cast(cast(value, Unicode(_LONGEST)), VARBINARY(2 * _LONGEST))
        case "sqlite" | "mysql" | "mariadb":
            return func.hex(value)
    return None


def spelled_otherwise(
    conn: Connection, queries: Queries, file: str, child: Subquery, keys: Collection[str]
) -> dict[str, str]:
    """Documents that rows with these keys belong to by the database's word, and not by the characters: the document's
    id, and one such key.

    Raises KeysNotComparable where the database compares the two columns with neither: then it has no word.
    """
    documents = documents_table(queries)
    found: dict[str, str] = {}
    ordered = sorted(keys)
    for start in range(0, len(ordered), _KEYS):
        some = is_one_of(child.c.document_id, conn.dialect, ordered[start : start + _KEYS])
        query = pairs(documents, child).where(some)
        try:
            found |= dict(_differing(conn, file, query))
        except ValueRefused:
            raise
        except QueryFailed as error:
            raise KeysNotComparable(file, error.problem) from error
    return found


def rows_spelled_otherwise(
    conn: Connection, queries: Queries, file: str, child: Subquery, ids: Collection[str]
) -> list[tuple[str, str]]:
    """The same from the documents' side, every pair: a key of another type or collation is found from there only.
    Nothing where the database compares the two with neither."""
    documents = documents_table(queries)
    found: list[tuple[str, str]] = []
    ordered = sorted(ids)
    for start in range(0, len(ordered), _KEYS):
        some = is_one_of(documents.c.document_id, conn.dialect, ordered[start : start + _KEYS])
        try:
            with savepoint(conn):
                found += _differing(conn, file, pairs(documents, child).where(some))
        except QueryFailed:
            return found
    return found


def found_alike(dialect: Dialect, header: Any, child: Any) -> bool:
    """Whether a row is found by its key and from its header alike, by the types that the driver shows of the two.

    By a text key `'01'` is not found for the number 1, though a join takes the two for one. SQLite shows no type, and
    its columns have collations of their own.
    """
    if header is None or child is None:
        return False
    return header == child or any({header, child} <= alike for alike in _ALIKE.get(dialect.name, ()))


def check_keys(conn: Connection, queries: Queries) -> None:
    """Whether the database can compare the keys of the queries. Raises KeysNotComparable."""
    (_, documents, _), *others = tables(queries)
    for file, child, _ in others:
        try:
            with asking(conn, file):
                conn.execute(pairs(documents, child).where(false()))
        except QueryFailed as error:
            raise KeysNotComparable(file, error.problem) from error


def savepoint(conn: Connection) -> AbstractContextManager[Any]:
    """PostgreSQL refuses everything after an error; this keeps the transaction and its snapshot."""
    return conn.begin_nested() if conn.dialect.name == "postgresql" else nullcontext()


def pairs(documents: Subquery, child: Subquery) -> Statement:
    """The keys of documents and of the rows that are theirs by the database's word."""
    both = documents.join(child, documents.c.document_id == child.c.document_id)
    return select(documents.c.document_id, child.c.document_id).select_from(both)


def _differing(conn: Connection, file: str, query: Statement) -> list[tuple[str, str]]:
    with asking(conn, f"{DOCUMENTS_FILE} with {file}"):
        rows: Sequence[Any] = conn.execute(query).all()
    pairs = {(values.further(header) or "", values.further(key) or "") for header, key in rows}
    return [(header, key) for header, key in sorted(pairs) if header != key]
