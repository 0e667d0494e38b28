"""Local days: the day of an instant by an IANA zone, by the clock rules of a feed, or by a fixed offset."""

import calendar
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

DAY = 86_400
_EPOCH = date(1970, 1, 1).toordinal()
_NO_RULE = 0xFFFFFFFF


class ClockRules(NamedTuple):
    """The clock of a feed's LocalTimeParameters. Seconds; the rules are coded in 32 bits.

    Source: NAESB ESPI, DstRuleType.
    """

    offset: int
    saving: int
    begins: int
    ends: int

    def midnight(self, day: date) -> int:
        """The start of a local day in seconds since 1970, UTC."""
        standard = (day.toordinal() - _EPOCH) * DAY - self.offset
        if not self.saving or _NO_RULE in {self.begins, self.ends}:
            return standard
        begins, ends = _change(self.begins, day.year), _change(self.ends, day.year)
        if begins is None or ends is None:
            return standard
        first, last = begins - self.offset, ends - self.offset - self.saving
        saves = first <= standard < last if first < last else not last <= standard < first
        return standard - self.saving if saves else standard


def _change(rule: int, year: int) -> int | None:
    """When a coded rule changes the clock in a year: seconds since 1970, local. None: the rule says no day."""
    seconds, hour, weekday = rule & 0xFFF, rule >> 12 & 0x1F, rule >> 17 & 0x7
    day, operator, month = rule >> 20 & 0x1F, rule >> 25 & 0x7, rule >> 28
    if not 1 <= month <= 12:
        return None
    length = calendar.monthrange(year, month)[1]
    first = date(year, month, 1)
    if operator == 0 or not weekday:
        if not 1 <= day <= length:
            return None
        found = date(year, month, day)
    elif operator == 1:
        from_day = date(year, month, min(max(day, 1), length))
        found = from_day + timedelta((weekday - from_day.isoweekday()) % 7)
    else:
        found = first + timedelta((weekday - first.isoweekday()) % 7 + 7 * (operator - 2))
        while found.month != month:  # the fifth where there are four, and the last
            found -= timedelta(7)
    return (found.toordinal() - _EPOCH) * DAY + hour * 3600 + seconds


class LocalDays:
    """The days of a clock."""

    def __init__(self, midnight: Callable[[date], int]) -> None:
        self._midnight = midnight
        self._known: dict[int, int] = {}

    @classmethod
    def of_zone(cls, zone: ZoneInfo) -> "LocalDays":
        """Days of an IANA zone."""
        return cls(lambda day: int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()))

    @classmethod
    def of_offset(cls, seconds: int) -> "LocalDays":
        """Days of a clock that is always so many seconds ahead of UTC."""
        return cls(lambda day: (day.toordinal() - _EPOCH) * DAY - seconds)

    @classmethod
    def of_rules(cls, rules: ClockRules) -> "LocalDays":
        """Days of the clock that a feed describes."""
        return cls(rules.midnight)

    def midnight(self, ordinal: int) -> int:
        """The start of a day (a proleptic ordinal) in seconds since 1970, UTC."""
        found = self._known.get(ordinal)
        if found is None:
            found = self._known[ordinal] = self._midnight(date.fromordinal(ordinal))
        return found

    def ordinals(self, instants: NDArray[np.int64]) -> NDArray[np.int64]:
        """The days of instants (seconds since 1970, rising)."""
        if not len(instants):
            return np.empty(0, np.int64)
        days = np.unique(instants // DAY) + _EPOCH  # in UTC; the local day is one of three
        near = np.unique(np.concatenate((days - 1, days, days + 1)))
        starts = np.array([self.midnight(ordinal) for ordinal in near.tolist()], np.int64)
        return near[np.searchsorted(starts, instants, side="right") - 1]

    def ordinal(self, instant: int) -> int:
        """The day of one instant."""
        return int(self.ordinals(np.array([instant], np.int64))[0])


def utc(seconds: int) -> datetime:
    """Seconds since 1970 as a time."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
