"""One pass over a resource of a source: what is new or changed becomes raw files, in the transaction that moves the
watermark. Killed anywhere, the next pass does all of it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from tempfile import SpooledTemporaryFile
from typing import IO, Any, NamedTuple

from billing_assets.foundation.database.connection import Connection
from billing_assets.metering.extraction import store
from billing_assets.metering.extraction.errors import TotalDiffersError
from billing_assets.metering.extraction.pieces import head, record_of
from billing_assets.metering.extraction.store import Mark
from billing_assets.metering.import_engine.extracts.contract import Resource, stamp
from billing_assets.metering.import_engine.store import Origin, store_raw

_IN_MEMORY = 8 * 2**20
_CHUNK = 1_000_000


@dataclass(slots=True)
class Reading:
    """What a source gives in a pass. `unchanged`: it says that nothing changed. `asked`, `etag`: known once all records
    were taken, as is `total`, the records that there are: what an API was asked, and its mark of the answer."""

    records: Iterable[Mapping[str, Any]]
    unchanged: bool = False
    asked: str | None = None
    etag: str | None = None
    total: int | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """A system that is read. `name`: part of what is known of it, so it never changes. `channel`: sql or api. `read`:
    asks for what changed at or after a time (None: everything); `Mark` says how far it was read before. `zone`: of the
    days of its interval data."""

    name: str
    channel: str
    read: Callable[[Resource, datetime | None, Mark], Reading]
    overlap: timedelta
    zone: str = "UTC"
    records_per_file: int = 100_000


class Extracted(NamedTuple):
    """What a pass did. `records`: that came; `pieces`: those that were new or changed; `files`: they are in. `bad`: the
    files whose records cannot be read: they are refused, and say why."""

    source: str
    resource: str
    records: int
    pieces: int
    files: tuple[int, ...]
    bad: tuple[int, ...]
    watermark: datetime | None


def extract(connection: Connection, source: Source, resource: Resource) -> Extracted:
    """One pass. Raises ExtractionError and SourceError; then nothing was stored, and the watermark stays."""
    with connection.transaction():
        mark = store.lock(connection, source.name, resource.name)
        since = mark.watermark - source.overlap if mark.watermark else None
        reading = source.read(resource, since, mark)
        if reading.unchanged:
            store.note_unchanged(connection, source.name, resource.name)
            return Extracted(source.name, resource.name, 0, 0, (), (), mark.watermark)
        records = store.keep_incoming(connection, (record_of(resource, one) for one in reading.records))
        if reading.total is not None and (different := store.different_records(connection)) != reading.total:
            raise TotalDiffersError(
                resource.name,
                f"it gave {different:,} records and says that there are {reading.total:,}. Nothing was stored; it is "
                "read again.",
            )
        pieces = store.find_fresh(connection, source.name, resource.name)
        files, bad = _store(connection, source, resource, since) if pieces else ([], [])
        store.note_known(connection, source.name, resource.name)
        moved = store.move(connection, source.name, resource.name, source.overlap, reading.asked, reading.etag)
    return Extracted(source.name, resource.name, records, pieces, tuple(files), tuple(bad), moved)


def _store(
    connection: Connection, source: Source, resource: Resource, since: datetime | None
) -> tuple[list[int], list[int]]:
    """Stores the fresh lines as raw files, each of whole pieces: those that can be read, and the others."""
    stored: tuple[list[int], list[int]] = ([], [])
    count, before = 0, None
    spool: IO[bytes] = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 (closed below, and another in its place)

    def end() -> None:
        nonlocal spool, count
        if count and before is not None:
            number = len(stored[0]) + len(stored[1]) + 1
            name = f"{source.name} {resource.name} {stamp(since) if since else 'all'} {number}.jsonl"
            chunks = _chunks(head(resource, source.name, source.zone, count), spool)
            file = store_raw(connection, Origin(name, source.channel, sender=source.name), chunks)
            stored[before.bad].append(file or 0)
        spool.close()
        spool, count = SpooledTemporaryFile(_IN_MEMORY), 0  # noqa: SIM115

    for one in store.fresh_lines(connection):
        if before is not None and (
            one.bad != before.bad or (count >= source.records_per_file and one.piece != before.piece)
        ):
            end()
        spool.write(one.line.encode() + b"\n")
        count, before = count + 1, one
    end()
    spool.close()
    return stored


def _chunks(first: bytes, spool: IO[bytes]) -> Iterator[bytes]:
    yield first
    spool.seek(0)
    while chunk := spool.read(_CHUNK):
        yield chunk
