"""From versions of readings and master data to the facts of a period. Pure: rows in, facts out."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from billing_assets.foundation.calendar.business_days import local_day, parse_zone
from billing_assets.metering.validation.facts import (
    DeviceFacts,
    Direction,
    HistoryPeriod,
    Kind,
    Quality,
    RegisterFacts,
    Statistics,
    StreamFacts,
    quality_of,
)
from billing_assets.metering.validation.grids import Grid
from billing_assets.metering.validation.rows import (
    ClockRow,
    DeviceRow,
    IntervalRow,
    PointRow,
    RegisterRow,
    SupplyRow,
    Terms,
)

OUTAGES = frozenset({"43", "79"})
"""Reason codes that say that the power was off."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NO_ENERGY = frozenset(
    f"{prefix}{unit}" for prefix in ("", "K", "M") for unit in ("VARH", "VAH", "W", "VAR", "VA", "V", "A")
) | {"PF"}
_GENERATION = "B"
_LARGEST = 2**62


class Dated(Protocol):
    """What counts from a day (inclusive) to another (exclusive; None: open)."""

    @property
    def valid_from(self) -> date: ...
    @property
    def valid_until(self) -> date | None: ...


def counts_in(row: Dated, begin: date, end: date) -> bool:
    """Whether a row of master data counts on a day of the period."""
    return row.valid_from < end and (row.valid_until is None or begin < row.valid_until)


@dataclass
class MasterData:
    """What master data says of some points."""

    points: dict[str, list[PointRow]] = field(default_factory=dict)
    terms: dict[tuple[str, str], list[Terms]] = field(default_factory=dict)
    devices: dict[str, list[DeviceRow]] = field(default_factory=dict)
    supplies: dict[str, list[SupplyRow]] = field(default_factory=dict)
    clocks: dict[str, list[ClockRow]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        points: Iterable[PointRow],
        terms: Iterable[Terms],
        devices: Iterable[DeviceRow],
        supplies: Iterable[SupplyRow],
        clocks: Iterable[ClockRow] = (),
    ) -> "MasterData":
        """By point."""
        found = cls()
        for point in points:
            found.points.setdefault(point.point, []).append(point)
        for one in terms:
            found.terms.setdefault((one.point, one.suffix), []).append(one)
        for device in devices:
            found.devices.setdefault(device.point, []).append(device)
        for supply in supplies:
            found.supplies.setdefault(supply.point, []).append(supply)
        for clock in clocks:
            found.clocks.setdefault(clock.point, []).append(clock)
        return found

    def point(self, point: str, begin: date, end: date) -> tuple[ZoneInfo, str]:
        """The time zone and the customer class of a point; UTC and none where it is not known."""
        rows = self.points.get(point, [])
        row = next((one for one in rows if counts_in(one, begin, end)), rows[-1] if rows else None)
        if row is None:
            return ZoneInfo("UTC"), ""
        try:
            return parse_zone(row.zone), row.customer_class
        except ValueError:
            return ZoneInfo("UTC"), row.customer_class

    def terms_of(self, point: str, suffix: str, begin: date, end: date) -> Terms | None:
        """What a stream should look like in a period."""
        return next((one for one in self.terms.get((point, suffix), []) if counts_in(one, begin, end)), None)

    def billed_suffixes(self, point: str, begin: date, end: date) -> dict[str, bool]:
        """The streams that a point should have, and whether they are billed."""
        rows = (row for (of, _), its in self.terms.items() if of == point for row in its)
        return {row.suffix: row.billed for row in rows if counts_in(row, begin, end)}

    def parts_of(self, point: str, suffix: str, begin: date, end: date) -> set[str]:
        """The suffixes of the registers by time of use that add up to a stream."""
        rows = (row for (of, _), its in self.terms.items() if of == point for row in its)
        return {row.suffix for row in rows if row.part_of == suffix and counts_in(row, begin, end)}

    def clock_of(self, point: str, serials: Collection[str], begin: date, end: date) -> int | None:
        """By how many seconds the clock of one of these meters differs, the most; None: not known."""
        rows = [row for row in self.clocks.get(point, []) if row.serial in serials and counts_in(row, begin, end)]
        return max((row.seconds for row in rows), key=abs, default=None)

    def devices_of(self, point: str, suffix: str, begin: date, end: date) -> tuple[DeviceFacts, ...]:
        """The meters of a point in a period, with what is known of their registers for the stream."""
        found: dict[str, DeviceFacts] = {}
        for row in self.devices.get(point, []):
            its = row.suffix in ("", suffix)
            if counts_in(row, begin, end) and (its or row.serial not in found):
                found[row.serial] = DeviceFacts(
                    row.serial,
                    row.digits if its else None,
                    row.decimals if its and row.suffix else None,
                    row.multiplier if its else None,
                )
        return tuple(found.values())

    def closed(self, point: str, begin: date, end: date) -> tuple[tuple[date, date | None], ...]:
        """The days of a period without a supply period; of a point that has none at all nothing is known."""
        rows = self.supplies.get(point)
        if not rows:
            return ()
        gaps: list[tuple[date, date | None]] = []
        since = begin
        for row in rows:
            if row.valid_from > since:
                gaps.append((since, min(row.valid_from, end)))
            if row.valid_until is None or row.valid_until >= end:
                since = end
                break
            since = max(since, row.valid_until)
        if since < end:
            gaps.append((since, None))
        return tuple(gap for gap in gaps if gap[0] < end)


