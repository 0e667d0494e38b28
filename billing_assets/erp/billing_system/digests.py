"""Digests of documents, computed by the billing database itself: what did not change need not be read again.

The source has no modified date, so staging must compare every document that may still change. On PostgreSQL the server
does that beside its own data and sends 16 bytes a document instead of all its lines; other engines' documents are read.
"""

import hashlib
from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, cast, func, literal, literal_column, select, union_all
from sqlalchemy.sql.selectable import Subquery
from sqlalchemy.types import String

from billing_assets.erp.billing_system.cycles import without_cycle_collection
from billing_assets.erp.billing_system.queries import Queries, Statement, is_one_of, tables
from billing_assets.erp.billing_system.spelling import exactly, spelled_otherwise
from billing_assets.foundation.source_database.errors import ValueRefused, asking

_FIRST_VERSION = (11,)  # of PostgreSQL, with hashtextextended()


def computes_digests(conn: Connection) -> bool:
    """Whether the engine computes digests."""
    version = getattr(conn.dialect, "server_version_info", None) or ()
    return conn.dialect.name == "postgresql" and version >= _FIRST_VERSION


def digests(conn: Connection, queries: Queries, ids: Sequence[str]) -> dict[str, bytes]:
    """16 bytes for each document with one of these ids (at most 1,000) that change when its header, a line or what it
    is applied to does.

    Two sums of 64-bit hashes over the text of each row: a change that leaves both as they were has odds of 1 to 2^128.
    Empty where the engine computes none, or fails at a value: then the documents must be read. Raises QueryFailed,
    CannotConnect.
    """
    if not computes_digests(conn) or not ids:
        return {}
    try:
        with conn.begin_nested():  # PostgreSQL would refuse everything after an error
            return all_digests(conn, queries, ids)
    except ValueRefused:
        return {}  # reading finds the document and says what is wrong with it


def all_digests(conn: Connection, queries: Queries, ids: Sequence[str]) -> dict[str, bytes]:
    """The same in one query, of an engine that computes them. Raises ValueRefused where it fails at a value;
    then the transaction is of no more use."""
    files = [file for file, _, _ in tables(queries)]
    sums = [_sums(table, conn, ids, place) for place, (_, table, _) in enumerate(tables(queries))]
    parts: dict[str, list[str]] = {}
    with without_cycle_collection():
        with asking(conn, f"{', '.join(files[:-1])} or {files[-1]}"):
            rows = conn.execute(union_all(*sums)).all()
        keys: list[set[str]] = [set() for _ in files]
        for place, document_id, *found in sorted(rows, key=itemgetter(0)):
            keys[place].add(document_id)
            parts.setdefault(document_id, []).append(f"{files[place]} {found}")
        for place, (file, table, _) in enumerate(tables(queries)):
            # rows that belong to a document by the database's word only: it must be read
            if strays := keys[place] - keys[0]:
                for document_id, key in spelled_otherwise(conn, queries, file, table, strays).items():
                    parts.get(document_id, []).append(f"{file} has it as {key}")
        return {
            document_id: hashlib.blake2b("\n".join(found).encode(), digest_size=16).digest()
            for document_id, found in parts.items()
        }


def _sums(table: Subquery, conn: Connection, ids: Sequence[str], place: int) -> Statement:
    row = cast(literal_column(f"{table.name}.*"), String())  # every column, further ones included
    key = table.c.document_id
    # offset 0 keeps PostgreSQL from making each row's text again for each of its hashes: that is most of the work
    texts = select(key, row.label("row")).where(is_one_of(key, conn.dialect, ids)).offset(0).subquery(f"texts{place}")
    hashes: list[Any] = [cast(func.sum(func.hashtextextended(texts.c.row, seed)), String()) for seed in (0, 1)]
    # one type in all of the queries; a cast to text would take the blanks of a CHAR column away
    name = func.format("%s", texts.c.document_id)
    grouped = select(literal(place), name, func.count(), *hashes)
    if all(map(str.isdigit, ids)):  # numbers, mostly: no collation takes two of them for one
        return grouped.group_by(texts.c.document_id)
    return grouped.group_by(*exactly(texts.c.document_id, conn.dialect))
