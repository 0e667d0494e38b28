"""Intervals of an 867: ends on the sender's clock become blocks of local days, in UTC.

Source: 867_03 and 867IU: one QTY per interval, then the DTM of its end: date, hhmm, time code. `ES`, `ED`, `CS`, `CD`
say standard or daylight time; `ET`, `CT` and no code are the local clock, which cannot tell the two hours of an autumn
night apart. Midnight is 2400 or 0000 of the next day.
"""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from billing_assets.metering.import_engine.messages import Finding, IntervalBlock, QualityRun, Stream
from billing_assets.metering.import_engine.x12_sets.codes import finding
from billing_assets.metering.import_engine.x12_sets.elements import day, minutes, number, total
from billing_assets.metering.import_engine.x12_sets.options import SetOptions
from billing_assets.metering.import_engine.x12_sets.usage_content import UNITS, IntervalRow, Loop

_FIXED = {"ES": -300, "ED": -240, "CS": -360, "CD": -300, "UT": 0, "GM": 0}
"""Time codes that name an offset: minutes east of Greenwich."""

_LOCAL = frozenset({"ET", "CT", "LT", ""})
_LENGTHS = frozenset({1, 5, 10, 15, 30, 60})
_DAY = 24 * 60
_FIRST, _LAST = date(1970, 1, 2).toordinal(), date(2199, 12, 30).toordinal()
_EPOCH = date(1970, 1, 1).toordinal()
_MOST = Decimal(10) ** 9
_FINEST = 9  # decimals; so a value scaled to a whole number fits into 64 bits


class Placed(NamedTuple):
    """An interval in its local day. `end`: UTC, in minutes since 1970. `place`: in the day, from 0."""

    row: IntervalRow
    day: int
    place: int
    value: Decimal


class Read(NamedTuple):
    """What a loop's intervals are. `sum`: of all of them, as written."""

    unit: str
    sum: Decimal
    blocks: list[IntervalBlock]


def read_intervals(
    loop: Loop, point: str, start: date | None, end: date | None, options: SetOptions, found: list[Finding]
) -> Read:
    """The blocks of a loop, a local day each; what is missing, repeated, outside or unreadable is noted."""
    rows = loop.intervals
    zone = options.eastern_zone if rows[0].time_code[:1] == "E" else options.zone
    ends = [_end(row, zone, found) for row in rows]
    length = _length(loop, ends, options)
    placed = _place(rows, ends, length, zone, found)
    inside = _inside(placed, start, end, options, found)
    _count(inside, start, end, length, zone, options, loop.position, found)
    unit = rows[0].unit or (loop.meter_type[:2] if loop.meter_type[:2] in UNITS else "KH")
    stream = Stream(point, unit, loop.meter, UNITS.get(unit, unit), length * 60)
    blocks = [block for number, ones in sorted(inside.items()) for block in _blocks(stream, number, ones, length, zone)]
    return Read(unit, total(one.value for one in placed), blocks)


def _end(row: IntervalRow, zone: str, found: list[Finding]) -> int | None:
    """The end in minutes UTC."""
    on, at = day(row.day), minutes(row.time)
    offset = _FIXED.get(row.time_code)
    if on is None or at is None or (offset is None and row.time_code not in _LOCAL):
        sentence = f"The end of an interval cannot be read: {row.day[:12]!r} {row.time[:12]!r} {row.time_code[:4]!r}."
        found.append(finding("BAD_INTERVAL", row.position, sentence))
        return None
    ordinal = on.toordinal()
    if not _FIRST <= ordinal <= _LAST:
        found.append(finding("BAD_INTERVAL", row.position, f"The end of an interval is in the year {on.year}."))
        return None
    if offset is None:
        offset = _local_offset(ordinal, at, zone)
    return (ordinal - _EPOCH) * _DAY + at - offset


@lru_cache(maxsize=2**13)
def _local_offset(ordinal: int, at: int, zone: str) -> int:
    """Minutes east of Greenwich on the local clock; of an hour that comes twice, the first."""
    local = datetime.combine(date.fromordinal(ordinal), datetime.min.time(), ZoneInfo(zone)) + timedelta(minutes=at)
    offset = local.utcoffset()
    return 0 if offset is None else int(offset.total_seconds()) // 60


@lru_cache(maxsize=2**12)
def _midnight(ordinal: int, zone: str) -> int:
    """The begin of a local day in minutes UTC."""
    return (ordinal - _EPOCH) * _DAY - _local_offset(ordinal, 0, zone)


def _length(loop: Loop, ends: list[int | None], options: SetOptions) -> int:
    """Minutes of an interval: as the meter type says (`KH015`), else as most ends lie apart, else the setting."""
    said = loop.meter_type[2:]
    if len(said) == 3 and said.isascii() and said.isdigit() and int(said) in _LENGTHS:
        return int(said)
    known = [one for one in ends if one is not None]
    apart = Counter(after - before for before, after in pairwise(known))
    likely = apart.most_common(1)
    return likely[0][0] if likely and likely[0][0] in _LENGTHS else options.interval_minutes


