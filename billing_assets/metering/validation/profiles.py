"""The shape of a class of customers over the day: weights by the local clock. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

from billing_assets.foundation.calendar.business_days import DayKind, day_kind
from billing_assets.foundation.errors import BillingError
from billing_assets.metering.validation.grids import Grid

_DAY_SECONDS = 86_400


class ProfileError(BillingError, ValueError):
    """A profile that is not as it should be."""


@dataclass(frozen=True)
class Profile:
    """A class profile. `weights`: for each month and kind of day, or for month 0 where it is the same all year, how
    much falls on each slot of the day by the clock; slots are as long as one another."""

    name: str
    weights: Mapping[tuple[int, DayKind], Sequence[int | Fraction]]
    country: str | None = None
    subdivision: str | None = None

    def of(self, grid: Grid, first: int, after: int) -> list[Fraction]:
        """The weights of intervals by their places. Raises LookupError where the profile has none of such a day."""
        return [
            self._weight(grid.day_of(place), grid.clock[place], grid.length_seconds) for place in range(first, after)
        ]

    def _weight(self, day: date, clock: int, length_seconds: int) -> Fraction:
        kind = day_kind(day, self.country, self.subdivision)
        slots = self.weights.get((day.month, kind)) or self.weights.get((0, kind))
        if not slots:
            raise LookupError(f"profile {self.name} has no {kind} of month {day.month}")
        summed, at, end = Fraction(0), Fraction(clock), clock + length_seconds
        size = Fraction(_DAY_SECONDS, len(slots))
        while at < end:
            slot = int(at / size)
            until = min((slot + 1) * size, Fraction(end))
            summed += Fraction(slots[slot % len(slots)]) * (until - at) / size
            at = until
        return summed


def hourly_profile(name: str, text: str) -> Profile:
    """A profile from a year of hours, one number a line, without 29 February and in standard time: the sum of each hour
    of the day by month, for all kinds of days. Raises ProfileError."""
    lines = text.split()
    if len(lines) != 8760:
        raise ProfileError(f"{name} has {len(lines)} numbers; a year has 8,760 hours.")
    sums: dict[int, list[Fraction]] = {month: [Fraction(0)] * 24 for month in range(1, 13)}
    first = date(2025, 1, 1)  # any year without a leap day: the kinds of its days are not looked at
    for number, line in enumerate(lines):
        try:
            value = Fraction(line)
        except (ValueError, ZeroDivisionError):
            raise ProfileError(f"{name}, line {number + 1}: “{line}” is not a number.") from None
        if value < 0:
            raise ProfileError(f"{name}, line {number + 1}: {line} is below zero.")
        day = first + timedelta(days=number // 24)
        sums[day.month][number % 24] += value
    return Profile(name, {(month, kind): hours for month, hours in sums.items() for kind in DayKind})
