"""Many streams at once have the findings that each has on its own."""

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_assets.metering.validation.batches import Batch, intervals_of, judge_batch, parameters_of
from billing_assets.metering.validation.facts import (
    Direction,
    Intervals,
    PeriodFacts,
    Quality,
    RegisterFacts,
    Statistics,
    StreamFacts,
)
from billing_assets.metering.validation.grids import Grid, grid_of
from billing_assets.metering.validation.parameters import Setting
from billing_assets.metering.validation.rules import judge, parameter_table
from billing_assets_tests.unit.metering.validation.periods import FLAGS, before

ZONES = (ZoneInfo("America/Chicago"), ZoneInfo("Australia/Adelaide"), ZoneInfo("UTC"))
BEGINS = (date(2026, 3, 7), date(2026, 10, 31), date(2026, 4, 4), date(2026, 6, 1))

_VALUES = st.one_of(
    st.integers(0, 4),
    st.integers(100, 120),
    st.integers(300, 330),  # about as much above the others as a spike must be
    st.sampled_from([250, 0, 500, -1, 10_000]),
    st.sampled_from([2**63 - 1, -(2**63), 2**62, 2**57, -(2**57), 2**55]),
)
_QUALITIES = st.sampled_from([4, 4, 4, 4, 4, 4, 3, 2, 1, 0, -1])


@st.composite
def rows(draw: st.DrawFn, size: int) -> tuple[list[int], list[int]]:
    """A row as it comes: a plain one, one with some odd values, or runs of the same."""
    shape = draw(st.sampled_from(["plain", "odd", "runs", "wild"]))
    if shape == "wild":
        values = draw(st.lists(_VALUES, min_size=size, max_size=size))
        return values, draw(st.lists(_QUALITIES, min_size=size, max_size=size))
    values = [100 + (7 * place) % 13 for place in range(size)]
    qualities = [4] * size
    if shape == "odd":
        for place in draw(st.lists(st.integers(0, size - 1), max_size=4)):
            values[place] = draw(_VALUES)
            if draw(st.integers(0, 3)) == 0:
                qualities[place] = draw(_QUALITIES)
    if shape == "runs":
        first = draw(st.integers(0, size - 1))
        after = min(size, first + draw(st.integers(1, size)))
        values[first:after] = [draw(_VALUES)] * (after - first)
        if draw(st.booleans()):
            qualities[draw(st.integers(0, size - 1))] = draw(_QUALITIES)
    return values, qualities


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    """Some streams on one grid, with facts that every rule looks at."""
    length = draw(st.sampled_from([3600, 7200, 1800]))
    begin = draw(st.sampled_from(BEGINS))
    grid = grid_of(begin, begin + timedelta(days=draw(st.integers(1, 3))), draw(st.sampled_from(ZONES)), length)
    drawn = [draw(rows(len(grid))) for _ in range(draw(st.integers(1, 4)))]
    values = np.array([one for one, _ in drawn], np.int64)
    qualities = np.array([one for _, one in drawn], np.int8)
    facts = [_facts(draw, grid, intervals_of(grid, values, qualities, 2, row)) for row in range(len(drawn))]
    return Batch(grid, values, qualities, facts)


def _facts(draw: st.DrawFn, grid: Grid, intervals: Intervals) -> PeriodFacts:
    begin, end = grid.begin, grid.end
    more: dict[str, Any] = {}
    if draw(st.booleans()):
        more["registers"] = (
            RegisterFacts("M1", "00000", draw(st.sampled_from(["00025", "00050", "00075"])), begin, end),
        )
    if draw(st.booleans()):
        more["history"] = (
            before("25", begin - timedelta(days=1), begin, peak=Decimal(1)),
            before(draw(st.sampled_from(["0", "10", "24"])), begin - timedelta(days=365), end - timedelta(days=365)),
        )
    if draw(st.booleans()):
        more["statistics"] = Statistics(12, Fraction(25), Fraction(1))
        more["closed"] = ((begin, None),)
        more["lengths"] = (draw(st.sampled_from([grid.length_seconds, 60])),)
    stream = StreamFacts(
        draw(st.sampled_from(["P1", "P2", "P3"])),
        "E1",
        "kWh",
        grid.length_seconds,
        draw(st.sampled_from(Direction)),
        draw(st.sampled_from(["", "farm"])),
    )
    return PeriodFacts(
        stream=stream, begin=begin, end=end, zone=grid.zone, today=date(2027, 1, 1), intervals=intervals, **more
    )


