"""The SQL of raw files: looking, taking, claiming, the verdict, and where the file went."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import psycopg
from psycopg.types.json import Jsonb

from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.files.folder import FileFacts
from billing_assets.metering.import_engine.errors import NoSuchFileError
from billing_assets.metering.import_engine.messages import FileReport
from billing_assets.work_queue import claims
from billing_assets.work_queue.claims import Queue

CHUNK_BYTES = 1_000_000
QUEUE = Queue("billing.raw_files")


class Origin(NamedTuple):
    """Where a file came from. `folder`: by its name in the settings; None: it is in no folder of ours."""

    name: str
    channel: str
    folder: str | None = None
    sender: str = ""
    changed_at: datetime | None = None


class RawFile(NamedTuple):
    """A file that was stored. `sha256`: of its bytes. `moved_to`: where it is, or was about to be moved. `kept`: how
    many of its first bytes are stored, of one that is too large; None: all."""

    id: int
    name: str
    folder: str | None
    sender: str
    size: int
    changed_at: datetime | None
    sha256: bytes
    state: str
    queue_state: str
    moved_to: str | None
    kept: int | None


_FILE = "id, name, folder, sender, size, changed_at, sha256, state, queue_state, moved_to, kept"


def note_look(connection: Connection, folder: str, found: Mapping[str, FileFacts], stable_seconds: float) -> list[str]:
    """Notes what is in a folder; returns the names whose size and time have been the same for long enough, in order.

    One clock reading per look: however slow the machine, a first look alone finds nothing complete, unless 0 seconds
    are enough.
    """
    names = list(found)
    with connection.transaction():
        connection.execute("delete from billing.folder_looks where folder = %s and name <> all (%s)", [folder, names])
        rows = connection.execute(
            """
            insert into billing.folder_looks as l (folder, name, size, changed_at, since)
            select %s, *, statement_timestamp() from unnest(%s::text[], %s::bigint[], %s::timestamptz[])
            on conflict (folder, name) do update set
                size = excluded.size, changed_at = excluded.changed_at,
                since = case when (l.size, l.changed_at) = (excluded.size, excluded.changed_at) then l.since
                             else excluded.since end
            returning name, since <= statement_timestamp() - make_interval(secs => %s) as is_complete""",
            [
                folder,
                names,
                [one.size for one in found.values()],
                [one.changed_at for one in found.values()],
                stable_seconds,
            ],
        ).fetchall()
    return sorted(row["name"] for row in rows if row["is_complete"])


def store_raw(
    connection: Connection, origin: Origin, chunks: Iterable[bytes], *, of_bytes: int | None = None
) -> int | None:
    """Stores a file's bytes, whatever they are, and has it wait to be read; its id. None where a file of this name in
    this folder is stored already and was not moved. `of_bytes`: its size, where these are only its first bytes."""
    file = None
    with connection.transaction() as transaction:
        ids = connection.execute("select nextval(pg_get_serial_sequence('billing.raw_files', 'id')) as id").fetchall()
        file = int(ids[0]["id"])
        size, hashed = 0, hashlib.sha256()
        with (
            connection.cursor() as cursor,
            cursor.copy("copy billing.raw_chunks (file, number, content) from stdin (format binary)") as copy,
        ):
            copy.set_types(["int8", "int4", "bytea"])
            for number, chunk in enumerate(_even(chunks)):
                copy.write_row((file, number, chunk))
                hashed.update(chunk)
                size += len(chunk)
        made = connection.execute(
            """
            insert into billing.raw_files (id, folder, name, channel, sender, size, changed_at, sha256, kept)
            values (%s, %s, %s, %s, %s, %s, %s, %s, %s)
            on conflict (folder, name) where moved_at is null and folder is not null do nothing""",
            [
                file,
                origin.folder,
                origin.name,
                origin.channel,
                origin.sender,
                size if of_bytes is None else of_bytes,
                origin.changed_at,
                hashed.digest(),
                None if of_bytes is None else size,
            ],
        )
        if not made.rowcount:
            file = None
            raise psycopg.Rollback(transaction)
    return file


def _even(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Pieces of one size, whatever size they come in."""
    held = bytearray()
    for chunk in chunks:
        held += chunk
        while len(held) >= CHUNK_BYTES:
            yield bytes(held[:CHUNK_BYTES])
            del held[:CHUNK_BYTES]
    if held:
        yield bytes(held)


def chunk(connection: Connection, file: int, number: int) -> bytes:
    """A piece of a file; empty after the last."""
    row = connection.execute(
        "select content from billing.raw_chunks where (file, number) = (%s, %s)", [file, number]
    ).fetchone()
    return bytes(row["content"]) if row else b""


def file_of(connection: Connection, file: int) -> RawFile | None:
    """A file by its id."""
    row = connection.execute(f"select {_FILE} from billing.raw_files where id = %s", [file]).fetchone()  # noqa: S608
    return RawFile(**row) if row else None