def stream_facts(
    point: str, suffix: str, customer_class: str, terms: Terms | None, units: Counter[str], length: int
) -> StreamFacts:
    """A stream as master data has it; what it does not say is taken from what came most."""
    unit = terms.unit if terms and terms.unit else (units.most_common(1)[0][0] if units else "")
    if unit.upper() in _NO_ENERGY:
        direction = Direction.OTHER
    elif terms is not None:
        direction = Direction(terms.direction)
    else:
        direction = Direction.GENERATION if suffix[:1] == _GENERATION else Direction.CONSUMPTION
    return StreamFacts(point, suffix, unit, length, direction, customer_class)


@dataclass
class Placed:
    """What was put on a row of the grid. `of_day`: the versions by local day."""

    decimals: int = 0
    lengths: set[int] = field(default_factory=set)
    units: set[str] = field(default_factory=set)
    serials: set[str] = field(default_factory=set)
    outages: NDArray[np.bool_] | None = None
    versions: list[int] = field(default_factory=list)
    of_day: dict[date, list[int]] = field(default_factory=dict)
    origins: set[str] = field(default_factory=set)


def place(grid: Grid, rows: Sequence[IntervalRow], values: NDArray[np.int64], qualities: NDArray[np.int8]) -> Placed:
    """Puts versions on a row of the grid, which is empty: values 0, qualities MISSING. All get the same decimals.

    A version of another interval length, or that does not begin where an interval does, is not put there; a value that
    the decimals of the others leave no room for counts as no data.
    """
    found = Placed(decimals=max((row.decimals for row in rows), default=0))
    for row in rows:
        seconds = (row.starts_at - _EPOCH) // timedelta(seconds=1) - grid.first
        first, off = divmod(seconds, grid.length_seconds)
        count = len(row.values)
        if seconds >= (len(grid)) * grid.length_seconds or seconds + count * row.length_seconds <= 0:
            continue
        found.lengths.add(row.length_seconds)
        found.units.add(row.unit)
        found.serials.add(row.serial)
        found.versions.append(row.id)
        found.origins.add(row.origin)
        if off or row.length_seconds != grid.length_seconds:
            continue
        ranks, outages = _qualities(row)
        scale = 10 ** (found.decimals - row.decimals)
        fits = np.abs(row.values) <= _LARGEST // scale
        scaled = np.where(fits, row.values, 0) * scale
        ranks = np.where(fits, ranks, np.int8(Quality.NULL))
        for part_first, part_last in row.parts or [(1, count)]:
            lower, upper = max(first + part_first - 1, 0), min(first + part_last, len(grid))
            if lower >= upper:
                continue
            here, there = slice(lower, upper), slice(lower - first, upper - first)
            values[here], qualities[here] = scaled[there], ranks[there]
            if outages is not None:
                if found.outages is None:
                    found.outages = np.zeros(len(grid), np.bool_)
                found.outages[here] = outages[there]
            _note_days(found, grid, row.id, lower, upper)
    return found


