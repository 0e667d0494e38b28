"""Many streams of one period at once: only what looks suspicious goes through the rules one by one.

The rules that look at every interval each have a screen here, over a matrix of streams and intervals. A screen may pass
more than the rule finds, never less; so the findings are those of `rules.judge`, which a test holds. Keep a batch to
some hundred streams: a month of 500 streams by quarter hours is 12 MB.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from billing_assets.metering.validation.cases import case_of
from billing_assets.metering.validation.facts import Intervals, PeriodFacts, Quality
from billing_assets.metering.validation.grids import Grid
from billing_assets.metering.validation.parameters import Parameters, ParameterTable
from billing_assets.metering.validation.rules import RULES, RuleFinding, run
from billing_assets.metering.validation.use_checks import needed

Rows = NDArray[np.bool_]
Values = NDArray[np.int64]
Qualities = NDArray[np.int8]

_LARGE = 2**62


@dataclass(frozen=True)
class Batch:
    """Streams on one grid. Row i of the matrices is that of `facts[i].intervals`."""

    grid: Grid
    values: Values
    qualities: Qualities
    facts: Sequence[PeriodFacts]

    def __post_init__(self) -> None:
        shape = (len(self.facts), len(self.grid))
        if self.values.shape != shape or self.qualities.shape != shape:
            raise ValueError(f"{self.values.shape} values and {self.qualities.shape} qualities, not {shape}")
        if any(one.intervals is None for one in self.facts):
            raise ValueError("a batch is of streams with intervals")


def judge_batch(batch: Batch, table: ParameterTable) -> list[list[RuleFinding]]:
    """The findings of each stream, the same as `judge` gives for it with its parameters of the period's first day."""
    if not batch.facts:
        return []
    parameters = [parameters_of(one, table) for one in batch.facts]
    passed = _screen(batch, parameters)
    always = set(RULES) - set(passed)
    found = []
    for row, (facts, its) in enumerate(zip(batch.facts, parameters, strict=True)):
        looked_at = always | {code for code, rows in passed.items() if rows[row]}
        found.append(run(case_of(facts, its), looked_at))
    return found


def parameters_of(facts: PeriodFacts, table: ParameterTable) -> Parameters:
    """The parameters that a period is judged by: those of its stream on its first day."""
    stream = facts.stream
    return table.resolve(stream.customer_class, stream.point, stream.suffix, facts.begin)


def _screen(batch: Batch, parameters: Sequence[Parameters]) -> dict[str, Rows]:
    """By rule the rows that may have a finding of it; notes the totals of the others on the way."""
    values, qualities, grid = batch.values, batch.qualities, batch.grid
    highest, lowest, worst = values.max(axis=1), values.min(axis=1), qualities.min(axis=1)
    whole = worst > Quality.NULL  # each interval has a value that counts
    fits = (highest < _LARGE // max(len(grid), 1)) & (lowest > -_LARGE // max(len(grid), 1))
    sums = values.sum(axis=1)  # wraps around only where it does not fit
    estimates = (qualities == Quality.ESTIMATE).sum(axis=1)
    for row in np.flatnonzero(whole & fits).tolist():
        intervals = batch.facts[row].intervals
        assert intervals is not None  # noqa: S101 - the batch has asked
        intervals.note(int(sums[row]), int(highest[row]), len(grid), int(estimates[row]))
    spikes = ~whole
    rows_of: dict[tuple[int, int], list[int]] = {}
    repeats = np.zeros(len(values), dtype=np.bool_)
    by_count: dict[int, list[int]] = {}
    for row, its in enumerate(parameters):
        rows_of.setdefault(its.of("SPIKE")["percent"].as_integer_ratio(), []).append(row)
        by_count.setdefault(needed(its.of("CONSECUTIVE")["hours"], grid.length_seconds), []).append(row)
    for ratio, rows in rows_of.items():
        spikes[rows] |= _spikes(_part(values, rows), grid, ratio)
    for count, rows in by_count.items():
        repeats[rows] = _repeats(_part(values, rows), count)
    return {
        "MISSING": ~whole,
        "NEGATIVE": (lowest < 0) | _has_registers(batch.facts),
        "SPIKE": spikes,
        "CONSECUTIVE": repeats,
        "QUALITY_MIX": worst < Quality.ACTUAL,
    }


def _part(values: Values, rows: list[int]) -> Values:
    return values if len(rows) == len(values) else values[rows]


def _has_registers(facts: Sequence[PeriodFacts]) -> Rows:
    return np.fromiter((bool(one.registers) for one in facts), dtype=np.bool_, count=len(facts))


def _spikes(values: Values, grid: Grid, ratio: tuple[int, int]) -> Rows:
    """Rows with a day whose highest value is far above the third highest, of values without gaps. Values so large
    that the products might not fit are passed, too."""
    most, base = ratio
    if max(most, base) > _LARGE >> 31:
        return np.ones(len(values), dtype=np.bool_)
    bound = _LARGE // max(100 * base, most, 1)
    found = np.zeros(len(values), dtype=np.bool_)
    for first, after in zip(grid.starts, grid.starts[1:], strict=False):
        if after - first < 3:
            continue
        top = np.partition(values[:, first:after], (after - first - 3, after - first - 1), axis=1)
        third, high = top[:, -3], top[:, -1]
        far = (high - third) * (100 * base) > most * third
        found |= (high > 0) & ((third <= 0) | far) | (high > bound) | (third < -bound)
    return found


def _repeats(values: Values, count: int) -> Rows:
    """Rows that may have `count` equal values in a row. Of those every `step`-th are equal, too, and few others are."""
    step = max(1, count // 8)
    seen = values[:, ::step]
    same = seen[:, 1:] == seen[:, :-1]
    together = count // step - 1  # so many neighbours of a run are looked at, wherever it begins
    if together <= 0 or same.shape[1] < together:
        return np.full(len(values), together <= 0)
    all_same = same[:, : same.shape[1] - together + 1].copy()
    for shift in range(1, together):
        all_same &= same[:, shift : same.shape[1] - together + 1 + shift]
    return np.asarray(all_same.any(axis=1))


def intervals_of(grid: Grid, values: Values, qualities: Qualities, decimals: int, row: int) -> Intervals:
    """Row `row` of the matrices of a batch; nothing is copied."""
    return Intervals(grid, values[row], qualities[row], decimals)
