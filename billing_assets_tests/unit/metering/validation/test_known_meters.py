"""Validation and estimation of simulated meters whose energy is known at four resolutions."""

import csv
import gzip
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from billing_assets.metering.validation.cases import case_of
from billing_assets.metering.validation.estimation import Sources, fill
from billing_assets.metering.validation.facts import Intervals, PeriodFacts, Quality, RegisterFacts, StreamFacts
from billing_assets.metering.validation.grids import grid_of
from billing_assets.metering.validation.parameters import Setting
from billing_assets.metering.validation.profiles import hourly_profile
from billing_assets.metering.validation.registers import unscaled
from billing_assets.metering.validation.rules import parameter_table, run
from billing_assets_tests.unit.metering.validation.periods import JULY

DATA = Path(__file__).parents[3] / "data" / "interval"
CHICAGO = ZoneInfo("America/Chicago")
METERS = ("il-electricity-cdd-hdd", "il-gas-hdd-only", "il-gas-intercept-only")
BARE = [Setting("SUM", name, Decimal(0), date(2015, 1, 1)) for name in ("units", "percent")]


class Row(NamedTuple):
    """A row of a file: local day, and value."""

    day: date
    value: str


@cache
def rows(meter: str, resolution: str) -> list[Row]:
    """The rows of a meter that are closed; the last one is only the end."""
    with gzip.open(DATA / "meters" / f"{meter}-{resolution}.csv.gz", "rt", encoding="utf-8") as file:
        return [
            Row(datetime.fromisoformat(row["start"]).astimezone(CHICAGO).date(), row["value"])
            for row in csv.DictReader(file)
        ]


@cache
def hours(meter: str) -> tuple[dict[datetime, int], int]:
    """The hours of a meter in hundredths, by their start in UTC; and how many there are."""
    with gzip.open(DATA / "meters" / f"{meter}-hourly.csv.gz", "rt", encoding="utf-8") as file:
        found = {
            datetime.fromisoformat(row["start"]).astimezone(UTC): int(Decimal(row["value"]).scaleb(2))
            for row in csv.DictReader(file)
            if row["value"] not in ("", "nan")
        }
    return found, len(found)


def series(meter: str, begin: date, end: date) -> Intervals:
    """The hours of some local days."""
    grid = grid_of(begin, end, CHICAGO, 3600)
    known, _ = hours(meter)
    values = [known.get(grid.start(place)) for place in range(len(grid))]
    qualities = [Quality.MISSING if value is None else Quality.ACTUAL for value in values]
    return Intervals(grid, np.array([value or 0 for value in values], np.int64), np.array(qualities, np.int8), 2)


def period(meter: str, begin: date, end: date, value: str) -> PeriodFacts:
    """The hours of a period with a register that counted its row of another file."""
    return PeriodFacts(
        stream=StreamFacts("P1", "E1", "kWh", 3600),
        begin=begin,
        end=end,
        zone=CHICAGO,
        today=date(2027, 1, 1),
        intervals=series(meter, begin, end),
        registers=(RegisterFacts("M1", "0", value, begin, end),),
    )


@pytest.mark.parametrize("meter", METERS)
@pytest.mark.parametrize("resolution", ["daily", "billing_monthly", "billing_bimonthly"])
def test_rows_of_each_resolution_pass_the_sum_check_and_a_bare_equality_fails_some(meter: str, resolution: str) -> None:
    its = rows(meter, resolution)
    periods = [period(meter, one.day, after.day, one.value) for one, after in pairwise(its)]
    usual, bare = (parameter_table(settings).resolve("", "", "", JULY) for settings in ((), BARE))
    assert [one.begin for one in periods if run(case_of(one, usual), {"SUM", "MISSING", "NEGATIVE"})] == []
    assert [one.begin for one in periods if run(case_of(one, bare), {"SUM"})] != []


def test_a_day_that_is_taken_away_comes_back_with_the_month_s_sum_to_the_digit() -> None:
    meter = "il-electricity-cdd-hdd"
    its = rows(meter, "billing_monthly")
    (begin, value), (end, _) = its[4], its[5]
    whole = series(meter, begin - timedelta(days=40), end)
    for number in range(0, (end - begin).days, 7):
        gone = begin + timedelta(days=number)
        part = whole.grid.part(gone)
        qualities = whole.qualities.copy()
        qualities[part] = Quality.MISSING
        holed = Intervals(whole.grid, whole.values, qualities, whole.decimals)
        filled = fill(Sources(holed, country="US", register=Fraction(value)), begin, end)
        (one,) = filled.estimates
        assert (one.first, len(one.values), filled.left) == (part.start, part.stop - part.start, ())
        first, after = whole.grid.part(begin).start, len(whole.grid)
        good = qualities[first:after] > Quality.NULL
        known = unscaled(sum(whole.values[first:after][good].tolist()), whole.decimals)
        assert known + unscaled(sum(one.values), one.decimals) == Decimal(value)


def test_a_class_profile_keeps_what_the_year_comes_to() -> None:
    path = DATA / "profiles" / "crb8760_norm_Houston_MidriseApartment.dat.gz"
    text = gzip.decompress(path.read_bytes()).decode()
    profile = hourly_profile("apartment", text)
    months = {month: weights for (month, _), weights in profile.weights.items()}
    assert sum(sum(map(Fraction, weights)) for weights in months.values()) == sum(map(Fraction, text.split()))
