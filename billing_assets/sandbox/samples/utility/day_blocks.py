"""Australian intervals: what each meter measured, and the day blocks that tell it, with their faults."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from billing_assets.sandbox.samples.utility.chance import pick, scatter
from billing_assets.sandbox.samples.utility.clock import DAYS, local_month, nem_moment
from billing_assets.sandbox.samples.utility.outcomes import Outcome, Sending
from billing_assets.sandbox.samples.utility.points import PROVIDERS, Point
from billing_assets.sandbox.samples.utility.rates import MONTHS
from billing_assets.sandbox.samples.utility.shapes import of_length, quarters, spread, sun

_SUFFIXES = {"solar": ("E1", "B1"), "plain": ("E1",), "business": ("E1", "Q1")}
_FEW_DAYS = ("late", "substituted, then actual", "estimated, then actual", "substituted", "days missing")
_FIRST_QUALITY = {"substituted, then actual": "S14", "estimated, then actual": "E52", "substituted": "F14"}


@dataclass
class DayBlock:
    """A day of a stream in a file. `events`: first and last interval (from 1) and quality, where they vary."""

    point: Point
    suffix: str
    day: date
    serial: str
    values: NDArray[np.int64]
    quality: str
    updated: datetime
    events: tuple[tuple[int, int, str], ...] = ()
    outcome: Outcome = Outcome.CURRENT
    code: str = ""

    @property
    def unit(self) -> str:
        return "kVArh" if self.suffix.startswith("Q") else "kWh"

    @property
    def quantity(self) -> int:
        return int(self.values.sum())

    @property
    def readings(self) -> int:
        return len(self.values)

    def qualities(self) -> Iterator[tuple[str, int]]:
        """Each quality and its number of intervals."""
        if not self.events:
            yield self.quality, len(self.values)
        for first, last, quality in self.events:
            yield quality, last - first + 1


def suffixes(point: Point) -> tuple[str, ...]:
    """The streams of a point."""
    return _SUFFIXES[point.kind]


def billed(suffix: str) -> bool:
    """Reactive energy is not."""
    return not suffix.startswith("Q")


def measured(seed: int, point: Point) -> dict[str, NDArray[np.int64]]:
    """Days by intervals of each stream, in thousandths of its unit."""
    weights = np.stack([quarters(point.profile, day) for day in DAYS])
    if point.kind == "solar":
        weights -= weights * sun() // (2 * sun().max())
    days_of = [(MONTHS.index(day.replace(day=1)), day) for day in DAYS]
    use = np.array([point.monthly[month] * 1_000 // (31 if day.month == 10 else 30) for month, day in days_of])
    use = use * scatter(len(DAYS), 80, seed, "days", point.number) // 1_000
    found = {"E1": _intervals(seed, point, "E1", use, of_length(weights, point.length))}
    if point.kind == "solar":
        roof = use * scatter(len(DAYS), 350, seed, "clouds", point.number) // 1_000
        found["B1"] = _intervals(seed, point, "B1", roof, of_length(np.tile(sun(), (len(DAYS), 1)), point.length))
    if point.kind == "business":
        found["Q1"] = found["E1"] * 45 // 100
    return found


def _intervals(
    seed: int, point: Point, suffix: str, totals: NDArray[np.int64], weights: NDArray[np.int64]
) -> NDArray[np.int64]:
    return spread(totals, weights, scatter(weights.size, 80, seed, suffix, point.number))


def first_bad_day(seed: int, point: Point) -> int:
    """Index of the day on which its fault begins: between the 8th and the 17th of its month."""
    first = DAYS.index(MONTHS[point.faulty_month])
    return first + pick(7, 16, seed, "bad day", point.number)


Kept = dict[tuple[str, str], dict[date, NDArray[np.int64]]]


def day_sendings(
    seed: int, points: list[Point]
) -> tuple[list[Sending[DayBlock]], dict[tuple[str, str], list[int]], Kept]:
    """Every NEM12 file before its faults; and of each billed point and stream the thousandths of its three months,
    and the days that count."""
    files: defaultdict[tuple[date, int], list[DayBlock]] = defaultdict(list)
    months: dict[tuple[str, str], list[int]] = {}
    every: Kept = {}
    for point in points:
        streams = measured(seed, point)
        for suffix, values in streams.items():
            kept: dict[date, NDArray[np.int64]] = {}
            for later, block in _blocks(seed, point, suffix, values):
                files[_arrival(point, block.day, later), point.sender].append(block)
                if block.outcome is Outcome.CURRENT:
                    kept[block.day] = block.values
            if billed(suffix):
                months[point.name, suffix] = _local_months(point, kept)
                every[point.name, suffix] = kept
    sendings = [
        Sending(day, sender, "NEM12", sorted(blocks, key=lambda one: (one.point.number, one.suffix, one.day)))
        for (day, sender), blocks in sorted(files.items())
    ]
    return sendings, months, every


def _arrival(point: Point, day: date, later: int = 0) -> date:
    """When a day comes: the day after, or on the Monday after; `later`: days after that, whole weeks of a Monday."""
    if PROVIDERS[point.sender].weekly:
        return day + timedelta(days=8 - day.isoweekday() + (later + 6) // 7 * 7)
    return day + timedelta(days=1 + later)


def _blocks(seed: int, point: Point, suffix: str, values: NDArray[np.int64]) -> Iterator[tuple[int, DayBlock]]:
    """The blocks of a stream, each with the days that it comes later than usual."""
    bad = first_bad_day(seed, point)
    span = 3 if point.has(*_FEW_DAYS, "sibling missing", "sibling late") else 1
    for index, day in enumerate(DAYS):
        serial = point.new_serial if point.has("meter exchange") and index >= bad else point.serial
        updated = nem_moment(_arrival(point, day), 1, 30)
        block = DayBlock(point, suffix, day, serial, values[index], "A", updated)
        if point.known == 2:
            block.outcome, block.code = Outcome.HELD, "NO_SERVICE_POINT"
        if point.fault is None or not bad <= index < bad + span:
            yield 0, block
        else:
            yield from _faulty(point.fault.name, block)


def _faulty(fault: str, block: DayBlock) -> Iterator[tuple[int, DayBlock]]:
    match fault:
        case "late":
            yield 9, replace(block, updated=block.updated + timedelta(days=9))
        case "substituted":
            yield 0, replace(block, quality=_FIRST_QUALITY[fault])
        case "qualities vary":
            yield 0, _of_events(block, "S14")
        case "intervals missing":
            yield 0, _of_events(block, "N")
        case "days missing":
            return
        case "sibling missing" | "sibling late":
            if block.suffix != "B1":
                yield 0, block
            elif fault == "sibling late":
                yield 7, replace(block, updated=block.updated + timedelta(days=7))
        case _:
            yield from _sent_twice(fault, block)


def _sent_twice(fault: str, block: DayBlock) -> Iterator[tuple[int, DayBlock]]:
    """Days of which two versions come; of the other faults, which are in the whole stream, one."""
    later = replace(block, updated=block.updated + timedelta(days=7))
    other = block.values * 11 // 10 + 1
    match fault:
        case "doubled":
            yield 0, block
            yield 3, replace(block, outcome=Outcome.DUPLICATE)
        case "substituted, then actual" | "estimated, then actual":
            yield 0, replace(block, values=other, quality=_FIRST_QUALITY[fault], outcome=Outcome.SUPERSEDED)
            yield 7, later
        case "intervals missing, then actual":
            yield 0, replace(_of_events(block, "N"), outcome=Outcome.SUPERSEDED)
            yield 7, later
        case "downgrade":
            yield 0, block
            yield 7, replace(later, values=other, quality="S14", outcome=Outcome.HELD, code="QUALITY_DOWNGRADE")
        case "version conflict":
            yield 0, block
            yield 7, replace(block, values=other, outcome=Outcome.HELD, code="VERSION_CONFLICT")
        case "older version late":
            yield 0, block
            older = block.updated - timedelta(hours=1)
            yield 7, replace(block, values=other, updated=older, outcome=Outcome.SUPERSEDED)
        case _:
            yield 0, block


def _of_events(block: DayBlock, quality: str) -> DayBlock:
    """The same with a quarter of the day in another quality; without data (N) it is written as zeros."""
    count = len(block.values)
    first, last = count * 3 // 8, count * 5 // 8
    values = block.values.copy()
    if quality == "N":
        values[first:last] = 0
    events = ((1, first, "A"), (first + 1, last, quality), (last + 1, count, "A"))
    return replace(block, values=values, quality="V", events=events)


def _local_months(point: Point, kept: dict[date, NDArray[np.int64]]) -> list[int]:
    """Sums of the months on the point's own clock."""
    sums = []
    for month in range(len(MONTHS)):
        begin, end = local_month(month, point.zone)
        total = 0
        for day, values in kept.items():
            start = nem_moment(day).astimezone(UTC)
            first = (begin - start) // timedelta(minutes=point.length)
            after = (end - start) // timedelta(minutes=point.length)
            if after > 0 and first < len(values):
                total += int(values[max(first, 0) : max(after, 0)].sum())
        sums.append(total)
    return sums
