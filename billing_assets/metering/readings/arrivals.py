"""Readings on their way into the database, and what became of each."""

import hashlib
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from billing_assets.metering.import_engine.messages import IntervalBlock, RegisterRead, Stream
from billing_assets.metering.readings.versions import VARIES, Version

_EPOCH = date(1970, 1, 1)


class StreamKey(NamedTuple):
    """What a stream is known by. `register`: of register reads the meter's serial number, else empty: two meters of a
    point may have registers of one suffix, interval data of one suffix are one stream whatever the meter."""

    point: str
    suffix: str
    register: str

    @classmethod
    def of(cls, stream: Stream) -> "StreamKey":
        """Of a stream as a file names it."""
        return cls(stream.point, stream.suffix, "" if stream.length_seconds else stream.serial)


class Arrival(NamedTuple):
    """A version that is to be taken in. `message`: in raw_messages; None for an estimate or an edit, whose `origin`
    says so. `made_at`: when its message was made. `newest_wins`: its sender may withdraw an actual value."""

    message: int | None
    block: IntervalBlock | RegisterRead
    made_at: datetime | None = None
    newest_wins: bool = False
    origin: str = "message"
    method: str = ""
    inputs: dict[str, Any] | None = None
    decision: int | None = None


class MessageState(NamedTuple):
    """The state that a message has now: `ready`, `held`, `superseded`, `duplicate`; why, where it is held."""

    message: int
    state: str
    code: str | None = None
    sentence: str | None = None


def day_of(block: IntervalBlock | RegisterRead) -> date:
    """The day that a version is filed under: of a register read the one of its end (UTC)."""
    if isinstance(block, IntervalBlock):
        return block.day
    ends = block.end or block.begin or block.updated_at
    return ends.date() if ends else _EPOCH


def quantity(block: IntervalBlock | RegisterRead) -> Decimal:
    """The sum of its readings, exact."""
    if isinstance(block, IntervalBlock):
        return Decimal(int(block.values.sum())).scaleb(-block.decimals)
    return block.quantity


def readings(block: IntervalBlock | RegisterRead) -> int:
    """How many readings it is."""
    return len(block.values) if isinstance(block, IntervalBlock) else 1


def period(block: IntervalBlock | RegisterRead) -> tuple[datetime | None, datetime | None]:
    """From when until when (UTC)."""
    if isinstance(block, RegisterRead):
        return block.begin, block.end
    starts = int(block.start.timestamp())
    ends = starts + len(block.values) * block.stream.length_seconds
    return block.start, datetime.fromtimestamp(ends, UTC)


def content_hash(block: IntervalBlock | RegisterRead) -> bytes:
    """Of all that it says, but not of its version stamps: what came twice with the same stamps is one message."""
    if isinstance(block, IntervalBlock):
        said: tuple[object, ...] = (
            block.stream,
            block.start,
            block.decimals,
            block.quality,
            [tuple(run) for run in block.runs],
            block.reason,
            block.reason_text,
            block.currency,
        )
        arrays = [block.values] if block.costs is None else [block.values, block.costs]
    else:
        said = (
            block.stream,
            block.begin,
            block.end,
            block.begin_read,
            block.end_read,
            block.begin_quality,
            block.end_quality,
            str(block.quantity),
            block.direction,
        )
        arrays = []
    found = hashlib.blake2b(repr(said).encode(), digest_size=16)
    for one in arrays:
        found.update(one.astype("<i8", copy=False).tobytes())
    return found.digest()


def version_of(arrival: Arrival, number: int, hashed: bytes, held: str | None) -> Version:
    """As it decides which counts. `number`: its id for the time being."""
    block = arrival.block
    common = {
        "made_at": arrival.made_at,
        "updated_at": block.updated_at,
        "loaded_at": block.loaded_at,
        "content_hash": hashed,
        "newest_wins": arrival.newest_wins,
        "is_edit": arrival.origin == "edit",
        "held": held,
    }
    if isinstance(block, RegisterRead):
        return Version(number, 0, 1, 1, block.end_quality, **common)
    runs = tuple((run.first, run.last, run.quality) for run in block.runs) if block.quality == VARIES else ()
    starts = int(block.start.timestamp())
    return Version(number, starts, block.stream.length_seconds, len(block.values), block.quality, runs, **common)