TABLE = parameter_table(
    [
        Setting("SPIKE", "percent", Decimal("12.5"), date(2026, 1, 1), customer_class="farm"),
        Setting("SPIKE", "percent", Decimal(10) ** 30, date(2026, 1, 1), point="P3"),
        Setting("CONSECUTIVE", "hours", Decimal("5.5"), date(2026, 1, 1), customer_class="farm"),
        Setting("CONSECUTIVE", "hours", Decimal(0), date(2026, 1, 1), point="P3"),
        Setting("MISSING", "severity", Decimal(2), date(2026, 1, 1), point="P2"),
    ]
)


def _alone(facts: PeriodFacts) -> PeriodFacts:
    """The same facts with nothing counted before."""
    known = facts.intervals
    assert known is not None
    fresh = Intervals(known.grid, known.values.copy(), known.qualities.copy(), known.decimals)
    return PeriodFacts(**{name: getattr(facts, name) for name in facts.__slots__} | {"intervals": fresh})


@given(batches())
@settings(max_examples=120, deadline=None)
def test_a_batch_finds_what_each_of_its_streams_has_alone(batch: Batch) -> None:
    together = judge_batch(batch, TABLE)
    alone = [judge(_alone(facts), parameters_of(facts, TABLE)) for facts in batch.facts]
    assert together == alone


@given(batches())
@settings(max_examples=50, deadline=None)
def test_totals_are_those_of_a_plain_loop(batch: Batch) -> None:
    judge_batch(batch, TABLE)
    for row, facts in enumerate(batch.facts):
        pairs = list(zip(batch.values[row].tolist(), batch.qualities[row].tolist(), strict=True))
        good = [value for value, quality in pairs if quality >= Quality.ESTIMATE]
        estimates = sum(quality == Quality.ESTIMATE for _, quality in pairs)
        assert facts.intervals is not None
        assert facts.intervals.totals == (sum(good), max(good, default=None), len(good), estimates)


_DAY = grid_of(date(2026, 6, 1), date(2026, 6, 2), ZONES[2], 3600)
_PLAIN = [100 + place % 7 for place in range(24)]
_BACK = (RegisterFacts("M1", "00050", "00010", _DAY.begin, _DAY.end),)


@pytest.mark.parametrize(
    ("rule", "values", "flags", "registers"),
    [
        ("SPIKE", [2**57, *[2**55] * 23], "A" * 24, ()),  # the products do not fit into 64 bits
        ("SPIKE", [9, 9, 9, 9, *[3] * 20], "NNN" + "A" * 21, ()),  # what does not count hides it
        ("SPIKE", [2**63 - 1, *_PLAIN[1:]], "A" * 24, ()),
        ("QUALITY_MIX", _PLAIN, "F" * 5 + "A" * 19, ()),
        ("NEGATIVE", _PLAIN, "A" * 24, _BACK),
        ("NEGATIVE", [-1, *_PLAIN[1:]], "A" * 24, ()),
        ("MISSING", _PLAIN, "N" + "A" * 23, ()),
        ("CONSECUTIVE", [5] * 24, "A" * 24, ()),
    ],
)
def test_a_screen_passes_what_its_rule_finds(
    rule: str, values: list[int], flags: str, registers: tuple[RegisterFacts, ...]
) -> None:
    matrix = np.array([values, _PLAIN], np.int64)
    qualities = np.array([[FLAGS[flag] for flag in flags], [Quality.ACTUAL] * 24], np.int8)
    facts = [
        PeriodFacts(
            stream=StreamFacts("P9", "E1", "kWh", 3600),
            begin=_DAY.begin,
            end=_DAY.end,
            zone=_DAY.zone,
            today=date(2027, 1, 1),
            intervals=intervals_of(_DAY, matrix, qualities, 0, row),
            registers=registers if row == 0 else (),
        )
        for row in range(2)
    ]
    together = judge_batch(Batch(_DAY, matrix, qualities, facts), TABLE)
    assert rule in [one.rule for one in together[0]]
    assert together[1] == []
    assert together == [judge(_alone(one), parameters_of(one, TABLE)) for one in facts]


def test_a_batch_of_matrices_that_do_not_fit_is_refused() -> None:
    grid = grid_of(date(2026, 6, 1), date(2026, 6, 2), ZONES[2], 3600)
    with pytest.raises(ValueError, match="not"):
        Batch(grid, np.zeros((1, 23), np.int64), np.zeros((1, 23), np.int8), [])


def test_an_empty_batch_has_no_findings() -> None:
    grid = grid_of(date(2026, 6, 1), date(2026, 6, 2), ZONES[2], 3600)
    assert judge_batch(Batch(grid, np.zeros((0, 24), np.int64), np.zeros((0, 24), np.int8), []), TABLE) == []