def unmoved(connection: Connection, folder: str) -> list[RawFile]:
    """Files that were taken from a folder and may still be in it."""
    rows = connection.execute(
        f"select {_FILE} from billing.raw_files where folder = %s and moved_at is null order by id",  # noqa: S608
        [folder],
    )
    return [RawFile(**row) for row in rows]


def plan_move(connection: Connection, file: int, to: str) -> None:
    """Notes where a file is about to be moved: if we are killed, what is no longer in its folder is there."""
    connection.execute("update billing.raw_files set moved_to = %s where id = %s and moved_at is null", [to, file])


def note_moved(connection: Connection, file: int, to: str | None) -> None:
    """Notes that a file left its folder; None: it is unknown where to."""
    connection.execute(
        "update billing.raw_files set moved_to = %s, moved_at = clock_timestamp() where id = %s and moved_at is null",
        [to, file],
    )


def original_of(connection: Connection, file: int, content_sha256: bytes) -> int | None:
    """The file that brought the same content before, if there is one. Others with that content wait for the end of the
    transaction."""
    connection.execute("select pg_advisory_xact_lock(hashtextextended(%s, 16))", [content_sha256.hex()])
    row = connection.execute(
        """
        select id from billing.raw_files
        where content_sha256 = %s and state in ('accepted', 'held', 'refused') and id <> %s""",
        [content_sha256, file],
    ).fetchone()
    return int(row["id"]) if row else None


def decide_duplicate(connection: Connection, file: int, original: int, content_sha256: bytes) -> None:
    """Notes that a file brought what another had brought."""
    connection.execute(
        """
        update billing.raw_files
        set state = 'duplicate', duplicate_of = %s, content_sha256 = %s, decided_at = clock_timestamp()
        where id = %s""",
        [original, content_sha256, file],
    )


def decide(
    connection: Connection,
    file: int,
    state: str,
    report: FileReport,
    made_at: datetime | None,
    messages: int,
    content_sha256: bytes | None,
) -> None:
    """Notes the verdict on a file, and what was found in it."""
    readings = sum(one.readings for one in report.streams.values())
    connection.execute(
        """
        update billing.raw_files set state = %s, decided_at = clock_timestamp(), format = %s, header = %s, made_at = %s,
            counts = %s, quality = %s, messages = %s, readings = %s, acknowledgement = %s, content_sha256 = %s
        where id = %s""",
        [
            state,
            report.format,
            Jsonb(plain(report.header)),
            made_at,
            Jsonb(dict(report.counts)),
            Jsonb(plain(dict(report.quality))),
            messages,
            readings,
            report.acknowledgement,
            content_sha256,
            file,
        ],
    )
    row = connection.execute(
        "select coalesce(max(reading), 0) + 1 as reading from billing.raw_findings where file = %s", [file]
    ).fetchone()
    reading = row["reading"] if row else 1
    with (
        connection.cursor() as cursor,
        cursor.copy(
            "copy billing.raw_findings (file, reading, number, code, line, sentence, severity) from stdin"
        ) as c,
    ):
        for number, one in enumerate(report.findings, 1):
            sentence = plain(one.sentence)
            c.write_row((file, reading, number, one.code, one.line, sentence, one.severity.value))
    if state != "refused":
        _write_streams(connection, file, report)


def read_again(connection: Connection, file: int) -> None:
    """Has a refused file, or one that was put aside, read once more. Raises NoSuchFileError where it is neither."""
    with connection.transaction():
        found = connection.execute(
            """
            update billing.raw_files set state = 'received', decided_at = null, content_sha256 = null
            where id = %s and (state = 'refused' or state = 'received' and queue_state = 'parked')""",
            [file],
        )
        if not found.rowcount:
            raise NoSuchFileError(
                f"File {file} is not refused, and was not put aside: there is nothing to be read again."
            )
        claims.put_back(connection, QUEUE, file)


def _write_streams(connection: Connection, file: int, report: FileReport) -> None:
    statement = """
        copy billing.raw_streams (file, point, suffix, serial, unit, length_seconds, readings, quantity, repeated,
            repeated_sum, first, last) from stdin"""
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for stream, totals in report.streams.items():
            sums = totals.readings, totals.sum, totals.repeated, totals.repeated_sum
            copy.write_row((file, *map(plain, stream), *sums, totals.first, totals.last))


def plain(found: Any) -> Any:
    """Texts without the one character that PostgreSQL has no place for; the bytes of the file have it still."""
    if isinstance(found, str):
        return found.replace("\0", "\u2400")
    if isinstance(found, Mapping):
        return {plain(key): plain(value) for key, value in found.items()}
    return [plain(one) for one in found] if isinstance(found, list | tuple) else found
