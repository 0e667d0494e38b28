"""Interval data of an extract as blocks. Days are looked at one by one: an extract has whole days, and need not have
those between."""

from collections.abc import Hashable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from billing_assets.metering.import_engine.csv_numbers import NotANumberError, Numbers
from billing_assets.metering.import_engine.extracts.codes import EXTRACTS
from billing_assets.metering.import_engine.findings import note
from billing_assets.metering.import_engine.interval_blocks import Shape, blocks
from billing_assets.metering.import_engine.interval_rows import NO_TIME, ROW, Qualities, RowSpool
from billing_assets.metering.import_engine.local_days import DAY, LocalDays
from billing_assets.metering.import_engine.messages import FileReport, IntervalBlock

_AT_ONCE = 20_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Key(NamedTuple):
    """A day of a stream, as its rows name it."""

    point: str
    suffix: str
    serial: str
    unit: str
    day: date


def interval_blocks(
    records: Iterable[tuple[int, dict[str, Any]]], zone: ZoneInfo, report: FileReport
) -> Iterator[IntervalBlock]:
    """The blocks of the rows, day by day of each stream. A block's version is that of its newest row."""
    qualities, days = Qualities(), LocalDays.of_zone(zone)
    with RowSpool() as spool:
        updated = _spooled(records, spool, qualities, report)
        for key in spool.keys:
            if isinstance(key, _Key):
                shape = Shape(key.point, key.suffix, key.serial, key.unit, days)
                spooled: Hashable = (key, "as of")
                spool.rename(key, spooled, updated.get(key, NO_TIME))
                yield from blocks(spool, [spooled], shape, qualities, report)


def _spooled(
    records: Iterable[tuple[int, dict[str, Any]]], spool: RowSpool, qualities: Qualities, report: FileReport
) -> dict[_Key, int]:
    """Puts the rows into the spool; the newest change of each key."""
    numbers = Numbers(".")
    rows: dict[_Key, list[tuple[int | bool, ...]]] = {}
    updated: dict[_Key, int] = {}
    size = 0
    for line, one in records:
        if not 0 < one["length_seconds"] <= DAY:
            note(report, EXTRACTS["R-EXTRACT-FIELD"], line, field="length_seconds", why="is not between 1 and 86400")
            continue
        with suppress(NotANumberError):
            value, decimals = numbers.read(f"{one['value']:f}")
            key = _Key(one["nmi"], one["suffix"], one["serial_number"] or "", one["unit"], one["day"])
            if one["updated_at"] is not None:
                updated[key] = max(updated.get(key, NO_TIME), _seconds(one["updated_at"]))
            quality = qualities.number(one["quality"], one["reason"] or "")
            start = _seconds(one["starts_at"])
            rows.setdefault(key, []).append(
                (start, one["length_seconds"], -1, value, 0, NO_TIME, 0, line, quality, False, decimals, 0)
            )
            size += 1
            if size >= _AT_ONCE:
                _flush(rows, spool)
                size = 0
            continue
        note(report, EXTRACTS["R-EXTRACT-FIELD"], line, field="value", why="has more than 18 digits")
    _flush(rows, spool)
    return updated


def _flush(rows: dict[_Key, list[tuple[int | bool, ...]]], spool: RowSpool) -> None:
    for key, found in rows.items():
        spool.add(key, np.array(found, ROW))
    rows.clear()


def _seconds(at: datetime) -> int:
    return int((at - _EPOCH).total_seconds())