def _note_days(found: Placed, grid: Grid, version: int, lower: int, upper: int) -> None:
    day, last = grid.day_of(lower), grid.day_of(upper - 1)
    while day <= last:
        its = found.of_day.setdefault(day, [])
        if version not in its:
            its.append(version)
        day += timedelta(days=1)


def _qualities(row: IntervalRow) -> tuple[NDArray[np.int8], NDArray[np.bool_] | None]:
    """The rank of each interval of a version, and where the power was off."""
    ranks = np.full(len(row.values), quality_of(row.quality), np.int8)
    outages = np.full(len(row.values), True) if row.reason in OUTAGES else None
    for first, last, quality, *reason in row.runs or ():
        if row.quality == "V":
            ranks[first - 1 : last] = quality_of(quality)
        if reason and reason[0] in OUTAGES:
            outages = np.zeros(len(row.values), np.bool_) if outages is None else outages
            outages[first - 1 : last] = True
    return ranks, outages


def kind_of(origins: set[str]) -> Kind:
    """The kind of data: what was partly delivered is judged as delivered."""
    if not origins or "message" in origins:
        return Kind.INITIAL
    return Kind.MANUAL if "edit" in origins else Kind.ESTIMATED


def register_facts(row: RegisterRow, zone: ZoneInfo) -> RegisterFacts:
    """The reads of a register."""
    begin, end = register_days(row, zone)
    return RegisterFacts(
        row.serial, row.begin_read, row.end_read, begin, end, row.multiplier, quality_of(row.end_quality or "A")
    )


def register_days(row: RegisterRow, zone: ZoneInfo) -> tuple[date, date]:
    """The local days of a register's period; one day at least."""
    end = local_day(row.ends_at, zone)
    begin = local_day(row.begins_at, zone) if row.begins_at is not None else end - timedelta(days=1)
    return min(begin, end - timedelta(days=1)), end


def neighbours(
    row: RegisterRow, others: Iterable[RegisterRow], zone: ZoneInfo
) -> tuple[date | None, tuple[tuple[date, date], ...]]:
    """Of a register's period: the end of the last one before it, and the periods that share time with it, by their
    local days. A read that comes late between two others has both: the period that it divides counts still."""
    starts_at = row.begins_at or row.ends_at
    ends, overlapping = [], []
    for other in others:
        if other.id == row.id:
            continue
        if other.ends_at <= starts_at:
            ends.append(register_days(other, zone)[1])
        elif other.begins_at is None or other.begins_at < row.ends_at:
            overlapping.append(register_days(other, zone))
    return max(ends, default=None), tuple(sorted(overlapping))


def history_of(rows: Iterable[dict[str, Any]]) -> tuple[HistoryPeriod, ...]:
    """Earlier periods as they were validated."""
    return tuple(
        HistoryPeriod(
            row["begins"],
            row["ends"],
            row["quantity"],
            Fraction(row["estimates"], row["intervals"]) if row["intervals"] else Fraction(1),
            peak=row["peak"],
        )
        for row in rows
        if row["quantity"] is not None
    )


def statistics_of(history: Sequence[HistoryPeriod]) -> Statistics | None:
    """What is kept of earlier periods; None: there are fewer than two."""
    return Statistics.of([one.per_day for one in history]) if len(history) > 1 else None
