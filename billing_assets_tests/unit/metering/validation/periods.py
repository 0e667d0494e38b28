"""Periods to be judged, as short as a test likes them."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from billing_assets.metering.validation.batches import parameters_of
from billing_assets.metering.validation.facts import (
    HistoryPeriod,
    Intervals,
    PeriodFacts,
    Quality,
    RegisterFacts,
    StreamFacts,
)
from billing_assets.metering.validation.grids import grid_of
from billing_assets.metering.validation.parameters import Setting
from billing_assets.metering.validation.rules import RuleFinding, judge, parameter_table

CHICAGO = ZoneInfo("America/Chicago")
JUNE = date(2026, 6, 1)
JULY = date(2026, 7, 1)
FLAGS = {"A": Quality.ACTUAL, "F": Quality.FINAL, "S": Quality.SUBSTITUTE, "E": Quality.ESTIMATE, "N": Quality.NULL}


def series(
    values: Sequence[str | None],
    qualities: str = "",
    *,
    begin: date = JUNE,
    days: int = 1,
    length_seconds: int = 900,
    zone: ZoneInfo = CHICAGO,
    outages: Sequence[bool] | None = None,
) -> Intervals:
    """Intervals of days; None: there is no value. `qualities`: a flag for each, or one for all."""
    grid = grid_of(begin, begin + timedelta(days=days), zone, length_seconds)
    numbers = [Decimal(one) if one is not None else None for one in values]
    decimals = max((-int(one.as_tuple().exponent) for one in numbers if one is not None), default=0)
    flags = qualities * len(numbers) if len(qualities) == 1 else qualities or "A" * len(numbers)
    ranks = [Quality.MISSING if one is None else FLAGS[flag] for one, flag in zip(numbers, flags, strict=True)]
    scaled = [0 if one is None else int(one.scaleb(decimals)) for one in numbers]
    off = None if outages is None else np.array(outages)
    return Intervals(grid, np.array(scaled, np.int64), np.array(ranks, np.int8), decimals, off)


def a_day(*changed: tuple[int, str | None], flat: str = "0.5", **more: Any) -> Intervals:
    """A June day of quarter hours that vary a little, with others at some places."""
    values: list[str | None] = [str(Decimal(flat) + Decimal(place % 2) / 10) for place in range(96)]
    for place, value in changed:
        values[place] = value
    return series(values, **more)


def of_intervals(intervals: Intervals, **facts: Any) -> PeriodFacts:
    """The period of an interval stream."""
    grid = intervals.grid
    usual: dict[str, Any] = {"begin": grid.begin, "end": grid.end, "zone": grid.zone, "today": date(2027, 1, 1)}
    usual["stream"] = StreamFacts("P1", "E1", "kWh", grid.length_seconds)
    return PeriodFacts(**usual | facts, intervals=intervals)


def of_reads(begin_read: str, end_read: str, begin: date = JUNE, end: date = JULY, **facts: Any) -> PeriodFacts:
    """The period of a register."""
    register = RegisterFacts("M1", begin_read, end_read, begin, end, **facts.pop("register", {}))
    usual: dict[str, Any] = {"zone": CHICAGO, "today": date(2027, 1, 1), "registers": (register,)}
    return PeriodFacts(**usual | {"stream": StreamFacts("P1", "11", "kWh", 0), "begin": begin, "end": end} | facts)


def of_quantity(quantity: str, begin: date, end: date, **facts: Any) -> PeriodFacts:
    """The period of a quantity without reads."""
    usual: dict[str, Any] = {"zone": CHICAGO, "today": date(2027, 1, 1), "stream": StreamFacts("P1", "11", "kWh", 0)}
    return PeriodFacts(**usual | facts, begin=begin, end=end, quantity=Decimal(quantity))


def before(quantity: str, begin: date, end: date, **facts: Any) -> HistoryPeriod:
    """An earlier period."""
    return HistoryPeriod(begin, end, Decimal(quantity), **facts)


def found(facts: PeriodFacts, rule: str, *settings: Setting) -> list[RuleFinding]:
    """What a rule finds in a period."""
    findings = judge(facts, parameters_of(facts, parameter_table(settings)))
    return [one for one in findings if one.rule == rule]
