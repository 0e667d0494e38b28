"""From the rows of one stream to blocks: sorted, repeated rows apart, gaps and overlaps found, the days of these held.

A gap, an overlap or a start with two values holds the local days that it touches; the other days of the file pass.
"""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from billing_assets.metering.import_engine.findings import note
from billing_assets.metering.import_engine.interval_codes import INTERVALS
from billing_assets.metering.import_engine.interval_rows import (
    LATEST,
    NO_DURATION,
    NO_START,
    NO_TIME,
    Qualities,
    Rows,
    RowSpool,
)
from billing_assets.metering.import_engine.local_days import DAY, LocalDays, utc
from billing_assets.metering.import_engine.messages import EXACT, FileReport, IntervalBlock, QualityRun, Stream

_WINDOW = 20_000
_LONGEST_DAY = 500_000
"""Rows of one day that are looked at together; no meter has so many."""
_CLOCK_CHANGE = 25 * 3600
_INT64 = 2**63
_FITS = 9.2e18


@dataclass(frozen=True)
class Shape:
    """What the rows of a stream are. `scale`: each value times it is 10 to the minus `decimals` of `unit`."""

    point: str
    suffix: str
    serial: str
    unit: str
    days: LocalDays
    decimals: int = 0
    scale: int = 1
    currency: str = ""
    length: int = 0  # of a row that does not say its own; 0: not known
    whole: bool = True  # rows of it could all be read: only then a gap is one
    tolerated_gap: int = 0
    hold: str = ""  # of all its blocks
    quality: tuple[str, str] = ("A", "")  # of a row that says none, with its reason
    repeats_expected: bool = False  # rows that say the same as another are no finding

    def stream(self, length: int) -> Stream:
        """The stream of its rows of one length."""
        return Stream(self.point, self.suffix, self.serial, self.unit, length)

    def __str__(self) -> str:
        return f"Stream {self.suffix or '?'} of point {self.point or '?'}"


@dataclass
class _Sweep:
    """What is known of a stream while its rows go by."""

    shape: Shape
    qualities: Qualities
    report: FileReport
    mixed_costs: bool
    held: dict[int, str] = field(default_factory=dict)
    end: int | None = None  # of all rows so far
    duration: int = 0  # of the last one
    day: int = 0  # of the last one
    cost_told: bool = False

    def hold(self, day: int, code: str) -> None:
        self.held.setdefault(day, code)


def blocks(
    spool: RowSpool, keys: list[Hashable], shape: Shape, qualities: Qualities, report: FileReport
) -> Iterator[IntervalBlock]:
    """Yields the blocks of a stream, rising by time, and counts every row of it in `report`.

    A row that says the same as another of its start and length is dropped (`W-REPEATED-ROW`); one that says something
    else is a block of its own, held as the first is.
    """
    sweep = _Sweep(shape, qualities, report, spool.mixed_costs(keys))
    pending = None
    for rows, last in _windows(spool, keys, sweep):
        pending = rows if pending is None else np.concatenate((pending, rows))
        if not len(pending):
            continue
        days = shape.days.ordinals(pending["start"])
        ready = len(pending)
        if not last:
            ready = int(np.searchsorted(days, days[-1]))
            if len(pending) > _LONGEST_DAY:
                ready = int(np.searchsorted(pending["start"], pending["start"][-1]))
        yield from _blocks_of(pending, days, ready, sweep)
        pending = pending[ready:]


def _windows(spool: RowSpool, keys: list[Hashable], sweep: _Sweep) -> Iterator[tuple[Rows, bool]]:
    """All rows rising by start, length and place, in parts; whether a part is the last."""
    waiting: list[Rows] = []
    size, enough = 0, _WINDOW
    for batch in spool.batches(keys):
        if size >= enough:
            rows = _sorted(waiting)
            ready = int(np.searchsorted(rows["start"], batch.low))
            if ready:
                yield rows[:ready], False
            waiting = [rows[ready:]]
            size = len(rows) - ready
            enough = max(_WINDOW, 2 * size)
        rows = _timed(spool.rows(batch), sweep)
        waiting.append(rows)
        size += len(rows)
    if waiting:
        yield _sorted(waiting), True