def _place(
    rows: list[IntervalRow], ends: list[int | None], length: int, zone: str, found: list[Finding]
) -> list[Placed]:
    placed = []
    for row, end in zip(rows, ends, strict=True):
        value = number(row.quantity)
        if value is None or abs(value) >= _MOST or len(row.quantity.partition(".")[2]) > _FINEST:
            value = None
            found.append(
                finding("BAD_INTERVAL", row.position, f"{row.quantity[:20]!r} is not the quantity of an interval.")
            )
        if value is None or end is None:
            continue
        begin = end - length
        ordinal = begin // _DAY + _EPOCH
        while begin < _midnight(ordinal, zone):
            ordinal -= 1
        while begin >= _midnight(ordinal + 1, zone):
            ordinal += 1
        index, off = divmod(begin - _midnight(ordinal, zone), length)
        if off:
            sentence = (
                f"The interval that ends at {row.time} of {row.day} is off the clock of {length}-minute intervals."
            )
            found.append(finding("BAD_INTERVAL", row.position, sentence))
            index = -1
        placed.append(Placed(row, ordinal, index, value))
    return placed


def _inside(
    placed: list[Placed], start: date | None, end: date | None, options: SetOptions, found: list[Finding]
) -> dict[int, list[Placed]]:
    """By local day, those of the service period."""
    first = start.toordinal() if start else 0
    last = end.toordinal() + options.end_day_is_used if end else _LAST + 2
    days: dict[int, list[Placed]] = {}
    outside: list[Placed] = []
    for one in placed:
        if first <= one.day < last:
            days.setdefault(one.day, []).append(one)
        else:
            outside.append(one)
    if outside:
        row = outside[0].row
        sentence = (
            f"{len(outside)} intervals are outside the service period, the first ends at {row.time} of {row.day}."
        )
        found.append(finding("INTERVAL_OUTSIDE", row.position, sentence))
    return days


def _count(
    days: dict[int, list[Placed]],
    start: date | None,
    end: date | None,
    length: int,
    zone: str,
    options: SetOptions,
    line: int,
    found: list[Finding],
) -> None:
    """Each local day of the period has all its intervals, each of them once."""
    for ordinal, ones in sorted(days.items()):
        want = (_midnight(ordinal + 1, zone) - _midnight(ordinal, zone)) // length
        seen: dict[int, Placed] = {}
        repeated = [one for one in ones if one.place >= 0 and seen.setdefault(one.place, one) is not one]
        if len(seen) != want and len(ones) != want:
            sentence = f"{date.fromordinal(ordinal)} has {len(seen)} of {want} intervals."
            found.append(finding("MISSING_INTERVALS", ones[0].row.position, sentence))
        for one in repeated:
            row, first = one.row, seen[one.place].row.position
            when = f"{row.time} {row.time_code} of {row.day}".replace("  ", " ")
            sentence = f"The interval that ends at {when} comes twice, first at segment {first}."
            found.append(finding("REPEATED_INTERVAL", row.position, sentence))
    if not start or not end or start >= end:
        return
    begin, last = start.toordinal(), end.toordinal() + options.end_day_is_used
    empty = last - begin - len(days)
    if empty > 0:
        missed = next(ordinal for ordinal in range(begin, last) if ordinal not in days)
        sentence = f"{empty} days of the service period have no interval, the first is {date.fromordinal(missed)}."
        found.append(finding("MISSING_INTERVALS", line, sentence))


def _blocks(stream: Stream, ordinal: int, ones: list[Placed], length: int, zone: str) -> list[IntervalBlock]:
    """The runs of consecutive intervals of a day; of a repeated one the first."""
    seen: dict[int, Placed] = {}
    for one in ones:
        if one.place >= 0:
            seen.setdefault(one.place, one)
    runs: list[list[Placed]] = []
    for index in sorted(seen):
        if runs and runs[-1][-1].place == index - 1:
            runs[-1].append(seen[index])
        else:
            runs.append([seen[index]])
    return [_block(stream, ordinal, run, length, zone) for run in runs]


def _block(stream: Stream, ordinal: int, run: list[Placed], length: int, zone: str) -> IntervalBlock:
    texts = [one.row.quantity.partition(".") for one in run]
    decimals = max(len(fraction) for _, _, fraction in texts)
    values = [int(whole + fraction.ljust(decimals, "0") or "0") for whole, _, fraction in texts]
    begin = _midnight(ordinal, zone) + run[0].place * length
    qualities: list[QualityRun] = []
    for at, one in enumerate(run, 1):
        quality = "E" if one.row.is_estimated else "A"
        if qualities and qualities[-1].quality == quality:
            qualities[-1] = qualities[-1]._replace(last=at)
        else:
            qualities.append(QualityRun(at, at, quality))
    return IntervalBlock(
        stream,
        date.fromordinal(ordinal),
        datetime.fromtimestamp(begin * 60, UTC),
        np.array(values, dtype=np.int64),
        decimals,
        qualities[0].quality if len(qualities) == 1 else "V",
        run[0].row.position,
        qualities if len(qualities) > 1 else [],
    )
