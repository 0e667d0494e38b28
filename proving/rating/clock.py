"""Clocks and calendars of the oracle. Instants are whole minutes since 1970 in UTC."""

from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def day(text: str) -> date:
    return date.fromisoformat(text)


def instant(text: str) -> int:
    return int(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()) // 60


def written(minute: int) -> str:
    return datetime.fromtimestamp(minute * 60, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@lru_cache
def zone(name: str) -> tzinfo:
    """`Europe/Berlin`, or a fixed offset `UTC+10`, `UTC-3:30`."""
    if name.startswith("UTC") and len(name) > 3:
        hours, _, minutes = name[4:].partition(":")
        total = int(hours) * 60 + int(minutes or 0)
        return timezone(timedelta(minutes=-total if name[3] == "-" else total))
    return ZoneInfo(name)


@lru_cache(maxsize=1_000_000)
def _offset(name: str, quarter: int) -> int:
    found = datetime.fromtimestamp(quarter * 900, zone(name)).utcoffset()
    assert found is not None
    return int(found.total_seconds()) // 60


@lru_cache(maxsize=100_000)
def _date(ordinal: int) -> date:
    return date(1970, 1, 1) + timedelta(days=ordinal)


def local(name: str, minute: int) -> tuple[date, int]:
    """The local date of an instant, and the minute of that day on the wall clock."""
    ordinal, of_day = divmod(minute + _offset(name, minute // 15), 1440)
    return _date(ordinal), of_day


def midnight(name: str, when: date) -> int:
    return int(datetime(when.year, when.month, when.day, tzinfo=zone(name)).timestamp()) // 60


def days(first: date, end: date) -> list[date]:
    return [first + timedelta(days=n) for n in range((end - first).days)]


def month_days(when: date) -> int:
    return (date(when.year + when.month // 12, when.month % 12 + 1, 1) - date(when.year, when.month, 1)).days


def calendar_period(when: date, months: int) -> tuple[date, date]:
    """The calendar's month, quarter, half-year or year in which a date lies."""
    first = (when.month - 1) // months * months
    end = first + months
    return date(when.year, first + 1, 1), date(when.year + end // 12, end % 12 + 1, 1)


def in_season(season: dict[str, Any], when: date) -> bool:
    text = when.strftime("%m-%d")
    text = "02-28" if text == "02-29" else text
    low, high = season["from"], season["to"]
    low, high = ("02-28" if edge == "02-29" else edge for edge in (low, high))
    return low <= text <= high if low <= high else text >= low or text <= high


def minute_of(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:])


def minutes_of(window: dict[str, Any]) -> list[int]:
    """The minutes of a wall clock's day that a window holds; after midnight it begins the day."""
    start, end = minute_of(window["from"]), minute_of(window["to"])
    return list(range(start, end)) if end > start else [*range(end), *range(start, 1440)]


def names_holiday(windows: list[dict[str, Any]]) -> bool:
    return any("holiday" in window["days"] for window in windows)


def window_table(windows: list[dict[str, Any]], day_type: str) -> list[list[int]]:
    """For each minute of a day of this type: which windows hold it, whatever day the window began on."""
    table: list[list[int]] = [[] for _ in range(1440)]
    for n, window in enumerate(windows):
        for minute in minutes_of(window) if day_type in window["days"] else ():
            table[minute].append(n)
    return table
