"""Reads documents from the billing database: the hot path of staging. Everything the room offers is importable here.

A chunk is read in a statement per query and checked by column, not by cell: only a column with a value of an
unexpected type is walked through cell by cell. Nothing is rounded, guessed or dropped; what cannot be understood comes
back as a BadDocument.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection

from billing_assets.erp.billing_system.contract import APPLICATION_COLUMNS, DOCUMENT_COLUMNS, LINE_COLUMNS
from billing_assets.erp.billing_system.cycles import without_cycle_collection
from billing_assets.erp.billing_system.digests import digests
from billing_assets.erp.billing_system.marks import Marking, asked_at_once, marking, marks
from billing_assets.erp.billing_system.queries import (
    APPLICATIONS_FILE,
    DOCUMENTS_FILE,
    LINES_FILE,
    Dates,
    Queries,
    Statement,
    applications_by_id,
    applications_table,
    check_columns,
    column_names,
    headers_by_id,
    headers_with_applications,
    headers_without_id,
    ids_by_date,
    ids_created_since,
    key_type,
    lines_by_id,
    lines_table,
    load_queries,
)
from billing_assets.erp.billing_system.rows import Problem, Table, applications_by_document, lines_by_document, table_of
from billing_assets.erp.billing_system.spelling import found_alike, rows_spelled_otherwise, savepoint, spelled_otherwise
from billing_assets.erp.billing_system.totals import (
    MonthTallies,
    MonthTotal,
    Tally,
    fingerprint,
    month_totals,
    months,
    orphan_lines,
    tallies,
)
from billing_assets.erp.documents.documents import Application, Document, Line
from billing_assets.foundation.source_database import values
from billing_assets.foundation.source_database.connection import connect_source, open_source, source_now
from billing_assets.foundation.source_database.errors import QueryFailed, SourceError, ValueRefused, asking
from billing_assets.foundation.source_database.queries import shipped_queries
from billing_assets.foundation.source_database.values import Column, Unreadable

__all__ = [
    "CHUNK",
    "BadDocument",
    "Dates",
    "Marking",
    "MonthTallies",
    "MonthTotal",
    "Queries",
    "SourceError",
    "Tally",
    "asked_at_once",
    "check_columns",
    "connect_source",
    "dated_document_ids",
    "digests",
    "documents_without_id",
    "fingerprint",
    "is_stand_in",
    "load_queries",
    "marking",
    "marks",
    "month_totals",
    "months",
    "new_document_ids",
    "open_source",
    "orphan_lines",
    "read_documents",
    "read_in_two_queries",
    "shipped_queries",
    "source_now",
    "tallies",
    "without_cycle_collection",
]

CHUNK = 1000
"""Documents per statement: SQL Server takes at most 2,100 parameters, and memory stays flat."""

_LONGEST_ID = 500
_MOST_WITHOUT_ID = 10_000
_STAND_IN = "∅ no document_id "

_SHOWN = 80  # characters of an odd value that are worth showing
_OTHERWISE = (
    "has other characters than the document's, though the billing database takes the two for one. Select the header's "
    "own key in {}, or correct it in the billing system"
)


@dataclass(frozen=True)
class BadDocument:
    """A document of the source that cannot be understood, with its first problem. The others go on without it.

    `field` is a column of the contract, `lines[<line_no>].<column>` or `applications[<applies_to>].<column>` for one of
    theirs, or the query's file where the engine cannot say. `number`, `kind` and `status` are what the source says,
    where that is readable.
    """

    document_id: str
    number: str | None
    field: str
    value_repr: str
    message: str
    kind: str | None = None
    status: str | None = None


def new_document_ids(conn: Connection, queries: Queries, since: datetime | None) -> Iterator[list[str]]:
    """Ids of documents created at or after `since` (all, if None), in lists of at most 1,000, in bounded memory.

    Documents may be read on `conn` between two lists: PostgreSQL serves the ids from a cursor, of other engines all ids
    are read first. A header without an id that can be asked for is in `documents_without_id`.
    """
    return _ids(conn, ids_created_since(queries, conn.dialect, since))


def dated_document_ids(conn: Connection, queries: Queries, dates: Dates) -> Iterator[list[str]]:
    """The same for documents by their date, whenever they were created."""
    return _ids(conn, ids_by_date(queries, conn.dialect, dates))


def _ids(conn: Connection, query: Statement) -> Iterator[list[str]]:
    if conn.dialect.name == "postgresql":
        yield from _streamed_ids(conn, query)
        return
    # Read to the end: a SELECT that is kept waiting while documents are read has locks that block the writers there,
    # and SQL Server serves one result at a time on a connection. A text for each thousand keeps them small.
    packed = ["\0".join(ids) for ids in _streamed_ids(conn, query)]
    yield from (ids.split("\0") for ids in packed)


def _streamed_ids(conn: Connection, query: Statement) -> Iterator[list[str]]:
    with asking(conn, DOCUMENTS_FILE), conn.execute(query, execution_options={"yield_per": CHUNK}) as result:
        for rows in result.partitions():
            found = dict.fromkeys(_id(row[0]) for row in rows if row[0] is not None)
            if ids := [one for one in found if len(one) <= _LONGEST_ID]:
                yield ids


def _id(value: Any) -> str:
    try:
        found = values.text(value)
    except Unreadable as error:
        raise QueryFailed(DOCUMENTS_FILE, f"document_id {error}; CAST it in the query") from error
    if "\0" in found or (not found.isascii() and found.encode(errors="replace").decode() != found):
        raise QueryFailed(DOCUMENTS_FILE, f"document_id {found[:_SHOWN]!r} is no text that can be a key")
    return found


def documents_without_id(conn: Connection, queries: Queries, since: datetime | None) -> list[BadDocument]:
    """Documents (of those created at or after `since`) whose id is NULL or too long for a key, each under a stand-in.

    The stand-in is made of what the source says of the document, so it stays while that stays. Raises QueryFailed
    where there are so many that the query must be wrong.
    """
    statement = headers_without_id(queries, conn.dialect, since, _LONGEST_ID).limit(_MOST_WITHOUT_ID + 1)
    with asking(conn, DOCUMENTS_FILE):
        rows = conn.execute(statement).all()
    if len(rows) > _MOST_WITHOUT_ID:
        raise QueryFailed(DOCUMENTS_FILE, f"more than {_MOST_WITHOUT_ID} documents have no usable document_id")
    times: Counter[str] = Counter()
    found = []
    for document_id, *named in sorted(rows, key=repr):
        kind, number, status = map(values.further, named)
        content = hashlib.sha256(repr(document_id or named).encode()).hexdigest()[:24]
        times[content] += 1
        if document_id is not None and times[content] > 1:
            continue  # a join that repeats it
        stand_in = f"{_STAND_IN}{content}-{times[content]}"
        why = "is NULL" if document_id is None else f"has more than {_LONGEST_ID} characters"
        problem = Problem("document_id", document_id, f"{why}; give every document an id of its own")
        found.append(_bad_document(stand_in, problem, number, kind, status))
    return found


def is_stand_in(document_id: str) -> bool:
    """Whether the id is one that `documents_without_id` made; the source cannot be asked for it."""
    return document_id.startswith(_STAND_IN)


def read_documents(
    conn: Connection, queries: Queries, source: str, ids: Sequence[str]
) -> tuple[list[Document], list[BadDocument]]:
    """Read the documents with these ids, lines and applications included, and those that cannot be understood.

    An id that the source does not have any more is in neither list. Raises ColumnsWrong, QueryFailed, CannotConnect.
    """
    documents: list[Document] = []
    bad: list[BadDocument] = []
    with without_cycle_collection():
        for start in range(0, len(ids), CHUNK):
            for good_part, bad_part in _read_chunk(conn, queries, source, ids[start : start + CHUNK]):
                documents += good_part
                bad += bad_part
    return documents, bad


def read_in_two_queries(
    conn: Connection, queries: Queries, source: str, ids: Sequence[str]
) -> tuple[list[Document], list[BadDocument]]:
    """The same for at most 1,000 documents, with no more than two queries. Raises ValueRefused, too: where the engine
    or its driver fails at a value, it does not find out whose it is."""
    with without_cycle_collection():
        if queries.applications is None:
            headers = _read_table(conn, headers_by_id(queries, conn.dialect, ids), DOCUMENTS_FILE, DOCUMENT_COLUMNS)
            applications = None
        else:
            both = headers_with_applications(queries, queries.applications, conn.dialect, ids)
            headers, applications = _read_both(conn, both)
        lines = _read_table(conn, lines_by_id(queries, conn.dialect, ids), LINES_FILE, LINE_COLUMNS)
        return _assemble(source, headers, _belonging(conn, queries, headers, lines, applications))


def _read_chunk(
    conn: Connection, queries: Queries, source: str, ids: Sequence[str]
) -> Iterator[tuple[list[Document], list[BadDocument]]]:
    """Read one chunk; where the engine or its driver fails at a value, halve it until that document is alone."""
    try:
        with savepoint(conn):
            headers = _read_table(conn, headers_by_id(queries, conn.dialect, ids), DOCUMENTS_FILE, DOCUMENT_COLUMNS)
            lines = _read_table(conn, lines_by_id(queries, conn.dialect, ids), LINES_FILE, LINE_COLUMNS)
            applications = _read_applications(conn, queries, ids)
            rows = _belonging(conn, queries, headers, lines, applications, ask_for_all=True)
    except ValueRefused as error:
        if len(ids) == 1:
            yield [], [BadDocument(ids[0], None, error.what, "", f"A value cannot be read: {error.problem}")]
        else:
            middle = len(ids) // 2
            yield from _read_chunk(conn, queries, source, ids[:middle])
            yield from _read_chunk(conn, queries, source, ids[middle:])
    else:
        yield _assemble(source, headers, rows)


def _read_applications(conn: Connection, queries: Queries, ids: Sequence[str]) -> Table | None:
    if queries.applications is None:
        return None
    statement = applications_by_id(queries.applications, conn.dialect, ids)
    return _read_table(conn, statement, APPLICATIONS_FILE, APPLICATION_COLUMNS)


def _read_table(conn: Connection, statement: Statement, file: str, columns: Sequence[Column]) -> Table:
    with asking(conn, file), conn.execute(statement) as result:
        names = column_names(result.keys())
        of_key = key_type(result, names)
        return table_of(names, result.all(), file, columns, of_key)


def _read_both(conn: Connection, statement: Statement) -> tuple[Table, Table]:
    """Headers, and what they are applied to, from the rows of both together."""
    with asking(conn, f"{DOCUMENTS_FILE} with {APPLICATIONS_FILE}"), conn.execute(statement) as result:
        names = column_names(result.keys())
        of_key, of_applied = key_type(result, names), key_type(result, names, "applied_document_id")
        rows = result.all()
    width = len(APPLICATION_COLUMNS)
    key = names.index("document_id")
    applied = [row[-width:] for row in rows if row[-width] is not None]
    # A header comes once for each invoice that it is applied to; one that is applied to none comes once, unless a join
    # repeats it.
    once = {row[key]: row[:-width] for row in rows if row[-width] is not None}
    headers = [*once.values(), *(row[:-width] for row in rows if row[-width] is None)]
    application_names = [one.name for one in APPLICATION_COLUMNS]
    return (
        table_of(names[:-width], headers, DOCUMENTS_FILE, DOCUMENT_COLUMNS, of_key),
        table_of(application_names, applied, APPLICATIONS_FILE, APPLICATION_COLUMNS, of_applied),
    )


class _Belonging(NamedTuple):
    """The rows that belong to documents, by the document's id, and the first problem of each that has one in them."""

    lines: dict[str, list[Line]]
    applications: dict[str, tuple[Application, ...]]
    problems: dict[str, Problem]


