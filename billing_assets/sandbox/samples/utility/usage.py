"""What the meters of Texas measured in each read period."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from billing_assets.sandbox.samples.utility.chance import pick, scatter
from billing_assets.sandbox.samples.utility.clock import TEXAS, read_day
from billing_assets.sandbox.samples.utility.points import Point
from billing_assets.sandbox.samples.utility.register_reads import DIALS
from billing_assets.sandbox.samples.utility.shapes import hours


@dataclass(frozen=True)
class MeterUse:
    """A meter in a period. `rows`: code (51 total, 41 off-peak, 42 on-peak), kWh, begin and end read."""

    serial: str
    multiplier: int
    begin: date
    end: date
    rows: tuple[tuple[str, int, int, int], ...]
    exchanged: date | None = None


@dataclass(frozen=True)
class Quarter:
    """A quarter hour: its end on the local clock, whether that is daylight saving, thousandths of a kWh."""

    end: datetime
    thousandths: int


def period(point: Point, month: int) -> tuple[date, date]:
    """Its read day of the month and of the next: the end of one is the begin of the other."""
    return read_day(month, point.cycle), read_day(month + 1, point.cycle)


def meters(seed: int, point: Point, month: int, short: int = 0) -> list[MeterUse]:
    """Its meters in a month; none where it has none. `short`: turns of the dials that the first read has too few."""
    begin, end = period(point, month)
    if point.kind == "unmetered":
        return []
    turns = [kwh // point.multiplier for kwh in point.monthly]
    if point.has_in(month, "meter exchange"):
        middle = begin + timedelta(days=pick(8, 20, seed, "exchange", point.number))
        first = turns[month] // 2
        old = _meter(seed, point, point.serial, [*turns[:month], first], month, begin, middle, middle)
        fresh = pick(0, 40, seed, "new meter", point.number)
        rest = turns[month] - first - short
        return [old, MeterUse(point.new_serial, 1, middle, end, (("51", rest, fresh, fresh + rest),), middle)]
    if point.has("meter exchange") and month > point.faulty_month:
        fresh = pick(0, 40, seed, "new meter", point.number)
        before = fresh + turns[point.faulty_month] - turns[point.faulty_month] // 2
        before += sum(turns[point.faulty_month + 1 : month])
        rows = (("51", turns[month] - short, before, before + turns[month] - short),)
        return [MeterUse(point.new_serial, 1, begin, end, rows)]
    if point.kind == "two meters":
        main = [turn * 6 // 10 for turn in turns]
        rest_of = [turn - part for turn, part in zip(turns, main, strict=True)]
        return [
            _meter(seed, point, point.serial, main, month, begin, end, short=short),
            _meter(seed, point, point.new_serial, rest_of, month, begin, end),
        ]
    return [_meter(seed, point, point.serial, turns, month, begin, end, short=short)]


def _meter(
    seed: int,
    point: Point,
    serial: str,
    turns: list[int],
    month: int,
    begin: date,
    end: date,
    exchanged: date | None = None,
    short: int = 0,
) -> MeterUse:
    rows = [("51", turns)]
    if point.kind == "time of use":
        night = [turn * 35 // 100 for turn in turns]
        rows += [("41", night), ("42", [turn - part for turn, part in zip(turns, night, strict=True)])]
    found = []
    for code, each in rows:
        less = short if code in {"51", "42"} else 0
        start = pick(1_000, DIALS - 20_000 - sum(turns), seed, "read", serial, code)
        if point.has("rollover"):
            start = DIALS - each[point.faulty_month] // 2 - sum(each[: point.faulty_month])
        read, used = (start + sum(each[:month])) % DIALS, each[month] - less
        found.append((code, used * point.multiplier, read, (read + used) % DIALS))
    return MeterUse(serial, point.multiplier, begin, end, tuple(found), exchanged)


def quarter_hours(seed: int, point: Point, month: int) -> list[Quarter]:
    """The quarter hours of a period: 96 a day, 100 on the day on which the clock is put back."""
    begin, end = period(point, month)
    start, after = (datetime(day.year, day.month, day.day, tzinfo=TEXAS).astimezone(UTC) for day in (begin, end))
    count = (after - start) // timedelta(minutes=15)
    weights = hours(point.profile)
    first_hour = (start - datetime(begin.year, 1, 1, 6, tzinfo=UTC)) // timedelta(hours=1)  # of the standard year
    weight = np.repeat(weights[first_hour : first_hour + count // 4], 4)
    values = _spread(point.monthly[month] * 1_000, weight, scatter(count, 80, seed, "quarters", point.number, month))
    ends = ((start + timedelta(minutes=15 * number)).astimezone(TEXAS) for number in range(1, count + 1))
    return [Quarter(moment, value) for moment, value in zip(ends, values.tolist(), strict=True)]


def _spread(total: int, weight: NDArray[np.int64], factors: NDArray[np.int64]) -> NDArray[np.int64]:
    share = weight * factors // 1_000
    found: NDArray[np.int64] = total * share // share.sum()
    return found
