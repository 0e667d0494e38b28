"""The business day: which day it is for a branch, and on which days a country works. All of it is in this module.

What is overdue, stopped, approved or over depends on a day. That is the day of the branch, in its time zone, and never
that of UTC: 16:30 in California is the next day in UTC, 08:30 in Sydney the day before. `Zones` gives the day of
a moment.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone, tzinfo
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import holidays

from billing_assets.foundation.errors import BillingError

_SATURDAY = 5
_UTC = ZoneInfo("UTC")
_BEHIND_ALL = timezone(timedelta(hours=-12))


class UnknownCalendarError(BillingError, ValueError):
    """There is no such country or subdivision in the library."""


class DayKind(StrEnum):
    """What kind of day it is: energy is used in another way on each."""

    WEEKDAY = "weekday"
    WEEKEND = "weekend"
    HOLIDAY = "holiday"


@dataclass(frozen=True)
class Days:
    """A business day of every branch: `default` is that of each branch that `branches` does not name."""

    default: date
    branches: Mapping[str, date] = field(default_factory=dict)

    def of(self, branch: str) -> date:
        """The day of a branch."""
        return self.branches.get(branch, self.default)

    @property
    def first(self) -> date:
        """The earliest one: what is over by then is over in every branch."""
        return min((self.default, *self.branches.values()))

    @property
    def last(self) -> date:
        """The latest one: what did not begin by then began in no branch."""
        return max((self.default, *self.branches.values()))

    def __str__(self) -> str:
        others = sorted({day for day in self.branches.values() if day != self.default})
        named = (
            f"{day} in {', '.join(sorted(branch for branch, its in self.branches.items() if its == day))}"
            for day in others
        )
        return f"{self.default} ({'; '.join(named)})" if others else f"{self.default}"


@dataclass(frozen=True)
class Zones:
    """The time zones of the branches: `default` is that of each branch that `branches` does not name."""

    default: ZoneInfo = _UTC
    branches: Mapping[str, ZoneInfo] = field(default_factory=dict)

    def of(self, branch: str | None) -> ZoneInfo:
        """The time zone of a branch."""
        return self.branches.get(branch or "", self.default)

    def day(self, branch: str | None, moment: datetime) -> date:
        """The business day of a branch at a moment (UTC-aware)."""
        return local_day(moment, self.of(branch))

    def days(self, moment: datetime) -> Days:
        """The business day of every branch at a moment (UTC-aware)."""
        default = local_day(moment, self.default)
        its = {branch: local_day(moment, zone) for branch, zone in self.branches.items()}
        return Days(default, {branch: day for branch, day in its.items() if day != default})


def local_day(moment: datetime, zone: tzinfo) -> date:
    """The day that it is in a time zone at a moment (UTC-aware)."""
    return moment.astimezone(zone).date()


def earliest_day(moment: datetime) -> date:
    """The day that it is where it is earliest on earth, twelve hours behind UTC: it began everywhere."""
    return local_day(moment, _BEHIND_ALL)


def parse_zone(name: str) -> ZoneInfo:
    """A time zone by its name in the IANA database. Raises ValueError."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("is no time zone of the IANA database, such as Europe/London") from None


@lru_cache(maxsize=64)
def calendar(country: str, subdivision: str | None = None) -> holidays.HolidayBase:
    """The public holidays of a country (ISO 3166 code) and, if named, of a part of it. Raises UnknownCalendarError."""
    try:
        return holidays.country_holidays(country, subdiv=subdivision)
    except NotImplementedError as error:
        raise UnknownCalendarError(str(error)) from None


def has_calendar(country: str, subdivision: str | None = None) -> bool:
    """Whether the holidays are known of a country, or of this part of it."""
    try:
        calendar(country, subdivision)
    except UnknownCalendarError:
        return False
    return True


def is_business_day(day: date, country: str | None, subdivision: str | None = None) -> bool:
    """Whether people work on a day: not on a weekend of the country, and not on a public holiday.

    An unknown subdivision counts as its country; without a known country Saturday and Sunday are free.
    """
    found = _calendar(country, subdivision)
    return day.weekday() < _SATURDAY if found is None else bool(found.is_working_day(day))


def day_kind(day: date, country: str | None, subdivision: str | None = None) -> DayKind:
    """Whether a day is a weekday, on a weekend of the country, or a public holiday, which goes before both.

    An unknown subdivision counts as its country; without a known country no day is a holiday.
    """
    found = _calendar(country, subdivision)
    if found is not None and day in found:
        return DayKind.HOLIDAY
    weekend = day.weekday() >= _SATURDAY if found is None else found.is_weekend(day)
    return DayKind.WEEKEND if weekend else DayKind.WEEKDAY


def holidays_between(begin: date, end: date, country: str | None, subdivision: str | None = None) -> list[date]:
    """The public holidays from a day until before another, in order; none without a known country."""
    found = _calendar(country, subdivision)
    days = (begin + timedelta(days=n) for n in range((end - begin).days))
    return [] if found is None else [day for day in days if day in found]


def business_day_from(day: date, country: str | None, subdivision: str | None = None) -> date:
    """The day itself if it is a business day (`is_business_day`), else the next one."""
    while not is_business_day(day, country, subdivision):
        day += timedelta(days=1)
    return day


@lru_cache(maxsize=256)
def _calendar(country: str | None, subdivision: str | None) -> holidays.HolidayBase | None:
    for part in (subdivision, None):
        try:
            return calendar(country, part) if country else None
        except UnknownCalendarError:
            continue
    return None