def _belonging(
    conn: Connection,
    queries: Queries,
    headers: Table,
    lines: Table,
    applications: Table | None,
    *,
    ask_for_all: bool = False,
) -> _Belonging:
    """Rows by document. To the database a row may belong to a document whose key has other characters: then that
    document has a problem, as no row is ever left out. The database is asked only where a key fits no header or is of
    another type, and with `ask_for_all` where a document has no lines."""
    lines_of, problems = lines_by_document(lines)
    applications_of: dict[str, tuple[Application, ...]] = {}
    ids = {one for one in headers.columns[0] if one is not None}
    alike = found_alike(conn.dialect, headers.key_type, lines.key_type)
    parts = [(LINES_FILE, "lines", lines_table(queries), lines_of.keys() - ids, alike)]
    if applications is not None and queries.applications is not None:
        applications_of, bad = applications_by_document(applications)
        problems = bad | problems
        table = applications_table(queries.applications)
        alike = found_alike(conn.dialect, headers.key_type, applications.key_type)
        parts.append((APPLICATIONS_FILE, "applications", table, {*applications_of, *bad} - ids, alike))
    for file, rows, table, strays, alike in parts:
        unfit = strays - {None}
        otherwise = spelled_otherwise(conn, queries, file, table, unfit) if unfit else {}
        without = ids - lines_of.keys() if rows == "lines" and ask_for_all else set()
        if doubtful := (without if alike else ids) - otherwise.keys():
            for document_id, key in rows_spelled_otherwise(conn, queries, file, table, doubtful):
                if key not in ids or document_id in without:  # else it is another document's own
                    otherwise[document_id] = key
        for document_id, key in otherwise.items():
            problems.setdefault(document_id, Problem(f"{rows}[?].document_id", key, _OTHERWISE.format(file)))
    return _Belonging(lines_of, applications_of, problems)


