"""What customers of other engines complained about in public, as tests of this one."""

from decimal import Decimal
from typing import Any

import pytest

from billing_assets_tests.unit.invoicing.rating.examples import rated
from billing_assets_tests.unit.invoicing.rating.small_cases import ENERGY, JUNE, case, charge, hours, register

QUARTER = charge("rent", "fixed_period", {"price": "91.00", "period": "P3M"}, proration="by_days_of_period")


def lines(content: dict[str, Any]) -> list[tuple[Decimal, Decimal, Decimal, Decimal]]:
    """Quantity, price, base and amount of each line."""
    return [(one.quantity, one.price, one.price_base, one.amount) for one in rated(content).lines]


def numbers(*texts: str) -> tuple[Decimal, ...]:
    return tuple(map(Decimal, texts))


def test_a_quarter_entered_in_its_middle_is_divided_by_the_whole_quarter_and_never_by_what_is_left() -> None:
    """lago-api#6194: 42 days left of 91 were divided by 42."""
    period = {"from": "2026-05-20", "to": "2026-07-01"}
    assert lines(case(QUARTER, period=period)) == [numbers("42", "91.00", "91", "42.00")]


def test_a_context_cycle_is_the_nominal_period_and_a_bill_over_two_has_two_lines() -> None:
    cycles = [{"from": "2026-05-15", "to": "2026-06-14"}, {"from": "2026-06-14", "to": "2026-07-15"}]
    monthly = charge("rent", "fixed_period", {"price": "31.00", "period": "P1M"}, proration="by_days_of_period")
    assert lines(case(monthly, context={"cycle": cycles})) == [
        numbers("13", "31.00", "30", "13.43"),
        numbers("17", "31.00", "31", "17.00"),
    ]


@pytest.mark.parametrize(
    ("proration", "expected"),
    [
        ("none", [numbers("1", "30.00", "1", "30.00")]),
        ("by_calendar_month", [numbers("17", "30.00", "31", "16.45"), numbers("14", "30.00", "30", "14.00")]),
        ("thirty", [numbers("17", "30.00", "30", "17.00"), numbers("14", "30.00", "30", "14.00")]),
        ("annual_365", [numbers("31", "360.00", "365", "30.58")]),
    ],
)
def test_each_way_of_proration_can_be_computed_again(proration: str, expected: list[tuple[Decimal, ...]]) -> None:
    monthly = charge("rent", "fixed_period", {"price": "30.00", "period": "P1M"}, proration=proration)
    assert lines(case(monthly, period={"from": "2026-05-15", "to": "2026-06-15"})) == expected


def test_thirty_is_at_most_a_whole_month_also_with_a_new_price_on_its_last_day() -> None:
    versions = [
        {"price": "30.00", "period": "P1M", "valid_to": "2026-05-31"},
        {"price": "60.00", "period": "P1M", "valid_from": "2026-05-31"},
    ]
    monthly = charge("rent", "fixed_period", versions, proration="thirty")
    assert lines(case(monthly, period={"from": "2026-05-01", "to": "2026-06-01"})) == [
        numbers("30", "30.00", "30", "30.00")
    ]


def test_the_day_of_a_read_is_billed_once_by_the_later_period() -> None:
    """toggl-tally#3: both periods had the last day."""
    daily = charge("supply", "fixed_daily", {"price": "1.00"})
    days = [
        line[0]
        for period in (JUNE, {"from": "2026-07-01", "to": "2026-08-01"})
        for line in lines(case(daily, period=period))
    ]
    assert days == [30, 31]


def test_a_version_without_a_day_gives_no_line_and_is_no_overlap() -> None:
    """killbill#877: two plans on one day were taken for double billing."""
    versions = [
        {"price": "0.10", "valid_to": "2026-06-10"},
        {"price": "0.20", "valid_from": "2026-06-10", "valid_to": "2026-06-10"},
        {"price": "0.30", "valid_from": "2026-06-10"},
    ]
    found = rated(case(charge("energy", "usage", versions), usage={"registers": [register("300")]}))
    assert [(one.quantity, str(one.price)) for one in found.lines] == [(Decimal(90), "0.10"), (Decimal(210), "0.30")]


def test_a_line_of_a_million_kwh_at_an_index_price_is_exact_by_its_price_base() -> None:
    """odoo#255358: the unit price was rounded, and the e-invoice refused for its quantity."""
    series = {"start": "2026-06-01T00:00:00Z", "minutes": 60, "prices": ["31.4159", "27.1828"] * 12}
    energy = charge("energy", "index", {"series": "RTM"})
    used = {"intervals": [hours(["41666.667"] * 24)]}
    period = {"from": "2026-06-01", "to": "2026-06-02"}
    (line,) = rated(case(energy, usage=used, period=period, context={"price_series": {"RTM": series}})).lines
    assert line.quantity == line.price_base == Decimal("1000000.008")
    assert line.amount == line.price == Decimal("29299.35")


def test_prices_below_zero_are_credits_with_a_negative_quantity_and_are_never_cut_off() -> None:
    energy = charge("energy", "usage", {"price": "-0.05"})
    assert lines(case(energy, usage={"registers": [register("100")]})) == [numbers("-100", "0.05", "1", "-5.00")]


def test_prices_that_include_tax_have_it_taken_out_and_never_added() -> None:
    """alga-psa#2337: tax was added to prices that had it."""
    content = case(ENERGY, charge("vat", "tax", {"rate": "0.20"}), usage={"registers": [register("100")]})
    content["tariff"]["prices_include_tax"] = True
    totals = rated(content).totals
    assert totals is not None
    assert [str(one) for one in (totals.net, totals.tax, totals.total)] == ["25.00", "5.00", "30.00"]


def test_an_estimate_is_on_the_line_that_holds_it_and_on_no_other() -> None:
    used = {"registers": [register("100", quality="E"), register("50", channel="controlled_load")]}
    controlled = charge("controlled", "usage", {"price": "0.1"}, channels=["controlled_load"])
    assert [one.estimated for one in rated(case(ENERGY, controlled, usage=used)).lines] == [True, False]


def test_an_interval_across_a_change_of_price_goes_by_minutes_if_the_tariff_says_so() -> None:
    windows = [
        {"name": name, "days": ["mon"], "from": begins, "to": ends, "price": "0.1"}
        for name, begins, ends in (("a", "00:00", "07:20"), ("b", "07:20", "24:00"))
    ]
    energy = charge("energy", "tou", {"windows": windows}, straddle="split_evenly")
    used = {"intervals": [hours(["0"] * 7 + ["1"] + ["0"] * 16)]}
    found = rated(case(energy, usage=used, period={"from": "2026-06-01", "to": "2026-06-02"}))
    assert [one.quantity for one in found.lines] == [Decimal("0.333333"), Decimal("0.666667")]
