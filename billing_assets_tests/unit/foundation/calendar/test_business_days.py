"""Which business day it is: a branch's own, around midnight and where the clocks change."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

import billing_assets
from billing_assets.foundation.calendar.business_days import Days, Zones, local_day

LOS_ANGELES, BERLIN, SYDNEY = map(ZoneInfo, ("America/Los_Angeles", "Europe/Berlin", "Australia/Sydney"))
ZONES = Zones(BERLIN, {"USA": LOS_ANGELES, "Australia": SYDNEY})

# An ordinary day, the one with 23 hours and the one with 25.
DAYS = [
    (LOS_ANGELES, date(2011, 1, 5), 24),
    (LOS_ANGELES, date(2011, 3, 13), 23),
    (LOS_ANGELES, date(2011, 11, 6), 25),
    (BERLIN, date(2011, 1, 5), 24),
    (BERLIN, date(2011, 3, 27), 23),
    (BERLIN, date(2011, 10, 30), 25),
    (SYDNEY, date(2011, 1, 5), 24),
    (SYDNEY, date(2011, 10, 2), 23),
    (SYDNEY, date(2011, 4, 3), 25),
]


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The moment at which a day begins there, in UTC."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def quarters(began: datetime, ends: datetime) -> Iterator[datetime]:
    """Every quarter of an hour between two moments."""
    while began < ends:
        yield began
        began += timedelta(minutes=15)


@pytest.mark.parametrize(("zone", "day", "hours"), DAYS)
def test_a_branch_has_its_day_from_its_midnight_to_the_next_also_where_the_clocks_change(
    zone: ZoneInfo, day: date, hours: int
) -> None:
    begins, ends = midnight(day, zone), midnight(day + timedelta(days=1), zone)
    assert ends - begins == timedelta(hours=hours)
    zones = Zones(branches={"there": zone})
    blink = timedelta(microseconds=1)
    assert zones.day("there", begins - blink) == day - timedelta(days=1)
    assert {zones.day("there", moment) for moment in (*quarters(begins, ends), ends - blink)} == {day}
    assert zones.day("there", ends) == day + timedelta(days=1)


@pytest.mark.parametrize(("zone", "day", "hours"), DAYS)
def test_the_days_of_all_branches_are_each_ones_own_at_every_moment_of_a_day(
    zone: ZoneInfo, day: date, hours: int
) -> None:
    begins = midnight(day, zone)
    for moment in quarters(begins, begins + timedelta(hours=hours)):
        days = ZONES.days(moment)
        own = {"USA": LOS_ANGELES, "Australia": SYDNEY, "anywhere else": BERLIN}
        assert {branch: days.of(branch) for branch in own} == {
            branch: local_day(moment, its) for branch, its in own.items()
        }
        assert (days.first, days.last) == (days.of("USA"), days.of("Australia"))


def test_a_branch_of_which_nothing_is_said_has_the_day_of_the_default() -> None:
    evening = datetime(2011, 1, 5, 23, 30, tzinfo=UTC)
    assert ZONES.day("anywhere else", evening) == ZONES.day(None, evening) == date(2011, 1, 6)
    assert Zones().day("anywhere else", evening) == date(2011, 1, 5)


def test_days_say_where_it_is_another_one() -> None:
    assert str(ZONES.days(datetime(2011, 1, 5, 10, tzinfo=UTC))) == "2011-01-05"
    assert str(ZONES.days(datetime(2011, 1, 5, 6, tzinfo=UTC))) == "2011-01-05 (2011-01-04 in USA)"
    both = Days(date(2011, 1, 5), {"B": date(2011, 1, 6), "A": date(2011, 1, 6), "C": date(2011, 1, 4)})
    assert str(both) == "2011-01-05 (2011-01-04 in C; 2011-01-06 in A, B)"


OF_UTC = re.compile(
    r"current_date|now\(\)::date|(date|datetime)\.today\(|now(\([^)]*\))?\.date\(|astimezone\([^)]*\)\.date\("
)


def test_no_module_takes_the_day_of_utc_for_a_business_day() -> None:
    """The sandbox stands for NetSuite, which has a day of its own."""
    folder = Path(billing_assets.__file__).parent
    here = folder / "foundation" / "calendar" / "business_days.py"
    found = [
        f"{path.relative_to(folder)}: {line.strip()}"
        for path in folder.rglob("*.py")
        if path != here and "sandbox" not in path.parts
        for line in path.read_text(encoding="utf-8").splitlines()
        if OF_UTC.search(line)
    ]
    assert found == []
