"""Estimation: the worked examples of the specification to the digit, and what must hold for any period."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_assets.foundation.calendar.business_days import DayKind, day_kind
from billing_assets.metering.validation.estimation import (
    Estimate,
    Method,
    Sources,
    average_daily_load,
    estimate_quantity,
    estimated_read,
    fill,
)
from billing_assets.metering.validation.facts import HistoryPeriod
from billing_assets.metering.validation.profiles import Profile, ProfileError, hourly_profile
from billing_assets.metering.validation.registers import unscaled
from billing_assets_tests.unit.metering.validation.periods import CHICAGO, JUNE, before, series

MONDAY = date(2026, 6, 15)


def numbers(estimate: Estimate) -> list[Decimal]:
    return [unscaled(value, estimate.decimals) for value in estimate.values]


def texts(*values: str) -> list[Decimal]:
    return [Decimal(value) for value in values]


def test_a_gap_of_three_between_1_2_and_2_0_is_filled_in_a_line() -> None:
    quarters: list[str | None] = ["0.4"] * 40 + ["1.2", None, None, None, "2.0"] + ["0.4"] * 51
    (one,) = fill(Sources(series(quarters)), JUNE, JUNE + timedelta(days=1)).estimates
    assert (one.first, one.method, numbers(one)) == (41, Method.LINEAR, texts("1.4", "1.6", "1.8"))
    assert one.inputs == {"before": "1.2", "after": "2"}


def test_a_gap_of_two_hours_is_bridged_and_a_longer_one_is_not() -> None:
    for count, method in ((8, Method.LINEAR), (9, None)):
        quarters: list[str | None] = ["1"] * 40 + [None] * count + ["1"] * (56 - count)
        filled = fill(Sources(series(quarters)), JUNE, JUNE + timedelta(days=1))
        assert [one.method for one in filled.estimates] == ([method] if method else [])
        assert bool(filled.left) is (method is None)


def test_no_line_begins_at_an_interval_with_a_power_failure_or_at_an_estimate() -> None:
    quarters: list[str | None] = ["1"] * 40 + [None] * 3 + ["1"] * 53
    off = [place == 39 for place in range(96)]
    for bad in (series(quarters, outages=off), series(quarters, "A" * 43 + "E" + "A" * 52)):
        filled = fill(Sources(bad), JUNE, JUNE + timedelta(days=1))
        assert not filled.estimates
        assert [(gap.first, gap.after) for gap in filled.left] == [(40, 43)]
        assert "No earlier days" in filled.left[0].why


def test_estimates_are_scaled_to_the_register_exactly() -> None:
    # known rows 20.3, register 26.0: target 5.7, raw 1.4 + 1.6 + 1.8 = 4.8, factor 1.1875
    day: list[str | None] = ["17.1", "1.2", None, None, None, "2.0", *["0"] * 18]
    sources = Sources(series(day, length_seconds=3600), linear_seconds=3 * 3600, register=Fraction(26))
    (one,) = fill(sources, JUNE, JUNE + timedelta(days=1)).estimates
    assert numbers(one) == texts("1.6625", "1.9", "2.1375")
    assert sum(numbers(one)) == Decimal("5.7")
    said = {name: one.inputs[name] for name in ("register", "known", "target", "raw", "factor")}
    assert said == {"register": "26", "known": "20.3", "target": "5.7", "raw": "4.8", "factor": "1.1875"}


def test_without_any_shape_the_rest_of_the_register_is_spread_evenly() -> None:
    day: list[str | None] = ["20.3", None, None, None, *["0"] * 20]
    sources = Sources(series(day, length_seconds=3600), register=Fraction(26))
    (one,) = fill(sources, JUNE, JUNE + timedelta(days=1)).estimates
    assert (one.method, numbers(one)) == (Method.FLAT, texts("1.9", "1.9", "1.9"))


def test_a_register_below_what_is_known_is_left_to_a_person() -> None:
    day: list[str | None] = ["20.3", None, *["0"] * 22]
    filled = fill(Sources(series(day, length_seconds=3600), register=Fraction(20)), JUNE, JUNE + timedelta(days=1))
    assert not filled.estimates
    assert filled.left[0].why.startswith("The register counted 20, less than the 20.3")


def _weeks(
    hour_three: Mapping[date, str | None], first: date, days: int, qualities: dict[date, str] | None = None
) -> Sources:
    """Days of hours, with a value at 03:00 of some days; a gap from 02:00 to 06:00 on the last day."""
    values: list[str | None] = []
    flags = ""
    for number in range(days):
        day = first + timedelta(days=number)
        its: list[str | None] = ["0.10"] * 24
        its[3] = hour_three.get(day, "9.99")
        if number == days - 1:
            its[2:6] = [None] * 4
        values += its
        flags += (qualities or {}).get(day, "A") * 24
    return Sources(series(values, flags, begin=first, days=days, length_seconds=3600), country="US", subdivision="TX")


def test_a_long_gap_is_the_mean_of_the_last_three_like_days() -> None:
    fridays = {date(2026, 6, 10): "0.80", date(2026, 6, 11): "0.90", date(2026, 6, 12): "1.00"}
    sources = _weeks(fridays, date(2026, 6, 8), 8)
    (one,) = fill(sources, MONDAY, MONDAY + timedelta(days=1)).estimates
    assert (one.method, numbers(one)) == (Method.LIKE_DAYS, texts("0.1", "0.9", "0.1", "0.1"))
    assert [day["day"] for day in one.inputs["days"]] == ["2026-06-12", "2026-06-11", "2026-06-10"]


def test_estimated_days_do_not_serve_and_good_parts_of_partial_days_do() -> None:
    values = {
        date(2026, 6, 9): "0.80",
        date(2026, 6, 10): "0.90",
        date(2026, 6, 11): "7.00",
        date(2026, 6, 12): None,
        date(2026, 6, 8): "1.00",
    }
    sources = _weeks(values, date(2026, 6, 5), 11, {date(2026, 6, 11): "E"})
    (one,) = fill(sources, MONDAY, MONDAY + timedelta(days=1)).estimates
    assert numbers(one)[1] == Decimal(
        "0.9"
    )  # of the 8th, 9th and 10th; 11 June is estimated, 12 June has no such value
    assert "2026-06-12" in [day["day"] for day in one.inputs["days"]]  # for its other intervals


def test_a_holiday_is_like_holidays_and_a_weekend_like_weekends() -> None:
    assert day_kind(date(2026, 6, 19), "US", "TX") is DayKind.HOLIDAY  # Juneteenth, a Friday
    assert day_kind(date(2026, 6, 20), "US", "TX") is DayKind.WEEKEND
    assert day_kind(date(2026, 6, 18), "US", "TX") is DayKind.WEEKDAY
    assert day_kind(date(2026, 6, 19), None) is DayKind.WEEKDAY
    monday = date(2026, 6, 22)
    days = {date(2026, 6, 17): "0.80", date(2026, 6, 18): "0.90", date(2026, 6, 16): "1.00", date(2026, 6, 19): "50"}
    (one,) = fill(_weeks(days, date(2026, 6, 8), 15), monday, monday + timedelta(days=1)).estimates
    assert numbers(one)[1] == Decimal("0.9")


def test_the_doubled_hour_and_the_day_without_an_hour_find_their_like_by_the_clock() -> None:
    zone = ZoneInfo("America/Chicago")
    values: list[str | None] = []
    first = date(2026, 10, 31) - timedelta(days=15)
    for number in range(17):
        day = first + timedelta(days=number)
        if day == date(2026, 11, 1):  # 25 hours; a gap from 01:00 (standard) to 04:00
            values += ["0.1", "0.2", None, None, None, None, *["0.1"] * 19]
        else:
            values += ["0.1", "0.2", "0.3", "0.4", "0.5", *["0.1"] * 19]
    filled = fill(
        Sources(series(values, begin=first, days=17, length_seconds=3600, zone=zone)),
        date(2026, 11, 1),
        date(2026, 11, 2),
    )
    assert numbers(filled.estimates[0]) == texts("0.2", "0.3", "0.4", "0.5")


def test_of_a_like_day_with_a_doubled_hour_the_first_of_both_serves() -> None:
    values: list[str | None] = []
    first, gap = date(2026, 10, 26), date(2026, 11, 7)  # like Saturday 7 November: 25 and 31 October, 1 November
    for number in range((gap - first).days + 1):
        day = first + timedelta(days=number)
        night = ["0.2", "8"] if day == date(2026, 11, 1) else ["0.2"]
        values += [None] * 24 if day == gap else ["0.1", *night, *["0.3"] * 22]
    flags = "A" * len(values)
    earlier: list[str | None] = ["0.1", "0.2", *["0.3"] * 22]
    known = series(earlier + values, "A" * 24 + flags, begin=first - timedelta(days=1), days=14, length_seconds=3600)
    (one,) = fill(Sources(known), gap, gap + timedelta(days=1)).estimates
    assert numbers(one)[:3] == texts("0.1", "0.2", "0.3")


def test_with_fewer_than_three_like_days_the_year_before_is_taken() -> None:
    last_year = MONDAY - timedelta(days=364)
    values: list[str | None] = []
    for number in range(365):
        day = last_year + timedelta(days=number)
        values += [None] * 4 if day == MONDAY else ["1.5"] * 4 if day == last_year else ["9"] * 4
    flags = "A" * 4 + "E" * 4 * 363 + "A" * 4
    sources = Sources(series(values, flags, begin=last_year, days=365, length_seconds=6 * 3600, zone=ZoneInfo("UTC")))
    (one,) = fill(sources, MONDAY, MONDAY + timedelta(days=1)).estimates
    assert (one.method, numbers(one)) == (Method.PREVIOUS_YEAR, texts("1.5", "1.5", "1.5", "1.5"))
    assert one.inputs == {"day": last_year.isoformat()}


def _thirds(weights: Sequence[int] = (2, 3, 5)) -> Profile:
    return Profile("made up", {(0, kind): weights for kind in DayKind})


def test_120_kwh_over_a_profile_of_2_3_5_are_24_36_60() -> None:
    empty = series([None] * 3, length_seconds=8 * 3600)
    (one,) = fill(Sources(empty, profile=_thirds(), daily=Fraction(120)), JUNE, JUNE + timedelta(days=1)).estimates
    assert (one.method, numbers(one)) == (Method.PROFILE, texts("24", "36", "60"))
    assert one.inputs == {"profile": "made up", "daily": "120"}
    (same,) = fill(Sources(empty, profile=_thirds(), register=Fraction(120)), JUNE, JUNE + timedelta(days=1)).estimates
    assert (same.method, numbers(same)) == (Method.PROFILE, texts("24", "36", "60"))


def test_a_profile_is_spread_over_shorter_and_longer_intervals() -> None:
    fine = _thirds([*range(1, 25)]).of(series(["0"] * 48, length_seconds=1800).grid, 0, 4)
    assert fine == [Fraction(1, 2), Fraction(1, 2), 1, 1]
    coarse = _thirds([*range(1, 25)]).of(series(["0"] * 12, length_seconds=7200).grid, 0, 2)
    assert coarse == [3, 7]


def test_a_year_of_hours_becomes_a_profile_by_month_and_hour() -> None:
    hours = ["0"] * 8760
    hours[0] = hours[24] = "0.25"  # the first hour of 1 and of 2 January
    hours[31 * 24 + 5] = "1e-1"  # 05:00 on 1 February
    profile = hourly_profile("class", "\n".join(hours))
    assert profile.weights[1, DayKind.WEEKDAY][:2] == [Fraction(1, 2), 0]
    assert profile.weights[2, DayKind.HOLIDAY][5] == Fraction(1, 10)
    for wrong in ("\n".join(hours[1:]), "\n".join(["x", *hours[1:]]), "\n".join(["-1", *hours[1:]])):
        with pytest.raises(ProfileError):
            hourly_profile("class", wrong)


def test_372_kwh_in_31_days_of_last_year_are_360_in_30() -> None:
    june = before("372", date(2025, 6, 1), date(2025, 7, 2))
    found = estimate_quantity(JUNE, date(2026, 7, 1), june, [])
    assert found is not None
    assert (found.quantity, found.method, found.inputs["daily"]) == (Decimal(360), Method.PREVIOUS_YEAR, "12")


def test_1080_kwh_in_the_last_90_days_are_12_a_day() -> None:
    history = [before("1080", date(2026, 3, 3), JUNE)]
    assert average_daily_load(history, JUNE) == 12
    found = estimate_quantity(JUNE, date(2026, 6, 11), None, history)
    assert found is not None
    assert (found.quantity, found.method) == (Decimal(120), Method.DAILY_AVERAGE)
    assert estimate_quantity(JUNE, date(2026, 6, 11), None, []) is None


def test_only_what_lies_in_the_90_days_counts() -> None:
    history = [before("310", date(2026, 5, 1), JUNE), HistoryPeriod(date(2026, 1, 1), date(2026, 5, 1), Decimal(2400))]
    # 31 days of 10 and 59 days of 20
    assert average_daily_load(history, JUNE) == Fraction(310 + 59 * 20, 90)


def test_an_estimated_read_has_the_dials_of_the_register() -> None:
    assert estimated_read("01100", Decimal(150), digits=5) == "01250"
    assert estimated_read("99950", Decimal(1150), digits=5, multiplier=Decimal(10)) == "00065"
    assert estimated_read("0009.5", Decimal(1), digits=4) == "0010.5"


@given(
    st.lists(st.one_of(st.none(), st.integers(0, 3000)), min_size=24, max_size=24),
    st.integers(0, 500_000),
)
@settings(max_examples=100, deadline=None)
def test_estimates_and_known_rows_are_the_register_exactly(values: list[int | None], register: int) -> None:
    day = series([None if one is None else str(Decimal(one) / 1000) for one in values], length_seconds=3600)
    known = sum(one for one in values if one is not None)
    filled = fill(Sources(day, register=Fraction(register, 1000)), JUNE, JUNE + timedelta(days=1))
    missing = [place for place, one in enumerate(values) if one is None]
    places = [one.first + number for one in filled.estimates for number in range(len(one.values))]
    if filled.left or not missing:
        assert not missing or register < known
        assert not filled.estimates
        return
    assert sorted(places) == missing
    assert sum(sum(numbers(one)) for one in filled.estimates) == Decimal(register - known) / 1000
    assert min(value for one in filled.estimates for value in one.values) >= 0


@pytest.mark.parametrize("country", ["US", "AU", None])
def test_every_day_is_of_one_kind(country: str | None) -> None:
    assert {day_kind(JUNE + timedelta(days=n), country) for n in range(14)} >= {DayKind.WEEKDAY, DayKind.WEEKEND}
    assert CHICAGO.key == "America/Chicago"
