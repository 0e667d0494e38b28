"""The clock rules that a feed carries give the same days as the zone that they describe."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from billing_assets.metering.import_engine.local_days import ClockRules, LocalDays


@pytest.mark.parametrize(
    ("zone", "rules"),
    [
        (
            "America/New_York",
            ClockRules(-18000, 3600, 0x360E2000, 0xB40E2000),
        ),  # second Sunday of March, first of November
        ("Europe/Berlin", ClockRules(3600, 3600, 0x3E0E2000, 0xAE0E3000)),  # last Sundays of March and October
        ("Australia/Sydney", ClockRules(36000, 3600, 0xA40E2000, 0x440E3000)),  # first Sundays of October and April
        ("Asia/Tokyo", ClockRules(32400, 3600, 0xFFFFFFFF, 0xFFFFFFFF)),  # no rule
        ("Asia/Kolkata", ClockRules(19800, 0, 0x360E2000, 0xB40E2000)),  # nothing saved
    ],
)
def test_coded_rules_have_the_midnights_of_their_zone(zone: str, rules: ClockRules) -> None:
    there = ZoneInfo(zone)
    day = date(2009, 1, 1)
    while day < date(2027, 1, 1):
        local = datetime(day.year, day.month, day.day, tzinfo=there)
        assert rules.midnight(day) == int(local.timestamp()), day
        day += timedelta(1)


@pytest.mark.parametrize(
    ("rule", "day"),
    [
        (0x3F0A1000, date(2024, 3, 29)),  # last Friday of March
        (0x31F00000, date(2024, 3, 31)),  # the 31st
        (0x328E2000 | 15 << 20, date(2024, 3, 17)),  # Sunday on or after the 15th
    ],
)
def test_every_operator_finds_its_day(rule: int, day: date) -> None:
    winter = ClockRules(0, 3600, rule, 0xB40E2000)
    changed = next(
        day
        for day in (date(2024, 1, 1) + timedelta(n) for n in range(366))
        if winter.midnight(day + timedelta(1)) - winter.midnight(day) != 86_400 or winter.midnight(day) % 86_400
    )
    assert day - timedelta(1) <= changed <= day


def test_days_of_instants_far_apart_are_found_without_the_days_between() -> None:
    days = LocalDays.of_zone(ZoneInfo("Europe/Dublin"))
    instants = np.array([0, 1_698_534_000, 1_698_537_600, 8_000_000_000], np.int64)
    want = [datetime.fromtimestamp(int(one), ZoneInfo("Europe/Dublin")).date().toordinal() for one in instants]
    assert days.ordinals(instants).tolist() == want
    assert days.ordinals(instants[:0]).tolist() == []