def _sorted(parts: list[Rows]) -> Rows:
    rows = np.concatenate(parts)
    starts = rows["start"]
    if len(rows) > 1 and not (starts[1:] > starts[:-1]).all():
        rows = rows[np.lexsort((rows["sequence"], rows["duration"], starts))]
    return rows


def _timed(rows: Rows, sweep: _Sweep) -> Rows:
    """Rows with their own start and length; those without are counted only, for they refuse the file."""
    shape = sweep.shape
    rows["duration"][rows["duration"] == NO_DURATION] = shape.length
    counted = (rows["ordinal"] >= 0) & (rows["start"] != NO_START)
    if counted.any():
        rows["start"][counted] += rows["ordinal"][counted] * shape.length
        for line in rows["line"][rows["start"] > LATEST].tolist():
            note(sweep.report, INTERVALS["R-RANGE"], line, stream=shape, what="a row lies after the year 2200")
        rows["start"][rows["start"] > LATEST] = NO_START
    unsaid = rows["quality"] == Qualities.NOT_SAID
    if unsaid.any():
        rows["quality"][unsaid] = sweep.qualities.number(*shape.quality)
    lost = rows["start"] == NO_START
    if lost.any():
        for row in rows[lost]:
            totals = sweep.report.totals(shape.stream(int(row["duration"])))
            totals.readings += 1
            totals.sum = EXACT.add(totals.sum, _quantity(row, shape))
        rows = rows[~lost]
    return rows


def _quantity(row: Any, shape: Shape) -> Decimal:
    return Decimal(int(row["value"]) * shape.scale).scaleb(-shape.decimals - int(row["decimals"]), EXACT)


def _blocks_of(rows: Rows, days: NDArray[np.int64], ready: int, sweep: _Sweep) -> Iterator[IntervalBlock]:
    """The blocks of the first `ready` rows; the others say what follows, and come again."""
    starts, lengths = rows["start"], rows["duration"]
    first = np.ones(len(rows), bool)
    first[1:] = (starts[1:] != starts[:-1]) | (lengths[1:] != lengths[:-1])
    dropped, conflicting = _repeated(rows, days, first, ready, sweep)
    timed = np.flatnonzero(first & (lengths > 0))
    _gaps(rows, days, timed, ready, sweep)
    for at in np.flatnonzero(first[:ready] & (lengths[:ready] == 0)).tolist():
        begin, line = _at(starts[at]), int(rows["line"][at])
        note(sweep.report, INTERVALS["W-ZERO-DURATION"], line, stream=sweep.shape, begin=begin)
    if sweep.mixed_costs:
        _costs(rows, days, ready, sweep)
    for at in dropped:
        _count_repeated(rows[at], int(days[at]), sweep)
    kept = np.flatnonzero(first[:ready])
    places = [(part[0], part) for whole in _parts(rows, days, kept) for part in _fitting(rows, whole)]
    places += [(at, np.array([at])) for at in conflicting]
    for _, part in sorted(places, key=lambda place: int(place[0])):
        yield _block(rows[part], int(days[part[0]]), sweep)


