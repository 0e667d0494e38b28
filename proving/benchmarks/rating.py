"""Rating a month's bills by one core: of registers, and of 2,976 quarter hours by time of use with demand; what the
intervals cost beside a bare sum by window; and the memory, which must not grow with the bills.

What is measured is `rate` alone. Every meter has usage of its own; the tariff is one, as it is for a product. A charge
by time of use, one of demand, a supply charge and a tax is a bill of a business; blocks, a supply charge, a discount
and a tax one of a household.
"""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from billing_assets.invoicing.rating.context import RatingContext
from billing_assets.invoicing.rating.local_time import cell_map, zone_of
from billing_assets.invoicing.rating.rate import rate
from billing_assets.invoicing.rating.rounding import half_up
from billing_assets.invoicing.rating.scaled import Scaled
from billing_assets.invoicing.rating.tariff import Tariff
from billing_assets.invoicing.rating.tariff_json import read_tariff
from billing_assets.invoicing.rating.usage import Intervals, Period, Register, Usage
from proving.benchmarks.measure import Mark, Measure, Place, Round
from proving.benchmarks.world import alone

_PERIOD = Period(date(2026, 7, 1), date(2026, 8, 1))
_CONTEXT = RatingContext(time_zone="Australia/Sydney")
_START = datetime(2026, 6, 30, 14, tzinfo=UTC)
_INTERVALS = 31 * 96
_SEED = 20260701
_WEEK = ["mon", "tue", "wed", "thu", "fri"]


def _charge(code: str, kind: str, **version: Any) -> dict[str, Any]:
    head = {"code": code, "kind": kind, "tax_category": "GST"}
    return {**head, "versions": [{"valid_from": "2026-01-01", **version}]}


def _tariff(*charges: dict[str, Any]) -> Tariff:
    gst = {**_charge("gst", "tax", rate="0.10"), "applies_to": {"tax_categories": ["GST"]}}
    return read_tariff({"code": "B", "currency": "AUD", "charges": [*charges, gst]})


def _window(name: str, begins: str, ends: str, price: str, days: Sequence[str] = _WEEK) -> dict[str, Any]:
    return {"name": name, "days": [*days], "from": begins, "to": ends, "price": price}


_HOUSEHOLD = _tariff(
    _charge(
        "usage",
        "usage",
        blocks=[{"up_to": "1020", "price": "0.2847"}, {"price": "0.3151"}],
        block_rule={"period": "P3M"},
    ),
    _charge("supply", "fixed_daily", price="0.9130"),
    _charge("discount", "discount", method="percent_of_use", percent="6"),
)
_BUSINESS = _tariff(
    _charge(
        "usage",
        "tou",
        windows=[
            _window("peak", "15:00", "21:00", "0.5280"),
            _window("shoulder", "07:00", "15:00", "0.2530"),
            _window("off-peak", "21:00", "07:00", "0.1870"),
            _window("off-peak", "00:00", "24:00", "0.1870", ["sat", "sun"]),
        ],
    ),
    _charge("demand", "demand", price="12.40", demand_window=30),
    _charge("supply", "fixed_daily", price="1.32"),
)


_ENERGY = _BUSINESS.charges[0]
_ENERGY_ALONE = Tariff("B", "B", "B", "AUD", None, "electricity", None, False, (_ENERGY,), "0")
_PRICES = (Decimal("0.5280"), Decimal("0.2530"), Decimal("0.1870"))
_REGISTERS_A_SECOND, _INTERVALS_A_SECOND, _OF_BARE = 300, 40, 0.3
_AT_ONCE = 200
_BILLS = 20_000


class Rating(NamedTuple):
    """CPU seconds of so many bills."""

    seconds: float
    bills: int


def rate_registers(bills: int) -> Rating:
    """Bills of households from one register each."""
    random = np.random.default_rng(_SEED)
    seconds = 0.0
    for kwh in random.integers(50_000, 2_000_000, bills).tolist():
        quantity = Decimal(kwh).scaleb(-3)
        register = Register("P", "M", "1", "general", quantity, "kWh", _PERIOD.begins, _PERIOD.ends)
        began = time.process_time()
        found = rate(_HOUSEHOLD, Usage(registers=(register,)), _PERIOD, _CONTEXT)
        seconds += time.process_time() - began
        assert found.totals is not None
    return Rating(seconds, bills)


