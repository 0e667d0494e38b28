"""Grids: the intervals of local days."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_assets.metering.validation.grids import Grid, grid_of

SYDNEY, NEPAL = ZoneInfo("Australia/Sydney"), ZoneInfo("Asia/Kathmandu")


def test_a_sydney_summer_day_begins_at_23_00_of_nem_time_the_day_before() -> None:
    grid = grid_of(date(2026, 1, 15), date(2026, 1, 16), SYDNEY, 1800)
    assert grid.start(0) == datetime(2026, 1, 14, 13, tzinfo=UTC)  # 23:00 at UTC+10
    assert grid.place(datetime(2026, 1, 14, 13, 30, tzinfo=UTC)) == 1
    assert grid.place(datetime(2026, 1, 14, 13, 10, tzinfo=UTC)) is None  # between two
    assert grid.place(datetime(2026, 1, 14, 12, 30, tzinfo=UTC)) is None  # before
    assert grid.place(datetime(2026, 1, 15, 13, 0, tzinfo=UTC)) is None  # after


def test_a_month_has_its_clock_change_on_the_day_of_it() -> None:
    grid = grid_of(date(2026, 4, 1), date(2026, 5, 1), SYDNEY, 900)
    assert [place for place, size in enumerate(grid.sizes()) if size == 100] == [4]
    assert len(grid) == 30 * 96 + 4
    assert grid.day_of(grid.part(date(2026, 4, 5)).stop - 1) == date(2026, 4, 5)
    assert grid_of(date(2026, 3, 1), date(2026, 4, 1), ZoneInfo("America/Chicago"), 3600).hours == (743 * 3600, 3600)


def test_a_zone_with_a_quarter_hour_has_its_half_hours_from_its_own_midnight() -> None:
    grid = grid_of(date(2026, 6, 1), date(2026, 6, 2), NEPAL, 1800)
    assert grid.start(0) == datetime(2026, 5, 31, 18, 15, tzinfo=UTC)
    assert grid.clock[:2] == (0, 1800)


@given(st.dates(date(2000, 1, 1), date(2035, 1, 1)), st.integers(1, 10), st.sampled_from([900, 1800, 3600]))
@settings(max_examples=60, deadline=None)
def test_every_interval_is_in_the_local_day_in_which_it_starts(begin: date, days: int, length: int) -> None:
    grid = Grid(begin, begin + timedelta(days=days), SYDNEY, length)
    for place in range(len(grid)):
        assert grid.day_of(place) == grid.start(place).astimezone(SYDNEY).date()
        assert grid.place(grid.start(place)) == place
    assert sum(grid.sizes()) == len(grid)


def test_a_period_without_a_day_is_refused() -> None:
    with pytest.raises(ValueError, match="no intervals"):
        grid_of(date(2026, 6, 1), date(2026, 6, 1), SYDNEY, 900)
    with pytest.raises(ValueError, match="is not in"):
        grid_of(date(2026, 6, 1), date(2026, 6, 2), SYDNEY, 900).part(date(2026, 6, 2))
