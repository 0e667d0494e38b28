"""Writes messages as NEM12 and NEM13 files, for tests: what a reader reads from them must be the same again."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from billing_assets.metering.import_engine.messages import IntervalBlock, Message, RegisterRead
from billing_assets.metering.import_engine.nem.nem13 import FIELDS

_OFFSET = timedelta(hours=10)


def write(messages: Iterable[Message], header: dict[str, str]) -> bytes:
    """A file of these messages."""
    records = ["100," + ",".join(header[name] for name in ("version", "created", "from", "to"))]
    for one in messages:
        if isinstance(one, IntervalBlock):
            records += _day(one)
        elif isinstance(one, RegisterRead):
            records.append("250," + ",".join(one.facts[name] for name in FIELDS))
            records += ["550," + ",".join(visit.values()) for visit in one.visits]
    return "".join(f"{one}\r\n" for one in (*records, "900")).encode()


def _day(block: IntervalBlock) -> Iterator[str]:
    stream, facts = block.stream, dict(block.facts or {})
    yield ",".join(
        (
            *("200", stream.point, facts["NMIConfiguration"], facts["RegisterID"], stream.suffix),
            *(facts["MDMDataStreamIdentifier"], stream.serial, stream.unit, str(stream.length_seconds // 60)),
            facts["NextScheduledReadDate"],
        )
    )
    values = (_number(int(value), block.decimals) for value in block.values)
    stamps = (_stamp(one) for one in (block.updated_at, block.loaded_at))
    yield ",".join((f"300,{block.day:%Y%m%d}", *values, block.quality, block.reason, block.reason_text, *stamps))
    for run in block.runs:
        yield ",".join(("400", *map(str, run)))
    for visit in block.visits:
        yield ",".join(("500", *visit.values()))


def _number(value: int, decimals: int) -> str:
    digits = f"{value:0{decimals + 1}}"
    return f"{digits[:-decimals]}.{digits[-decimals:]}" if decimals else digits


def _stamp(moment: datetime | None) -> str:
    return f"{moment + _OFFSET:%Y%m%d%H%M%S}" if moment else ""