def rate_intervals(bills: int, tariff: Tariff = _BUSINESS) -> Rating:
    """Bills from a month of quarter hours each."""
    seconds = 0.0
    for values in _months(bills):
        usages = [Usage(intervals=(Intervals("P", "general", "kWh", _START, 15, Scaled(one, 6)),)) for one in values]
        began = time.process_time()
        for usage in usages:
            found = rate(tariff, usage, _PERIOD, _CONTEXT)
            assert found.totals is not None
        seconds += time.process_time() - began
    return Rating(seconds, bills)


def bare_sums(bills: int) -> Rating:
    """The same energy by numpy alone: windows by hour and weekday, a sum each, and one product of decimals a line."""
    cells = cell_map(
        _ENERGY.versions,
        zone_of("local", _CONTEXT.time_zone),
        (),
        _PERIOD.begins,
        _PERIOD.ends,
        (),
        _START,
        15,
        _INTERVALS,
    )
    hour, weekday = cells.local // 60 % 24, (cells.days + 3) % 7
    seconds = 0.0
    for values in _months(bills):
        began = time.process_time()
        for one in values:
            workday = weekday < 5
            peak = workday & (hour >= 15) & (hour < 21)
            shoulder = workday & (hour >= 7) & (hour < 15)
            for window, price in zip((peak, shoulder, ~(peak | shoulder)), _PRICES, strict=True):
                half_up(Decimal(int(one[window].sum())).scaleb(-6) * price, 2)
        seconds += time.process_time() - began
    return Rating(seconds, bills)


def _months(bills: int) -> Iterator[list[NDArray[np.int64]]]:
    random = np.random.default_rng(_SEED)
    for first in range(0, bills, _AT_ONCE):
        yield [random.integers(0, 5_000_000, _INTERVALS) for _ in range(min(_AT_ONCE, bills - first))]


def _play(here: Place, small: bool) -> Iterator[Round]:
    del here  # no server is needed
    bills = 500 if small else _BILLS
    for _ in range(1 if small else 3):
        registers = rate_registers(bills)
        yield Round(registers.seconds, bills / _REGISTERS_A_SECOND, bills, _a_second(registers), "rating-registers")
        little, run = alone(rate_intervals, bills // 10), alone(rate_intervals, bills)
        yield Round(run.value.seconds, bills / _INTERVALS_A_SECOND, bills, _a_second(run.value), "rating-intervals")
        yield Round(run.megabytes, little.megabytes, bills, {}, "rating-memory")
        energy, bare = rate_intervals(bills, _ENERGY_ALONE), bare_sums(bills)
        yield Round(energy.seconds, bare.seconds, bills, _a_second(energy), "rating-bare")


def _a_second(found: Rating) -> dict[str, float]:
    return {"bills a second": found.bills / found.seconds}


MEASURES = [
    Measure(
        "rating-registers",
        "rating bills from registers (CPU time)",
        f"the time that they may take: {_REGISTERS_A_SECOND} bills a second",
        "s",
        Mark(at_most=1),
        1,
        _play,
    ),
    Measure(
        "rating-intervals",
        "rating bills from 2,976 quarter hours by time of use, with demand (CPU time)",
        f"the time that they may take: {_INTERVALS_A_SECOND} bills a second",
        "s",
        Mark(at_most=1),
        1,
        _play,
    ),
    Measure(
        "rating-bare",
        "rating bills from 2,976 quarter hours by time of use (CPU time)",
        "a bare numpy sum by window, with one product of decimals a line",
        "s",
        Mark(faster=_OF_BARE),
        1,
        _play,
    ),
    Measure(
        "rating-memory",
        "memory for rating bills from quarter hours",
        "the same of a tenth of the bills",
        "MB",
        Mark(at_most=1.1, most=300),
        0,
        _play,
    ),
]
