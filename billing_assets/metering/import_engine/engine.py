"""A run of the import engine: take what is complete, read what waits, move what was read."""

import gc
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog

from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.files.errors import FolderError
from billing_assets.metering.import_engine import loading, taking
from billing_assets.metering.import_engine.loading import Loader
from billing_assets.metering.import_engine.store import QUEUE
from billing_assets.metering.import_engine.taking import Source
from billing_assets.work_queue import claims
from billing_assets.work_queue.working import WorkPolicy, next_item

log = structlog.get_logger(__name__)


@dataclass
class ImportRun:
    """What a run did. `taken`: files that it stored. `read`: files that it read, with their states; `received`: a
    person must look. `waiting`: files that may still be growing. `faults`: folders that it could not look into."""

    taken: list[int] = field(default_factory=list)
    read: dict[int, str] = field(default_factory=dict)
    waiting: int = 0
    moved: int = 0
    faults: list[FolderError] = field(default_factory=list)

    @property
    def states(self) -> Counter[str]:
        """Files by state."""
        return Counter(self.read.values())


def run(
    url: str,
    connection: Connection,
    sources: Sequence[Source],
    loader: Loader,
    worker: str,
    policy: WorkPolicy,
    *,
    may_move: bool = True,
) -> ImportRun:
    """Takes in what is in the folders, and reads whatever waits, also what others left. Safe to repeat, side by side
    with others, and after it was killed."""
    found = ImportRun()
    take_all(connection, sources, found)
    read_waiting(url, connection, loader, worker, policy, found)
    if may_move:
        move_all(connection, sources, found)
    return found


def take_all(connection: Connection, sources: Sequence[Source], found: ImportRun) -> None:
    """Stores what is complete in the folders."""
    for source in sources:
        taken = taking.take(connection, source)
        found.taken += taken.files
        found.waiting += taken.waiting
        found.faults += [taken.fault] if taken.fault else []


def move_all(connection: Connection, sources: Sequence[Source], found: ImportRun) -> None:
    """Moves what was read."""
    for source in sources:
        found.moved += taking.move_read(connection, source)


def read_waiting(
    url: str, connection: Connection, loader: Loader, worker: str, policy: WorkPolicy, found: ImportRun
) -> None:
    """Reads files until none waits. One that cannot be read costs itself only."""
    with _collecting_only_what_is_new():
        while True:
            with next_item(url, connection, QUEUE, worker, policy) as work:
                if work is None:
                    break
                found.read[work.claim.item] = "received"  # should it be parked
                found.read[work.claim.item] = loading.load(connection, work, loader)
    claims.park_abandoned(connection, QUEUE)


@contextmanager
def _collecting_only_what_is_new() -> Iterator[None]:
    """Python's collector leaves alone what was there before: a fifth of the time would go into looking through it."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