def _assemble(source: str, headers: Table, rows: _Belonging) -> tuple[list[Document], list[BadDocument]]:
    ids, kinds, numbers, statuses = headers.columns[:4]
    repeated = {document_id for document_id, count in Counter(ids).items() if count > 1}
    documents: list[Document] = []
    bad: dict[str, BadDocument] = {}
    for row, cells in enumerate(zip(*headers.columns, headers.extras, strict=True)):
        document_id = ids[row]
        problem = headers.problems.get(row) or rows.problems.get(document_id)
        if document_id in repeated:
            problem = Problem(
                "document_id", document_id, f"stands more than once in {DOCUMENTS_FILE}: a join repeats it"
            )
        if problem:
            known = (numbers[row], kinds[row], statuses[row])
            bad[document_id] = _bad_document(document_id, problem, *known)
        else:
            rest = (tuple(rows.lines.get(document_id, ())), rows.applications.get(document_id, ()))
            fields: tuple[Any, ...] = (source, *cells, *rest)
            documents.append(Document(*fields))  # the contract's columns are in the order of Document
    return documents, list(bad.values())


def _bad_document(
    document_id: str | None, problem: Problem, number: str | None, kind: str | None, status: str | None
) -> BadDocument:
    shown = repr(problem.value)
    shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
    message = f"{problem.column} {problem.message}."
    return BadDocument(document_id or "", number, problem.column, shown, message, kind, status)