def _repeated(
    rows: Rows, days: NDArray[np.int64], first: NDArray[np.bool_], ready: int, sweep: _Sweep
) -> tuple[list[int], list[int]]:
    dropped: list[int] = []
    conflicting: list[int] = []
    again = np.flatnonzero(~first)
    if not len(again):
        return dropped, conflicting
    bases = np.maximum.accumulate(np.where(first, np.arange(len(rows)), 0))
    for at in again.tolist():
        one, other = rows[bases[at]], rows[at]
        facts = {"stream": sweep.shape, "begin": _at(one["start"]), "other": one["line"]}
        if all(one[name] == other[name] for name in ("value", "decimals", "costs", "cost", "cost_decimals", "quality")):
            if at < ready:
                dropped.append(int(at))
                if not sweep.shape.repeats_expected:
                    note(sweep.report, INTERVALS["W-REPEATED-ROW"], int(other["line"]), **facts)
            continue
        sweep.hold(int(days[at]), "H-REPEATED-START")
        if at < ready:
            conflicting.append(int(at))
            note(sweep.report, INTERVALS["H-REPEATED-START"], int(other["line"]), **facts)
    return dropped, conflicting


def _gaps(rows: Rows, days: NDArray[np.int64], timed: NDArray[np.int64], ready: int, sweep: _Sweep) -> None:
    if not len(timed):
        return
    shape = sweep.shape
    starts, lengths, lines = rows["start"][timed], rows["duration"][timed], rows["line"][timed]
    before = np.empty(len(timed), np.int64)  # the end of all rows before
    before[0] = starts[0] if sweep.end is None else sweep.end
    ends = np.maximum.accumulate(np.concatenate((before[:1], starts + lengths)))
    before = ends[:-1]
    off = starts - before
    if shape.whole:
        for at in np.flatnonzero((off > shape.tolerated_gap) | (off < 0)):
            left_day = int(days[timed[at - 1]]) if at else sweep.day
            left_length = int(lengths[at - 1]) if at else sweep.duration
            gap, delta = off[at] > 0, abs(int(off[at]))
            at_clock_change = delta <= _CLOCK_CHANGE and min(left_length, int(lengths[at])) >= DAY
            kind = "GAP" if gap else "OVERLAP"
            if not at_clock_change:
                code = f"H-{kind}"
                sweep.hold(shape.days.ordinal(int(before[at])) if gap else left_day, code)
                sweep.hold(shape.days.ordinal(int(starts[at]) - 1) if gap else int(days[timed[at]]), code)
            if timed[at] < ready:
                found = INTERVALS[f"{'W' if at_clock_change else 'H'}-{kind}"]
                begin, end = (before[at], starts[at]) if gap else (starts[at], before[at])
                note(sweep.report, found, int(lines[at]), stream=shape, begin=_at(begin), end=_at(end))
    done = int(np.searchsorted(timed, ready))
    if done:
        sweep.end = int(ends[done])
        sweep.duration, sweep.day = int(lengths[done - 1]), int(days[timed[done - 1]])


def _costs(rows: Rows, days: NDArray[np.int64], ready: int, sweep: _Sweep) -> None:
    for day in np.unique(days[:ready][~rows["costs"][:ready]]):
        sweep.hold(int(day), "H-COST-PART")
    without = np.flatnonzero(~rows["costs"][:ready])
    if len(without) and not sweep.cost_told:
        sweep.cost_told = True
        at = int(without[0])
        begin, line = _at(rows["start"][at]), int(rows["line"][at])
        note(sweep.report, INTERVALS["H-COST-PART"], line, stream=sweep.shape, begin=begin)


def _count_repeated(row: Rows, day: int, sweep: _Sweep) -> None:
    shape = sweep.shape
    totals = sweep.report.totals(shape.stream(int(row["duration"])))
    quantity = _quantity(row, shape)
    totals.add(1, quantity, date.fromordinal(day))
    totals.repeated += 1
    totals.repeated_sum = EXACT.add(totals.repeated_sum, quantity)
    sweep.report.quality[sweep.qualities.all[int(row["quality"])][0]] += 1


