"""Business days of a country, by the `holidays` library."""

from datetime import date, timedelta
from functools import lru_cache

import holidays


class UnknownCalendarError(ValueError):
    """There is no such country or subdivision in the library."""


@lru_cache(maxsize=64)
def calendar(country: str, subdivision: str | None = None) -> holidays.HolidayBase:
    """The public holidays of a country (ISO 3166 code) and, if named, of a part of it. Raises UnknownCalendarError."""
    try:
        return holidays.country_holidays(country, subdiv=subdivision)
    except NotImplementedError as error:
        raise UnknownCalendarError(str(error)) from None


def is_business_day(day: date, country: str, subdivision: str | None = None) -> bool:
    """Whether a day is neither on a weekend of the country nor a public holiday."""
    return bool(calendar(country, subdivision).is_working_day(day))


def business_day_from(day: date, country: str, subdivision: str | None = None) -> date:
    """The day itself if it is a business day, else the next one."""
    while not is_business_day(day, country, subdivision):
        day += timedelta(days=1)
    return day
