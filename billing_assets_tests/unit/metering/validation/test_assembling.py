"""From versions of readings and master data to the facts of a period."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from billing_assets.metering.validation.assembling import (
    MasterData,
    Placed,
    kind_of,
    place,
    register_days,
    stream_facts,
)
from billing_assets.metering.validation.facts import Direction, Kind, Quality
from billing_assets.metering.validation.grids import Grid, grid_of
from billing_assets.metering.validation.rows import (
    DeviceRow,
    IntervalRow,
    PointRow,
    RegisterRow,
    SupplyRow,
    Terms,
)
from billing_assets.metering.validation.series import file_clock

UTC_ZONE, SYDNEY = ZoneInfo("UTC"), ZoneInfo("Australia/Sydney")
FIRST, SECOND, THIRD = (date(2026, 6, day) for day in (1, 2, 3))
YEARS = date(2020, 1, 1)


def version(number: int, values: list[int], start: datetime | None = None, **more: Any) -> IntervalRow:
    """A version of hours of 1 June, from midnight UTC on if nothing else is said."""
    at = start or datetime(2026, 6, 1, tzinfo=UTC)
    usual = IntervalRow(
        number, 7, at.date(), at, 3600, np.array(values, np.int64), 1, "kWh", "M1", "A", "", None, None, "message"
    )
    return usual._replace(**more)


def placed(*rows: IntervalRow, days: int = 1) -> tuple[Placed, list[int], list[int], Grid]:
    """What is on the grid: values and qualities."""
    grid = grid_of(FIRST, FIRST + timedelta(days=days), UTC_ZONE, 3600)
    values, qualities = np.zeros(len(grid), np.int64), np.full(len(grid), Quality.MISSING, np.int8)
    found = place(grid, list(rows), values, qualities)
    return found, values.tolist(), qualities.tolist(), grid


def test_a_version_counts_only_for_its_own_intervals() -> None:
    base = version(1, [10] * 24, parts=[(1, 3), (6, 24)])
    other = version(2, [70] * 24, parts=[(4, 5)], quality="E52")
    found, values, qualities, _ = placed(base, other)
    assert values == [10] * 3 + [70] * 2 + [10] * 19
    assert qualities == [4] * 3 + [1] * 2 + [4] * 19
    assert (found.versions, found.of_day) == ([1, 2], {FIRST: [1, 2]})


def test_all_get_the_decimals_of_the_finest() -> None:
    found, values, _, _ = placed(
        version(1, [5] * 24, parts=[(1, 12)]), version(2, [1234] * 24, decimals=3, parts=[(13, 24)])
    )
    assert (found.decimals, values) == (3, [500] * 12 + [1234] * 12)


def test_a_value_that_finer_decimals_leave_no_room_for_counts_as_no_data() -> None:
    huge = version(1, [2**60] * 24, parts=[(1, 12)])
    found, values, qualities, _ = placed(huge, version(2, [1] * 24, decimals=6, parts=[(13, 24)]))
    assert (found.decimals, values[:12], qualities[:12]) == (6, [0] * 12, [0] * 12)


def test_what_reaches_over_the_days_is_cut_and_belongs_to_each_of_them() -> None:
    late = version(1, list(range(24)), datetime(2026, 6, 1, 14, tzinfo=UTC))
    early = version(2, list(range(24)), datetime(2026, 5, 31, 14, tzinfo=UTC))
    outside = version(3, [9] * 24, datetime(2026, 6, 2, tzinfo=UTC))
    found, values, qualities, _ = placed(early, late, outside)
    assert values == [*range(10, 24), *range(10)]
    assert qualities == [4] * 24
    assert (found.versions, found.of_day) == ([2, 1], {FIRST: [2, 1]})
    both, *_ = placed(late, days=2)
    assert both.of_day == {FIRST: [1], SECOND: [1]}


def test_what_does_not_lie_on_the_grid_is_not_put_there() -> None:
    between = version(1, [10] * 23, datetime(2026, 6, 1, 0, 30, tzinfo=UTC))
    found, values, qualities, _ = placed(between)
    assert (set(values), set(qualities), found.versions) == ({0}, {Quality.MISSING}, [1])
    longer, values, _, _ = placed(version(1, [10] * 12, length_seconds=7200))
    assert (longer.lengths, set(values)) == ({7200}, {0})


def test_qualities_vary_only_where_the_version_says_so_and_outages_are_kept() -> None:
    runs = [[1, 4, "N", "79", ""], [5, 24, "S14", "", ""]]
    found, _, qualities, _ = placed(version(1, [10] * 24, quality="V", runs=runs))
    assert qualities == [0] * 4 + [2] * 20
    assert found.outages is not None
    assert found.outages.tolist() == [True] * 4 + [False] * 20
    found, _, qualities, _ = placed(version(1, [10] * 24, runs=[[1, 4, "N", "61", ""]]))
    assert (qualities, found.outages) == ([4] * 24, None)
    found, *_ = placed(version(1, [10] * 24, reason="43"))
    assert found.outages is not None
    assert found.outages.all()


@pytest.mark.parametrize(
    ("origins", "kind"),
    [
        (set(), Kind.INITIAL),
        ({"message", "edit", "estimate"}, Kind.INITIAL),
        ({"edit", "estimate"}, Kind.MANUAL),
        ({"estimate"}, Kind.ESTIMATED),
    ],
)
def test_what_was_partly_delivered_is_judged_as_delivered(origins: set[str], kind: Kind) -> None:
    assert kind_of(origins) is kind


def _supplied(*spans: tuple[date, date | None]) -> MasterData:
    return MasterData.of([], [], [], [SupplyRow("P1", *span) for span in spans])


def test_days_without_a_supply_period_are_closed() -> None:
    july = date(2026, 7, 1)

    def closed(*spans: tuple[date, date | None]) -> list[tuple[date, date | None]]:
        return list(_supplied(*spans).closed("P1", FIRST, july))

    assert closed((YEARS, None)) == []
    assert closed((YEARS, july), (july, None)) == []
    assert closed((YEARS, SECOND), (THIRD, None)) == [(SECOND, THIRD)]
    assert closed((SECOND, None)) == [(FIRST, SECOND)]
    assert closed((YEARS, SECOND)) == [(SECOND, None)]
    assert closed((YEARS, FIRST)) == [(FIRST, None)]
    assert closed((july, None)) == [(FIRST, july)]
    assert closed((YEARS, SECOND), (SECOND, None)) == []
    assert _supplied().closed("P1", FIRST, july) == ()  # of a point without any nothing is known


def test_a_register_period_has_a_day_at_least_and_lies_in_local_days() -> None:
    read = RegisterRow(
        1,
        7,
        datetime(2026, 5, 31, 14, tzinfo=UTC),
        datetime(2026, 6, 2, 14, tzinfo=UTC),
        "1",
        "2",
        "A",
        "A",
        Decimal(1),
        "kWh",
        "M1",
        "equal",
        Decimal(1),
        "message",
    )
    assert register_days(read, SYDNEY) == (FIRST, THIRD)
    same_day = read._replace(
        begins_at=datetime(2026, 6, 2, 14, 30, tzinfo=UTC), ends_at=datetime(2026, 6, 2, 20, tzinfo=UTC)
    )
    assert register_days(same_day, SYDNEY) == (SECOND, THIRD)
    assert register_days(read._replace(begins_at=None), SYDNEY) == (SECOND, THIRD)


def test_a_stream_is_what_master_data_says_and_else_what_came_most() -> None:
    terms = Terms("P1", "B1", "", 900, True, "generation", YEARS, None)
    units = Counter({"KWH": 3, "Wh": 1})
    assert stream_facts("P1", "B1", "", terms, units, 900).unit == "KWH"
    assert stream_facts("P1", "B1", "", terms._replace(unit="Wh"), units, 900).unit == "Wh"
    assert stream_facts("P1", "B1", "", None, units, 900).direction is Direction.GENERATION
    assert stream_facts("P1", "E1", "", None, units, 900).direction is Direction.CONSUMPTION
    assert stream_facts("P1", "E1", "", terms, units, 900).direction is Direction.GENERATION
    assert stream_facts("P1", "Q1", "", terms, Counter({"kVArh": 1}), 900).direction is Direction.OTHER


def test_the_register_of_the_stream_is_that_of_its_suffix() -> None:
    master = MasterData.of(
        [],
        [],
        [
            DeviceRow("P1", "M1", "E1", 5, 1, Decimal(40), YEARS, None),
            DeviceRow("P1", "M1", "B1", 6, 0, Decimal(1), YEARS, None),
            DeviceRow("P1", "M2", "", None, None, None, YEARS, None),
            DeviceRow("P1", "M0", "E1", 5, 0, Decimal(1), YEARS, FIRST),
        ],
        [],
    )
    known, unknown = master.devices_of("P1", "E1", FIRST, THIRD)
    assert (known.serial, known.digits, known.decimals, known.multiplier) == ("M1", 5, 1, Decimal(40))
    assert (unknown.serial, unknown.digits, unknown.decimals, unknown.multiplier) == ("M2", None, None, None)


def test_the_zone_of_a_point_is_utc_where_it_is_not_known() -> None:
    rows = [PointRow("P1", "Australia/Sydney", "home", YEARS, SECOND), PointRow("P1", "No/Where", "farm", SECOND, None)]
    master = MasterData.of(rows, [], [], [])
    assert master.point("P1", FIRST, SECOND) == (SYDNEY, "home")
    assert master.point("P1", SECOND, THIRD) == (UTC_ZONE, "farm")
    assert master.point("P2", FIRST, SECOND) == (UTC_ZONE, "")


def test_a_file_s_day_is_the_local_one_or_that_of_a_clock_that_never_changes() -> None:
    summer, winter = date(2026, 1, 15), date(2026, 6, 15)

    def midnight(day: date, ahead: int) -> datetime:
        return datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=ahead)

    by_market = [version(1, [1] * 24, midnight(day, 10), day=day) for day in (summer, winter)]
    local = [version(1, [1] * 24, midnight(day, ahead), day=day) for day, ahead in ((summer, 11), (winter, 10))]
    first_local_hour = midnight(summer, 11)  # 23:00 of the day before by the market's clock
    assert file_clock(by_market, SYDNEY)(first_local_hour) == summer - timedelta(days=1)
    assert file_clock(local, SYDNEY)(first_local_hour) == summer
    assert file_clock([], SYDNEY)(first_local_hour) == summer
