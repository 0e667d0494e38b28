"""The shape of a class of customers over the day: weights by the local clock. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from billing_assets.foundation.calendar.business_days import DayKind, day_kind
from billing_assets.metering.validation.grids import Grid

_DAY_SECONDS = 86_400


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
