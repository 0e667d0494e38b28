"""Readings on their way from a file into the database, and what became of each: what the rooms hand each other."""

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from billing_assets.foundation.database.connection import Connection
from billing_assets.metering.import_engine.messages import IntervalBlock, RegisterRead

_EPOCH = date(1970, 1, 1)


class Arrival(NamedTuple):
    """A version that is to be taken in. `message`: in raw_messages; None for an estimate or an edit, whose `origin`
    says so. `made_at`: when its message was made. `newest_wins`: its sender may withdraw an actual value. `held`: code
    and sentence by which its reader holds it."""

    message: int | None
    block: IntervalBlock | RegisterRead
    made_at: datetime | None = None
    newest_wins: bool = False
    origin: str = "message"
    method: str = ""
    inputs: dict[str, Any] | None = None
    decision: int | None = None
    held: tuple[str, str] | None = None
    content_hash: bytes | None = None


class MessageState(NamedTuple):
    """The state that a message has now: `ready`, `held`, `superseded`, `duplicate`; why, where it is held."""

    message: int
    state: str
    code: str | None = None
    sentence: str | None = None


TakeIn = Callable[[Sequence[Arrival]], list[MessageState]]
"""Takes readings in; returns the states of their messages, and of those whose state changed by it."""
OpenTakeIn = Callable[[Connection], TakeIn]
"""What takes readings in, within one transaction of a connection."""


def day_of(block: IntervalBlock | RegisterRead) -> date:
    """The day that a version is filed under: of a register read the one of its end (UTC)."""
    if isinstance(block, IntervalBlock):
        return block.day
    ends = block.end or block.begin or block.updated_at
    return ends.date() if ends else _EPOCH


def quantity(block: IntervalBlock | RegisterRead) -> Decimal:
    """The sum of its readings as they were written, exact: of a register read before its sign was set right."""
    if isinstance(block, IntervalBlock):
        return Decimal(int(block.values.sum())).scaleb(-block.decimals)
    return Decimal(block.facts.get("Quantity", block.quantity))


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
            block.cost_decimals,
            block.visits,
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
