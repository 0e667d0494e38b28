"""Registers: rollover, exchange, back-out and proration, by the examples of the specification."""

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_assets.metering.validation.registers import (
    ReadError,
    back_out,
    between,
    dials,
    exchanged,
    parse_read,
    prorate,
    share_out,
    unscaled,
)

MOST = Decimal(500)


@pytest.mark.parametrize(
    ("begin", "end", "counted"),
    [
        ("99950", "00210", "260"),
        ("99890", "02034", "2144"),
        ("9999941.00", "0000106.00", "165"),
        ("99950", "00065", "115"),
        ("43501", "44991", "1490"),
    ],
)
def test_what_lies_between_two_reads(begin: str, end: str, counted: str) -> None:
    use = between(begin, end, days=30, use_per_day=MOST)
    assert (use.dials, use.energy) == (Decimal(counted), Decimal(counted))
    assert use.rolled is (begin > end)


def test_the_multiplier_comes_after_the_rollover() -> None:
    assert between("99950", "00065", days=30, use_per_day=MOST, multiplier=Decimal(10)).energy == 1150


def test_an_unpadded_read_takes_the_dials_of_the_device() -> None:
    assert between("99950", "65", days=30, use_per_day=MOST, device_digits=5).energy == 115
    assert between("99950", "65", days=30, use_per_day=MOST).negative  # not known: nothing is assumed
    assert between("99950", "95", days=30, use_per_day=MOST, device_digits=6).negative


def test_the_dials_are_those_of_a_read_with_leading_zeros() -> None:
    assert dials("0000106.00", "9999941.00") == 7
    assert dials("12", "345", device=5) == 5
    assert dials("12", "34") == 2
    assert dials("12", "345") is None


def test_a_read_that_went_back_is_negative_and_two_rollovers_are_never_assumed() -> None:
    assert between("1250", "1210", days=30, use_per_day=MOST).energy == -40
    back = between("99950", "99940", days=10_000, use_per_day=MOST)
    assert back.rolled  # 99,990 in 10,000 days could be
    assert between("99950", "99940", days=30, use_per_day=MOST).negative


@pytest.mark.parametrize("text", ["", "12a", "-1", "1,5", "NaN", "1e3", "1.2.3", "١٢"])
def test_a_read_that_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ReadError, match="not a register read"):
        parse_read(text)


def test_a_meter_exchange_adds_both_meters_each_with_its_own_multiplier_and_dials() -> None:
    old = between("99990", "00010", days=15, use_per_day=MOST, multiplier=Decimal(2))  # 2 times 20
    new = between("000000", "000007", days=15, use_per_day=MOST, multiplier=Decimal(40))  # 40 times 7
    assert exchanged(old, new) == 320


def test_an_estimate_that_was_too_high_is_cancelled_and_billed_again_from_the_last_actual_read() -> None:
    found = back_out("1100", "1250", "1210")
    assert found == (Decimal(150), Decimal(110))
    assert between("1210", "1330", days=30, use_per_day=MOST).energy == 120  # the next period
    with pytest.raises(ReadError, match="below the last actual one"):
        back_out("1100", "1250", "1090")


def test_620_kwh_at_a_price_change_on_day_11_of_31_are_200_and_420() -> None:
    parts = prorate(Decimal(620), date(2026, 7, 1), date(2026, 8, 1), [date(2026, 7, 11)])
    assert [(one.begin.day, one.end.day, one.quantity) for one in parts] == [
        (1, 11, Decimal(200)),
        (11, 1, Decimal(420)),
    ]


def test_what_rounding_leaves_goes_to_the_largest_part() -> None:
    parts = prorate(Decimal(100), date(2026, 6, 1), date(2026, 6, 8), [date(2026, 6, 3), date(2026, 6, 6)], decimals=0)
    assert [one.quantity for one in parts] == [29, 42, 29]  # 28.57, 42.86, 28.57
    assert [one.quantity for one in prorate(Decimal(-100), date(2026, 6, 1), date(2026, 6, 3), [date(2026, 6, 2)])] == [
        -50,
        -50,
    ]


def test_a_cut_outside_the_period_is_refused() -> None:
    with pytest.raises(ReadError, match="A cut does not lie"):
        prorate(Decimal(1), date(2026, 7, 1), date(2026, 8, 1), [date(2026, 8, 2)])


def test_a_little_shared_by_many_goes_below_zero_nowhere() -> None:
    shares = share_out(1488, [1] * 2976)  # a half each: rounded up, there would be twice as much
    assert (sum(shares), min(shares)) == (1488, 0)


@given(st.integers(0, 10**12), st.lists(st.integers(0, 10**6), min_size=1, max_size=40).filter(any))
@settings(max_examples=200, deadline=None)
def test_shares_add_up_exactly_and_none_is_negative(total: int, weights: list[int]) -> None:
    shares = share_out(total, weights)
    assert sum(shares) == total
    assert min(shares) >= 0
    exact = [Fraction(total * one, sum(weights)) for one in weights]
    largest = weights.index(max(weights))
    assert all(
        abs(share - one) < 1 for place, (share, one) in enumerate(zip(shares, exact, strict=True)) if place != largest
    )


@given(st.integers(-(10**15), 10**15), st.integers(0, 9))
def test_a_scaled_integer_is_the_same_quantity(value: int, decimals: int) -> None:
    assert unscaled(value, decimals) == Decimal(value).scaleb(-decimals)
