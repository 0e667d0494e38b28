"""Marks of documents: a few bytes for each, which show that a document is what it was without reading it.

The source has no modified date, so staging must compare every document that may still change. Where `documents.sql` has
a column `version`, the mark is made of it: the integrator answers for its changing with the document. Else it is the
digest that the engine computes; of an engine that computes none, every document is read.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection

from billing_assets.erp.billing_system import contract
from billing_assets.erp.billing_system.cycles import without_cycle_collection
from billing_assets.erp.billing_system.digests import computes_digests, digests
from billing_assets.erp.billing_system.queries import (
    DOCUMENTS_FILE,
    Queries,
    column_names,
    documents_table,
    key_type,
    no_rows,
    tables,
    versions_by_id,
)
from billing_assets.erp.billing_system.spelling import found_alike, savepoint
from billing_assets.foundation.source_database import values
from billing_assets.foundation.source_database.errors import ValueRefused, asking

_AT_ONCE, _VERSIONS_AT_ONCE = 1_000, 10_000
_DIGEST_BYTES = 16
_VERSION = b"v"
"""Before the 16 bytes of a version's mark: it is longer than any digest, so none is ever equal to one."""


class Marking(StrEnum):
    """What the marks of a source's documents are."""

    VERSIONS = "versions"
    DIGESTS = "digests"
    NONE = "none"


def marking(conn: Connection, queries: Queries) -> Marking:
    """What the marks of this source are. Raises QueryFailed, CannotConnect."""
    with asking(conn, DOCUMENTS_FILE), conn.execute(no_rows(documents_table(queries))) as result:
        names = column_names(result.keys())
        of_header = key_type(result, names)
    if contract.VERSION in names:
        return Marking.VERSIONS
    if not computes_digests(conn):
        return Marking.NONE
    for file, table, _ in tables(queries)[1:]:
        with asking(conn, file), conn.execute(no_rows(table)) as result:
            if not found_alike(conn.dialect, of_header, key_type(result, column_names(result.keys()))):
                return Marking.NONE  # a digest would lack rows that are found from the header only
    return Marking.DIGESTS


def asked_at_once(conn: Connection, how: Marking) -> int:
    """How many documents' marks one query is to ask for: a version costs next to nothing, a query does, and SQL Server
    takes at most 2,100 parameters."""
    return _VERSIONS_AT_ONCE if how is Marking.VERSIONS and conn.dialect.name == "postgresql" else _AT_ONCE


def marks(conn: Connection, queries: Queries, ids: Sequence[str], how: Marking) -> dict[str, bytes]:
    """The marks of the documents with these ids (at most `asked_at_once`); without one a document must be read.

    Ask for them before the documents are read, never after: then a change in between shows the next time. Raises
    QueryFailed, CannotConnect.
    """
    match how:
        case Marking.VERSIONS:
            return _versions(conn, queries, ids)
        case Marking.DIGESTS:
            return digests(conn, queries, ids)
        case Marking.NONE:
            return {}


def is_digest(mark: bytes | None) -> bool:
    """Whether the mark is a digest, which covers everything that the engine shows of a document."""
    return mark is not None and len(mark) == _DIGEST_BYTES


def _versions(conn: Connection, queries: Queries, ids: Sequence[str]) -> dict[str, bytes]:
    if not ids:
        return {}
    statement = versions_by_id(queries, conn.dialect, ids)
    try:
        with savepoint(conn), asking(conn, DOCUMENTS_FILE), without_cycle_collection():
            rows = conn.execute(statement).all()
    except ValueRefused:
        return {}  # reading finds the document and says what is wrong with it
    read_by = _read_by(queries)
    names = [key if type(key) is str else values.further(key) or "" for key, _ in rows]
    # A header that a join repeats is held, whatever its versions say.
    repeated = {name for name, count in Counter(names).items() if count > 1} if len({*names}) < len(names) else set()
    return {
        name: _VERSION + hashlib.blake2b(_text(version), digest_size=_DIGEST_BYTES, key=read_by).digest()
        for name, (_, version) in zip(names, rows, strict=True)
        if version is not None and name not in repeated
    }


def _text(version: Any) -> bytes:
    if type(version) is str:
        return b"str " + version.encode(errors="surrogatepass")
    return f"{type(version).__name__} {values.further(version)}".encode(errors="surrogatepass")


def _read_by(queries: Queries) -> bytes:
    """The text of the queries, in a few bytes: with another one the same version says nothing."""
    texts = repr((queries.documents, queries.lines, queries.applications))
    return hashlib.blake2b(texts.encode(errors="surrogatepass"), digest_size=_DIGEST_BYTES).digest()
