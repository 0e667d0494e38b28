"""Validation of a month of 10,000 interval points, 30 million values, against the minute on one core that it may take;
and the memory for it, which must not grow with the points.

What is measured is from the matrices of a batch to the findings. The points are made by a seeded rule: the shape of a
household with noise, and the faults of daily life: missing intervals and days, estimates, spikes, flat lines, registers
that do not fit, histories that differ.
"""

import time
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from billing_assets.metering.validation.batches import Batch, intervals_of, judge_batch
from billing_assets.metering.validation.facts import (
    DeviceFacts,
    HistoryPeriod,
    PeriodFacts,
    Quality,
    RegisterFacts,
    Statistics,
    StreamFacts,
)
from billing_assets.metering.validation.grids import Grid, grid_of
from billing_assets.metering.validation.rules import parameter_table
from proving.benchmarks.measure import Mark, Measure, Place, Round
from proving.benchmarks.world import alone

_SECONDS = 60.0
_POINTS = 10_000
_AT_ONCE = 250
_BEGIN, _END = date(2026, 7, 1), date(2026, 8, 1)
_ZONE = ZoneInfo("America/Chicago")
_LAST_YEAR = (date(2025, 7, 1), date(2025, 8, 1))
_SEED = 20260701


class Judged(NamedTuple):
    """What came of judging a month. `seconds`: CPU time of the judging alone."""

    seconds: float
    values: int
    findings: int
    streams_with_findings: int


def judge_month(points: int) -> Judged:
    """Judges a month of so many points, some hundred at once."""
    grid = grid_of(_BEGIN, _END, _ZONE, 900)
    table = parameter_table()
    random = np.random.default_rng(_SEED)
    seconds, values, findings, with_findings = 0.0, 0, 0, 0
    for first in range(0, points, _AT_ONCE):
        batch = _batch(random, grid, min(_AT_ONCE, points - first))
        began = time.process_time()
        found = judge_batch(batch, table)
        seconds += time.process_time() - began
        values += batch.values.size
        findings += sum(map(len, found))
        with_findings += sum(map(bool, found))
    return Judged(seconds, values, findings, with_findings)


def _batch(random: np.random.Generator, grid: Grid, points: int) -> Batch:
    clock = np.array(grid.clock) / 3600
    shape = 60 + 40 * np.sin((clock - 9) / 24 * 2 * np.pi) + 70 * np.exp(-((clock - 19) ** 2) / 8)
    scale = random.uniform(0.5, 6, (points, 1))
    values = (shape * scale * random.uniform(0.8, 1.25, (points, len(grid)))).astype(np.int64)
    qualities = np.full(values.shape, Quality.ACTUAL, np.int8)
    for row in range(points):
        _faults(random, values[row], qualities[row])
    good = np.where(qualities > Quality.NULL, values, 0).sum(axis=1)
    return Batch(
        grid, values, qualities, [_facts(random, grid, values, qualities, row, int(good[row])) for row in range(points)]
    )


def _faults(random: np.random.Generator, values: NDArray[np.int64], qualities: NDArray[np.int8]) -> None:
    """Of a hundred points one each has a day missing, a gap, a spike, a flat day, a value below zero; three have
    estimates."""
    kind, place = int(random.integers(100)), int(random.integers(len(values) - 100))
    if kind == 0:
        values[place : place + 96], qualities[place : place + 96] = 0, Quality.MISSING
    elif kind == 1:
        values[place : place + 5], qualities[place : place + 5] = 0, Quality.NULL
    elif kind == 2:
        values[place] *= 12
    elif kind == 3:
        values[place : place + 97] = 250
    elif kind == 4:
        values[place] = -1
    elif kind < 8:
        qualities[place : place + 30] = Quality.ESTIMATE


def _facts(
    random: np.random.Generator,
    grid: Grid,
    values: NDArray[np.int64],
    qualities: NDArray[np.int8],
    row: int,
    total: int,
) -> PeriodFacts:
    use = Decimal(total) / 1000
    off = Decimal(10) if random.integers(50) == 0 else Decimal(0)
    begin = int(random.integers(10_000, 90_000))
    end = begin + int(use) + int(use * off)
    before = [use * Decimal(int(random.integers(60, 150))) / 100 for _ in range(2)]
    daily, peak = Fraction(use) / 31, Decimal(int(values[row].max())) / 1000
    return PeriodFacts(
        stream=StreamFacts(f"P{row}", "E1", "kWh", 900, customer_class="household"),
        begin=_BEGIN,
        end=_END,
        zone=_ZONE,
        today=_END,
        intervals=intervals_of(grid, values, qualities, 3, row),
        registers=(RegisterFacts("M1", f"{begin:06}", f"{end:06}", _BEGIN, _END, Decimal(1)),),
        demand=peak * 4,
        lengths=(900,),
        units=("KWH",),
        serials=("M1",),
        devices=(DeviceFacts("M1", 6, 0),),
        previous_end=_BEGIN,
        history=(
            HistoryPeriod(_BEGIN - timedelta(days=30), _BEGIN, before[0], peak=peak * before[0] / use),
            HistoryPeriod(*_LAST_YEAR, before[1]),
        ),
        statistics=Statistics(24, daily * Fraction(int(random.integers(70, 130)), 100), (daily / 5) ** 2),
    )


def _play(here: Place, small: bool) -> Iterator[Round]:
    del here  # no server is needed
    points = 500 if small else _POINTS
    for _ in range(1 if small else 3):
        little, run = alone(judge_month, points // 10), alone(judge_month, points)
        found: Judged = run.value
        detail = {
            "million values": found.values / 1_000_000,
            "points with findings (%)": 100 * found.streams_with_findings / points,
            "findings a point": found.findings / points,
        }
        yield Round(found.seconds, _SECONDS * points / _POINTS, points, detail, "metering_vee")
        yield Round(run.megabytes, little.megabytes, points, {}, "metering_vee_memory")


MEASURES = [
    Measure(
        "metering_vee",
        "validation of a month of interval points (CPU time)",
        "the time that it may take: 60 s for 10,000 points, 30 million values",
        "s",
        Mark(at_most=1),
        2,
        _play,
    ),
    Measure(
        "metering_vee_memory",
        "memory for validating a month of interval points",
        "the same of a tenth of the points",
        "MB",
        Mark(at_most=1.1, most=300),
        0,
        _play,
    ),
]
