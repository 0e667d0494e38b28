"""Input folders: what is complete is stored, and what was read is moved out of the way.

A file is in our database before it is read, and leaves its folder only after its verdict is committed. What was cut off
at any point is found again: in the folder, in the queue, or moved already.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import structlog

from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.files.errors import AlreadyThereError, FolderError, NotThereError
from billing_assets.foundation.files.folder import FileFacts, Folder, OpenFolder
from billing_assets.metering.import_engine import store
from billing_assets.metering.import_engine.opening import LIMITS
from billing_assets.metering.import_engine.store import Origin, RawFile

log = structlog.get_logger(__name__)

ARCHIVE, ERROR = "archive", "error"
KEPT_OF_TOO_LARGE = store.CHUNK_BYTES
"""How many bytes of a file are stored that is refused for its size: enough to see whose it is."""
_SUFFIXES_OF_PARTS = (".part", ".tmp", ".filepart", ".partial", ".crdownload")


@dataclass(frozen=True, slots=True)
class Source:
    """An input folder. `name`: by which it is known for good. `stable_seconds`: how long a file's size and time must
    have been the same; 0: its senders rename what is complete, so whatever is there is. `max_bytes`: of a larger file
    only the beginning is stored."""

    name: str
    open_folder: OpenFolder
    channel: str = "folder"
    sender: str = ""
    stable_seconds: float = 10.0
    max_bytes: int = LIMITS.max_bytes


@dataclass(frozen=True, slots=True)
class Taken:
    """What a look at a folder found. `files`: those that were stored. `waiting`: those that may still be growing;
    `complete`: those that are not. `fault`: why it could not be looked at, or not to the end."""

    files: tuple[int, ...] = ()
    waiting: int = 0
    complete: int = 0
    fault: FolderError | None = None


def take(connection: Connection, source: Source) -> Taken:
    """Stores the complete files of a folder, each in a transaction of its own; none is read."""
    folder = source.open_folder()
    taken: list[int] = []
    try:
        return _take(connection, source, folder, taken)
    except FolderError as error:
        log.warning("input folder", folder=source.name, reason=str(error))
        return Taken(tuple(taken), fault=error)
    finally:
        folder.close()


def look(connection: Connection, source: Source) -> Taken:
    """Looks into a folder without taking anything; `files` are none. Raises FolderError."""
    folder = source.open_folder()
    try:
        here, complete, _ = _look(connection, source, folder)
    finally:
        folder.close()
    return Taken(waiting=len(here) - len(complete), complete=len(complete))


def _look(
    connection: Connection, source: Source, folder: Folder
) -> tuple[dict[str, FileFacts], list[str], dict[str, RawFile]]:
    """Files that were not taken yet, the names of those that are complete, and the files taken before."""
    found = {
        name: facts for name, facts in folder.facts_of_all().items() if not name.lower().endswith(_SUFFIXES_OF_PARTS)
    }
    known = {one.name: one for one in store.unmoved(connection, source.name)}
    here = {name: facts for name, facts in found.items() if name not in known or not _is_same(known[name], facts)}
    return here, store.note_look(connection, source.name, here, source.stable_seconds), known


def _take(connection: Connection, source: Source, folder: Folder, taken: list[int]) -> Taken:
    here, complete, known = _look(connection, source, folder)
    for name in complete:
        if name in known:  # another file has its place: its content is stored, where it went is unknown
            store.note_moved(connection, known[name].id, None)
        origin = Origin(name, source.channel, source.name, source.sender, here[name].changed_at)
        try:
            file = _store(connection, origin, folder, here[name].size, source.max_bytes)
        except NotThereError:
            continue  # another process took it and has moved it
        if file is not None:
            taken.append(file)
    return Taken(tuple(taken), len(here) - len(complete), len(complete))


def _store(connection: Connection, origin: Origin, folder: Folder, size: int, max_bytes: int) -> int | None:
    chunks = folder.chunks(origin.name)
    if size <= max_bytes:
        return store.store_raw(connection, origin, chunks)
    return store.store_raw(connection, origin, _beginning(chunks, min(max_bytes, KEPT_OF_TOO_LARGE)), of_bytes=size)


def _beginning(chunks: Iterator[bytes], most: int) -> Iterator[bytes]:
    for chunk in chunks:
        yield chunk[:most]
        most -= len(chunk)
        if most <= 0:
            return


def _is_same(file: RawFile, facts: FileFacts) -> bool:
    return (file.size, file.changed_at) == (facts.size, facts.changed_at)


def move_read(connection: Connection, source: Source) -> int:
    """Moves what was read into `archive`, and what was refused or could not be read into `error`; how many files."""
    waiting = [one for one in store.unmoved(connection, source.name) if one.state != "received" or _is_parked(one)]
    if not waiting:
        return 0
    folder = source.open_folder()
    moved = 0
    try:
        for file in waiting:
            moved += _move(connection, folder, file)
    except FolderError as error:
        log.warning("input folder", folder=source.name, reason=str(error))
    finally:
        folder.close()
    return moved


def _is_parked(file: RawFile) -> bool:
    return file.queue_state == "parked"


def _move(connection: Connection, folder: Folder, file: RawFile) -> bool:
    facts = folder.facts(file.name)
    if facts is None:  # it was moved, and we were cut off before we noted it; or a person took it away
        store.note_moved(connection, file.id, file.moved_to)
        return False
    if not _is_same(file, facts):  # another file has its place: it is taken by the next look
        store.note_moved(connection, file.id, None)
        return False
    into = ERROR if file.state == "refused" or _is_parked(file) else ARCHIVE
    to = f"{into}/{file.name}"
    store.plan_move(connection, file.id, to)
    try:
        folder.move(file.name, into, file.name)
    except AlreadyThereError:
        to = f"{into}/{file.id} {file.name}"
        store.plan_move(connection, file.id, to)
        folder.move(file.name, into, f"{file.id} {file.name}")
    except NotThereError:
        log.info("moved by another process", file=file.id)
    store.note_moved(connection, file.id, to)
    return True
