"""One file from its bytes to messages and readings: all of it, or its verdict alone, in one transaction."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import BinaryIO

import psycopg

from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.x12.delimiters import Isa
from billing_assets.metering.import_engine import message_store, store
from billing_assets.metering.import_engine.arrivals import Arrival, MessageState, OpenTakeIn, TakeIn
from billing_assets.metering.import_engine.errors import BusyError, UnforeseenContentError
from billing_assets.metering.import_engine.findings import note
from billing_assets.metering.import_engine.formats import read_file
from billing_assets.metering.import_engine.message_store import NewMessage
from billing_assets.metering.import_engine.messages import (
    FileReport,
    IntervalBlock,
    Message,
    RegisterRead,
    SetMessage,
    Verdict,
)
from billing_assets.metering.import_engine.opening import LIMITS, Limits, open_content
from billing_assets.metering.import_engine.opening_codes import OPENING
from billing_assets.metering.import_engine.options import DEFAULT, ReadOptions
from billing_assets.metering.import_engine.raw_bytes import opened
from billing_assets.metering.import_engine.store import RawFile
from billing_assets.metering.import_engine.x12_sets.usage_content import CANCEL
from billing_assets.work_queue import claims
from billing_assets.work_queue.working import Work

BATCH = 1000
"""Messages that are in memory at once."""
ATTEMPTS = 3
"""How often a file is begun again at once where another process had what it needs, and was needed by it."""

STATES = {Verdict.ACCEPT: "accepted", Verdict.HOLD: "held", Verdict.REFUSE: "refused"}
DUPLICATE = "duplicate"

Read = Callable[[BinaryIO, FileReport, ReadOptions, Limits], Iterator[Message]]
_FAULTS = (ValueError, ArithmeticError, LookupError, TypeError, AttributeError, AssertionError, RecursionError)
"""What a fault of a reader may be: it costs one file, not the run."""


def _take_nothing(_: Sequence[Arrival]) -> list[MessageState]:
    return []


def _no_more(_: Connection, __: RawFile, ___: FileReport) -> None:
    """Nothing follows from a file."""


@dataclass(frozen=True, slots=True)
class Loader:
    """How files are read. `open_take_in`: what takes their readings in. `options`: how the files of a sender are read.
    `after`: what follows from a file that was read, in its transaction: acknowledgements, pairs. `newest_wins`: whether
    what comes in a folder may withdraw what counts."""

    open_take_in: OpenTakeIn = lambda _: _take_nothing
    options: Callable[[Connection, RawFile], ReadOptions] = lambda _, __: DEFAULT
    after: Callable[[Connection, RawFile, FileReport], None] = _no_more
    newest_wins: Callable[[str], bool] = lambda _: False
    limits: Limits = LIMITS
    read: Read = read_file


@dataclass(slots=True)
class _Written:
    """What was written of a file so far."""

    messages: int = 0
    made_at: datetime | None = None


def load(connection: Connection, work: Work, loader: Loader) -> str:
    """Reads a claimed file and notes what became of it; returns its state. Its messages are there with its verdict, or
    neither is; of a refused one there are none.

    Raises StaleClaimError where another process has it, BusyError where it is to be tried later, and
    UnforeseenContentError where a person must look.
    """
    file = store.file_of(connection, work.claim.item)
    if file is None:
        raise AssertionError("a claimed file is there")
    try:
        for _ in range(ATTEMPTS):
            with suppress(psycopg.errors.DeadlockDetected):
                return _load(connection, work, file, loader)
    except (psycopg.DataError, psycopg.IntegrityError, *_FAULTS) as error:
        what = f"its content was not foreseen ({type(error).__name__}: {error}). It is kept; report it with its bytes."
        raise UnforeseenContentError(file.id, file.name, what) from error
    raise BusyError(file.id, file.name, "another process wrote to the same streams; it is read again.")


def _load(connection: Connection, work: Work, file: RawFile, loader: Loader) -> str:
    with connection.transaction():
        if file.kept is not None:
            return _refuse_for_size(connection, work, file, loader.limits)
        content_sha256 = _content_sha256(connection, file, loader.limits)
        original = store.original_of(connection, file.id, content_sha256)
        if original is None:
            state = _read(connection, work, file, loader, content_sha256)
        else:
            state = DUPLICATE
            store.decide_duplicate(connection, file.id, original, content_sha256)
        claims.complete(connection, work.claim)
    return state


def _refuse_for_size(connection: Connection, work: Work, file: RawFile, limits: Limits) -> str:
    """Only its beginning is there: what it is is not asked, and no other file is the same."""
    report = FileReport()
    note(report, OPENING["R-SIZE"], limit=f"{min(limits.max_bytes, file.size - 1):,}")
    store.decide(connection, file.id, STATES[Verdict.REFUSE], report, None, 0, None)
    claims.complete(connection, work.claim)
    return STATES[Verdict.REFUSE]


def _read(connection: Connection, work: Work, file: RawFile, loader: Loader, content_sha256: bytes) -> str:
    report, written = FileReport(), _Written()
    with connection.transaction() as writing:
        _write(connection, work, file, loader, report, written)
        if report.worst is Verdict.REFUSE:
            written.messages = 0
            raise psycopg.Rollback(writing)
    store.decide(connection, file.id, STATES[report.worst], report, written.made_at, written.messages, content_sha256)
    loader.after(connection, file, report)
    return STATES[report.worst]


def _write(
    connection: Connection, work: Work, file: RawFile, loader: Loader, report: FileReport, written: _Written
) -> None:
    options, take_in = loader.options(connection, file), loader.open_take_in(connection)
    newest_wins = loader.newest_wins(file.folder or "")
    messages = loader.read(opened(connection, file), report, options, loader.limits)
    while batch := list(islice(messages, BATCH)):
        work.check()
        written.made_at = made_at(report, options)
        if report.worst is not Verdict.REFUSE:  # else all of it goes: it is read on for its findings alone
            _write_batch(connection, file.id, batch, report, written.made_at, newest_wins, take_in)
            written.messages += len(batch)
    written.made_at = made_at(report, options)


def _write_batch(
    connection: Connection,
    file: int,
    batch: list[Message],
    report: FileReport,
    made: datetime | None,
    newest_wins: bool,
    take_in: TakeIn,
) -> None:
    new = list(zip(message_store.new_ids(connection, len(batch)), batch, strict=True))
    hashes = {number: message_store.hash_of(one) for number, one in new}
    arrivals = [
        Arrival(number, one, made, newest_wins, held=_held(one, report), content_hash=hashes[number])
        for number, one in new
        if not isinstance(one, SetMessage)
    ]
    sent_at = {one.isa.control: _isa_time(one.isa) for one in report.interchanges}
    sets = {number: one for number, one in new if isinstance(one, SetMessage)}
    for number, found in sets.items():
        if getattr(found.content, "purpose", "") != CANCEL:
            sent = sent_at.get(found.interchange)
            arrivals += [Arrival(number, block, sent, newest_wins) for block in message_store.intervals_of(found)]
    states = {one.message: one for one in take_in(arrivals) if one.message not in sets} if arrivals else {}
    rows = []
    for number, one in new:
        said = states.pop(number, None)
        state = _state_of_set(number, one, report) if isinstance(one, SetMessage) else said
        sent = sent_at.get(one.interchange) if isinstance(one, SetMessage) else None
        rows.append(NewMessage(number, one, state or MessageState(number, "accepted"), hashes[number], sent))
    message_store.write(connection, file, rows)
    message_store.set_states(connection, list(states.values()), of_readings=True)


def _isa_time(isa: Isa) -> datetime | None:
    try:
        return datetime.strptime(isa.date + isa.time, "%y%m%d%H%M").replace(tzinfo=UTC)
    except ValueError:
        return None


def _held(block: IntervalBlock | RegisterRead, report: FileReport) -> tuple[str, str] | None:
    """By what its reader holds a block."""
    return (block.hold, _sentence(block.hold, block.line, report)) if block.hold else None


def _state_of_set(number: int, one: SetMessage, report: FileReport) -> MessageState:
    if one.verdict is Verdict.ACCEPT:
        return MessageState(number, "accepted")
    code = one.codes[0] if one.codes else "R-FORMAT"
    return MessageState(number, STATES[one.verdict], code, _sentence(code, one.line, report))


def _sentence(code: str, line: int, report: FileReport) -> str:
    """What the reader said of it: of the finding of this code that is nearest after the message's first line."""
    found = [one for one in report.findings if one.code == code]
    after = [one for one in found if one.line is not None and one.line >= line]
    if best := min(after, key=lambda one: one.line or 0, default=found[0] if found else None):
        return best.sentence
    return f"Line {line}: {code}; its file has more findings than are kept."


def made_at(report: FileReport, options: ReadOptions) -> datetime | None:
    """When the sender made the file, as its header says: in ISO 8601, or of twelve digits on the market's clock."""
    if report.interchanges:
        return _isa_time(report.interchanges[-1].isa)
    said = report.header.get("created", "")
    try:
        if len(said) == 12 and said.isdigit():
            return datetime.strptime(said, "%Y%m%d%H%M").replace(tzinfo=UTC) - options.nem_offset
        found = datetime.fromisoformat(said)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _content_sha256(connection: Connection, file: RawFile, limits: Limits) -> bytes:
    """Of what is in it: the same in a zip and outside of one."""
    with opened(connection, file) as source:
        if not source.peek(4).startswith(b"PK"):
            return file.sha256
        report = FileReport()
        content = open_content(source, report, limits)
        if content is None:
            return file.sha256
        found = bytes.fromhex(content.sha256())
        return found if report.worst is not Verdict.REFUSE else file.sha256
