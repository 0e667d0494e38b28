"""Days, months and clocks of the world."""

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from billing_assets.sandbox.samples.utility.rates import AFTER, MONTHS

NEM = timezone(timedelta(hours=10))
"""NEM time: no daylight saving, whatever the region."""

TEXAS = ZoneInfo("America/Chicago")
DAYS = [MONTHS[0] + timedelta(days=number) for number in range((AFTER - MONTHS[0]).days)]


def following(day: date, days: int = 1) -> date:
    """The next working day, `days` of them later. Holidays are worked."""
    for _ in range(days):
        day += timedelta(days=1)
        while day.isoweekday() > 5:
            day += timedelta(days=1)
    return day


def read_day(month: int, cycle: int) -> date:
    """The read day of a cycle (1 to 20) in the world's month 0, 1, 2, or 3 for the one after."""
    first = (*MONTHS, AFTER)[month]
    return first.replace(day=cycle)


def nem_moment(day: date, hour: int = 0, minute: int = 0) -> datetime:
    """A moment on the clock of the NEM."""
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=NEM)


def local_month(month: int, zone: str) -> tuple[datetime, datetime]:
    """First moment of a month of the world and of the next, in UTC, on a local clock."""
    first, after = (*MONTHS, AFTER)[month], (*MONTHS, AFTER)[month + 1]
    begin, end = (datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)) for day in (first, after))
    return begin.astimezone(UTC), end.astimezone(UTC)


def stamp(moment: datetime) -> str:
    """Fourteen digits."""
    return moment.strftime("%Y%m%d%H%M%S")
