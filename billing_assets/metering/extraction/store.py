"""The SQL of extraction: watermarks, and which pieces of a source are known."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

import psycopg

from billing_assets.foundation.database.connection import Connection
from billing_assets.metering.extraction.errors import ExtractionBusyError
from billing_assets.metering.extraction.pieces import Record

_AT_ONCE = 5_000


class Mark(NamedTuple):
    """How far a resource was extracted. `watermark`: the newest change seen; None: none is told. `extracted_at`: when
    it was read last; None: never. `asked`, `etag`: what an API was asked then, and its mark of the answer."""

    watermark: datetime | None
    extracted_at: datetime | None
    asked: str | None
    etag: str | None


class Fresh(NamedTuple):
    """A line that was not known. `piece`: what it belongs to. `bad`: the piece cannot be read."""

    piece: str
    bad: bool
    line: str


def lock(connection: Connection, source: str, resource: str) -> Mark:
    """How far a resource was extracted, locked to the end of the transaction. Raises ExtractionBusyError."""
    connection.execute(
        "insert into billing.extractions (source, resource) values (%s, %s) on conflict do nothing", [source, resource]
    )
    try:
        with connection.transaction():
            row = connection.execute(
                """
                select watermark, extracted_at, asked, etag from billing.extractions
                where (source, resource) = (%s, %s) for update nowait""",
                [source, resource],
            ).fetchone()
    except psycopg.errors.LockNotAvailable:
        raise ExtractionBusyError(source, resource) from None
    if row is None:
        raise AssertionError("the row was made")
    return Mark(**row)


def keep_incoming(connection: Connection, records: Iterable[Record]) -> int:
    """Keeps what a source gives until the end of the transaction; how many records."""
    connection.execute("drop table if exists incoming")
    connection.execute(
        """
        create temporary table incoming (piece text not null, record text not null, updated_at timestamptz,
            bad boolean not null, line text not null) on commit drop"""
    )
    count = 0
    with (
        connection.cursor() as cursor,
        cursor.copy("copy incoming (piece, record, updated_at, bad, line) from stdin") as copy,
    ):
        for record in records:
            copy.write_row(record)
            count += 1
    return count


def different_records(connection: Connection) -> int:
    """How many records came, each counted once."""
    row = connection.execute(
        "select count(*) as many from (select distinct piece, record from incoming) as i"
    ).fetchone()
    return int(row["many"]) if row else 0


def find_fresh(connection: Connection, source: str, resource: str) -> int:
    """Finds the pieces that are new or not what they were; how many. Of a record that came twice the newest counts."""
    connection.execute("drop table if exists fresh")
    connection.execute("drop table if exists newest")
    connection.execute(
        """
        create temporary table newest on commit drop as
        select distinct piece, record, updated_at, bad, line from (
            select *, rank() over (partition by piece, record order by updated_at desc nulls last) as place
            from incoming) as i
        where place = 1"""
    )
    found = connection.execute(
        """
        create temporary table fresh on commit drop as
        select * from (
            select piece, max(updated_at) as updated_at, bool_or(bad) as bad,
                sha256(convert_to(string_agg(line, E'\\n' order by line collate "C"), 'UTF8')) as hash
            from newest group by piece) as n
        where not exists (
            select from billing.extracted_pieces as k
            where (k.source, k.resource, k.piece, k.hash) = (%s, %s, n.piece, n.hash))""",
        [source, resource],
    )
    return found.rowcount


def fresh_lines(connection: Connection) -> Iterator[Fresh]:
    """The lines of fresh pieces: pieces that can be read first, then by change; each whole."""
    with connection.cursor(name="fresh_lines") as cursor:
        cursor.itersize = _AT_ONCE
        cursor.execute(
            """
            select f.piece, f.bad, n.line from fresh as f join newest as n on n.piece = f.piece
            order by f.bad, f.updated_at nulls first, f.piece collate "C", n.record collate "C", n.line collate "C\""""
        )
        for row in cursor:
            yield Fresh(**row)


def note_known(connection: Connection, source: str, resource: str) -> None:
    """Notes the fresh pieces as known."""
    connection.execute(
        """
        insert into billing.extracted_pieces (source, resource, piece, hash, updated_at)
        select %s, %s, piece, hash, updated_at from fresh
        on conflict (source, resource, piece) do update set hash = excluded.hash, updated_at = excluded.updated_at""",
        [source, resource],
    )


def move(
    connection: Connection, source: str, resource: str, overlap: timedelta, asked: str | None, etag: str | None
) -> datetime | None:
    """Moves the watermark to the newest change that came, never beyond now, and forgets what no later pass reads again:
    of a source that tells no changes, whatever this pass had not."""
    row = connection.execute(
        """
        update billing.extractions as e set extracted_at = clock_timestamp(), asked = %s, etag = %s,
            watermark = greatest(e.watermark, (
                select max(least(updated_at, clock_timestamp())) from incoming where updated_at is not null))
        where (source, resource) = (%s, %s) returning watermark""",
        [asked, etag, source, resource],
    ).fetchone()
    watermark: datetime | None = row["watermark"] if row else None
    connection.execute(
        """
        delete from billing.extracted_pieces as k where (source, resource) = (%s, %s) and (
            updated_at < %s
            or updated_at is null and not exists (select from incoming as i where i.piece = k.piece))""",
        [source, resource, watermark - overlap if watermark else None],
    )
    return watermark


def note_unchanged(connection: Connection, source: str, resource: str) -> None:
    """Notes that a source says that nothing changed."""
    connection.execute(
        "update billing.extractions set extracted_at = clock_timestamp() where (source, resource) = (%s, %s)",
        [source, resource],
    )


def forget(connection: Connection, source: str, resource: str) -> None:
    """Has a resource extracted from the beginning: what is the same as before is known by its content then."""
    connection.execute(
        """
        update billing.extractions set watermark = null, extracted_at = null, asked = null, etag = null
        where (source, resource) = (%s, %s)""",
        [source, resource],
    )
    connection.execute("delete from billing.extracted_pieces where (source, resource) = (%s, %s)", [source, resource])


class Held(NamedTuple):
    """What is held of extracts, by code; `about`: resources and tariffs, for people."""

    code: str
    number: int
    about: list[str]


def held(connection: Connection, since: datetime) -> list[Held]:
    """Prices that do not count now, and extracts of master data that did not load: since a time, and the last of each
    resource."""
    rows = connection.execute(
        """
        select code, count(*) as number,
            array_agg(distinct concat_ws(' ', tariff, component, nullif(place, ''))) as about
        from billing.tariff_prices where state = 'held' and replaced_at is null group by code
        union all
        select 'MASTER_DATA', count(*), array_agg(distinct l.resource) from billing.extract_loads as l
        where l.sentence is not null and l.resource <> 'tariffs' and (l.noted_at >= %s or not exists (
            select from billing.extract_loads as later
            where later.resource = l.resource and (later.noted_at, later.file) > (l.noted_at, l.file)))
        having count(*) > 0
        order by code""",
        [since],
    )
    return [Held(**row) for row in rows]


class HeldLoad(NamedTuple):
    """An extract of master data or prices of which something does not count, and why."""

    file: int
    sentence: str


def held_loads(connection: Connection, files: list[int]) -> list[HeldLoad]:
    """What is held of these extracts."""
    rows = connection.execute(
        "select file, sentence from billing.extract_loads where file = any (%s) and sentence is not null", [files]
    )
    return [HeldLoad(**row) for row in rows]