def _parts(rows: Rows, days: NDArray[np.int64], kept: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Places of rows that follow each other: of one day, one length, one version, with cost or without."""
    if not len(kept):
        return []
    found, on = rows[kept], days[kept]
    new = on[1:] != on[:-1]
    for name in ("duration", "updated", "costs"):
        new |= found[name][1:] != found[name][:-1]
    new |= found["start"][1:] != found["start"][:-1] + found["duration"][:-1]
    return np.split(kept, np.flatnonzero(new) + 1)


def _fitting(rows: Rows, part: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """A part in as many as its numbers need to have common decimals: some exports write seventeen of them."""
    if len(part) == 1 or (_aligned(rows[part], "value") is not None and _aligned(rows[part], "cost", 5) is not None):
        return [part]
    half = len(part) // 2
    return _fitting(rows, part[:half]) + _fitting(rows, part[half:])


def _aligned(rows: Rows, name: str, least: int = 0) -> tuple[NDArray[np.int64], int] | None:
    """Numbers with common decimals, at least `least`, and how many. None: they are too large for that."""
    numbers, decimals = rows[name], rows["cost_decimals" if name == "cost" else "decimals"]
    most = max(least, int(decimals.max()))
    if (decimals == most).all():
        return numbers.copy(), most
    powers = most - decimals.astype(np.int64)
    if int(powers.max()) > 18 or (np.abs(numbers.astype(float)) * 10.0**powers).max() >= _FITS:
        nothing = not numbers.any()
        return (numbers.copy(), most) if nothing else None
    return numbers * 10**powers, most


def _block(rows: Rows, day: int, sweep: _Sweep) -> IntervalBlock:
    shape, report = sweep.shape, sweep.report
    stream = shape.stream(int(rows["duration"][0]))
    values, own = _aligned(rows, "value") or (rows["value"].copy(), int(rows["decimals"][0]))
    costs, cost_decimals = _aligned(rows, "cost", 5) or (rows["cost"].copy(), int(rows["cost_decimals"][0]))
    decimals = shape.decimals + own
    if shape.scale != 1:
        most = max(abs(int(values.max())), abs(int(values.min()))) * shape.scale
        if most >= _INT64:
            what = f"a value times {shape.scale} is larger than any meter counts"
            note(report, INTERVALS["R-RANGE"], int(rows["line"][0]), stream=shape, what=what)
            values = np.zeros_like(values)
        values *= shape.scale
    on = date.fromordinal(day)
    report.totals(stream).add(len(rows), Decimal(_sum(values)).scaleb(-decimals, EXACT), on)
    quality, reason, runs = _quality(rows["quality"], sweep)
    updated = int(rows["updated"][0])
    return IntervalBlock(
        stream,
        on,
        utc(int(rows["start"][0])),
        values,
        decimals,
        quality,
        int(rows["line"][0]),
        runs,
        reason,
        updated_at=None if updated == NO_TIME else utc(updated),
        costs=costs if rows["costs"][0] else None,
        currency=shape.currency if rows["costs"][0] else "",
        hold=shape.hold or sweep.held.get(day, "" if stream.length_seconds else "W-ZERO-DURATION"),
        cost_decimals=cost_decimals,
    )


def _sum(values: NDArray[np.int64]) -> int:
    most = max(abs(int(values.max())), abs(int(values.min())))
    return int(values.sum()) if most * len(values) < _INT64 else sum(values.tolist())


def _quality(numbers: NDArray[np.uint16], sweep: _Sweep) -> tuple[str, str, list[QualityRun]]:
    changes = (np.flatnonzero(numbers[1:] != numbers[:-1]) + 1).tolist()
    ends = [*changes, len(numbers)]
    runs = []
    for begin, end in zip([0, *changes], ends, strict=True):
        quality, reason = sweep.qualities.all[int(numbers[begin])]
        sweep.report.quality[quality] += end - begin
        runs.append(QualityRun(begin + 1, end, quality, reason))
    if len(runs) == 1:
        return runs[0].quality, runs[0].reason, []
    return "V", "", runs


def _at(seconds: int) -> str:
    return f"{utc(int(seconds)):%Y-%m-%d %H:%M:%S} UTC"
