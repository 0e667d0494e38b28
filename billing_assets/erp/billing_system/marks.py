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
"""Before a version's mark, which is longer than any digest: none is ever equal to one."""

_AS_IT_IS = 48
"""Bytes of a version that are kept as they are."""


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


@without_cycle_collection()
def _versions(conn: Connection, queries: Queries, ids: Sequence[str]) -> dict[str, bytes]:
    if not ids:
        return {}
    statement = versions_by_id(queries, conn.dialect, ids)
    try:
        with savepoint(conn), asking(conn, DOCUMENTS_FILE):
            rows = conn.execute(statement).all()
    except ValueRefused:
        return {}  # reading finds the document and says what is wrong with it
    keys, versions = zip(*rows, strict=True) if rows else ((), ())
    if {*map(type, keys)} == {int}:
        names = [*map(str, keys)]
    else:
        names = [key if type(key) is str else values.further(key) or "" for key in keys]
    found = dict(zip(names, _version_marks(queries, versions), strict=True))
    if len(found) < len(names):  # a header that a join repeats is held, whatever its versions say
        found |= dict.fromkeys((name for name, count in Counter(names).items() if count > 1), b"")
    return {name: mark for name, mark in found.items() if mark}


def _version_marks(queries: Queries, versions: Sequence[Any]) -> list[bytes]:
    """The marks of versions, empty for NULL. By column, not by cell, where all are text: for as many documents as a
    staging looks at again, a function call and a hash for each would be a third of its work."""
    before = _VERSION + _read_by(queries)
    if {*map(type, versions)} == {str}:
        texts = [b"str " + version.encode(errors="surrogatepass") for version in versions]
    else:
        texts = [b"" if version is None else _text(version) for version in versions]
    return [text and before + (text if len(text) <= _AS_IT_IS else _hashed(text)) for text in texts]


def _text(version: Any) -> bytes:
    return f"{type(version).__name__} {values.further(version)}".encode(errors="surrogatepass")


def _hashed(text: bytes) -> bytes:
    """What stands for a long version: longer than any that is kept as it is."""
    return hashlib.blake2b(text, digest_size=2 * _DIGEST_BYTES).hexdigest().encode()


def _read_by(queries: Queries) -> bytes:
    """The text of the queries, in a few bytes: with another one the same version says nothing."""
    texts = repr((queries.documents, queries.lines, queries.applications))
    return hashlib.blake2b(texts.encode(errors="surrogatepass"), digest_size=_DIGEST_BYTES).digest()
