"""Blocks: what fills them, and where a quantity goes that reaches a limit."""

from decimal import Decimal
from typing import Any

import pytest

from billing_assets_tests.unit.invoicing.rating.examples import rated
from billing_assets_tests.unit.invoicing.rating.small_cases import case, charge, hours, register, window

STEPS = [{"up_to": "100", "price": "0.10"}, {"up_to": "200", "price": "0.20"}, {"price": "0.30"}]


def parts(content: dict[str, Any]) -> list[tuple[str, str | None, int | None, Decimal]]:
    """Charge, window, block and quantity of each line."""
    return [(one.code, one.window, one.block, one.quantity) for one in rated(content).lines]


@pytest.mark.parametrize(
    ("kwh", "mode", "expected"),
    [
        ("100", "graduated", {1: "100"}),
        ("100.001", "graduated", {1: "100", 2: "0.001"}),
        ("250.5", "graduated", {1: "100", 2: "100", 3: "50.5"}),
        ("100", "volume", {1: "100"}),
        ("100.001", "volume", {2: "100.001"}),
        ("200.5", "volume", {3: "200.5"}),
    ],
)
def test_a_block_ends_with_its_limit(kwh: str, mode: str, expected: dict[int, str]) -> None:
    energy = charge("energy", "usage", {"blocks": STEPS, "block_rule": {"mode": mode}})
    found = parts(case(energy, usage={"registers": [register(kwh)]}))
    assert found == [("energy", None, block, Decimal(part)) for block, part in expected.items()]


def two_windows(scope: str) -> dict[str, Any]:
    """A day of 24 hours, 10 kWh each: 60 in the peak, 180 outside."""
    windows = [
        {**window("peak", "15:00", "21:00", "0"), "blocks": STEPS},
        {**window("off", "21:00", "15:00", "0"), "blocks": STEPS},
    ]
    for one in windows:
        del one["price"]
    energy = charge("energy", "tou", {"windows": windows, "block_rule": {"scope": scope}})
    return case(energy, usage={"intervals": [hours(["10"] * 24)]}, period={"from": "2026-06-01", "to": "2026-06-02"})


def test_windows_fill_their_blocks_separately_or_together() -> None:
    assert parts(two_windows("window")) == [
        ("energy", "peak", 1, Decimal(60)),
        ("energy", "off", 1, Decimal(100)),
        ("energy", "off", 2, Decimal(80)),
    ]
    assert parts(two_windows("charge")) == [
        ("energy", "peak", 1, Decimal(25)),
        ("energy", "peak", 2, Decimal(25)),
        ("energy", "peak", 3, Decimal(10)),
        ("energy", "off", 1, Decimal(75)),
        ("energy", "off", 2, Decimal(75)),
        ("energy", "off", 3, Decimal(30)),
    ]


def test_charges_of_one_bill_fill_blocks_together_and_service_points_do_not() -> None:
    rule = {"blocks": STEPS, "block_rule": {"scope": "bill"}}
    charges = [charge("energy", "usage", rule), charge("hot_water", "usage", rule, channels=["hot_water"])]
    used = [register("90"), register("60", channel="hot_water")]
    assert parts(case(*charges, usage={"registers": used})) == [
        ("energy", None, 1, Decimal(60)),
        ("energy", None, 2, Decimal(30)),
        ("hot_water", None, 1, Decimal(40)),
        ("hot_water", None, 2, Decimal(20)),
    ]
    apart = [register("90"), register("60", channel="hot_water", service_point="B")]
    assert {block for _, _, block, _ in parts(case(*charges, usage={"registers": apart}))} == {1}


def test_days_and_months_fill_their_blocks_separately_where_the_tariff_says_so() -> None:
    values = ["150"] + ["0"] * 23 + ["60"] + ["0"] * 23
    period = {"from": "2026-06-01", "to": "2026-06-03"}
    daily = charge("energy", "usage", {"blocks": STEPS, "block_rule": {"period": "P1D", "evaluate": "each_day"}})
    found = parts(case(daily, usage={"intervals": [hours(values)]}, period=period))
    assert found == [("energy", None, 1, Decimal(160)), ("energy", None, 2, Decimal(50))]
    pooled = charge("energy", "usage", {"blocks": STEPS, "block_rule": {"period": "P1D"}})
    found = parts(case(pooled, usage={"intervals": [hours(values)]}, period=period))
    assert found == [("energy", None, 1, Decimal(200)), ("energy", None, 2, Decimal(10))]
