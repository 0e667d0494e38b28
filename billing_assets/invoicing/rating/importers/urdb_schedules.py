"""URDB's schedules of 12 months by 24 hours, as seasons and windows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from billing_assets.invoicing.rating.importers.foreign import Node

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri")
WEEKEND = ("sat", "sun")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_LAST = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)  # 02-29 belongs with 02-28

Part = dict[str, Any]
"""Price parts of a version, a season or a window."""


@dataclass(frozen=True, slots=True)
class MonthPlan:
    """The period of each hour of a month, on weekdays and at the weekend."""

    weekday: tuple[int, ...]
    weekend: tuple[int, ...]

    @property
    def periods(self) -> set[int]:
        """The periods that occur."""
        return {*self.weekday, *self.weekend}


def month_plans(weekday: Node, weekend: Node, periods: int) -> list[MonthPlan]:
    """The plan of each month of two schedules. Raises ImportRefusedError, also for a period that has no prices."""
    weekdays, weekends = (_rows(one, periods) for one in (weekday, weekend))
    return [MonthPlan(*pair) for pair in zip(weekdays, weekends, strict=True)]


def _rows(schedule: Node, periods: int) -> list[tuple[int, ...]]:
    rows = list(schedule.items())
    if len(rows) != len(_MONTHS):
        schedule.refuse("a schedule has 12 months of 24 hours.")
    found = []
    for row in rows:
        hours = list(row.items())
        if len(hours) != 24:
            row.refuse("a month of a schedule has 24 hours.")
        for hour in hours:
            if not 0 <= hour.whole() < periods:
                hour.refuse(f"there are only the periods 0 to {periods - 1}.")
        found.append(tuple(hour.whole() for hour in hours))
    return found


def windows(plan: MonthPlan, priced: Callable[[int], Part | None]) -> list[Part]:
    """The windows of a month's plan, in the order of their periods; none for a period without parts.

    Hours are local, and holidays are not in the format: a holiday is the weekday that it falls on.
    """
    if plan.weekday == plan.weekend:
        days: Sequence[tuple[tuple[str, ...], tuple[int, ...]]] = [((*WEEKDAYS, *WEEKEND), plan.weekday)]
    else:
        days = [(WEEKDAYS, plan.weekday), (WEEKEND, plan.weekend)]
    found = []
    for names, hours in days:
        for period, run in groupby(range(24), key=lambda hour: hours[hour]):
            parts, within = priced(period), list(run)
            if parts is not None:
                times = {"from": f"{within[0]:02}:00", "to": f"{within[-1] + 1:02}:00"}
                found.append((period, {"name": f"p{period}", "days": list(names), **times, **parts}))
    return [window for _, window in sorted(found, key=lambda one: one[0])]


def seasons(months: Sequence[Any], parts: Callable[[int], Part]) -> Part:
    """Parts by season: months in a row that are equal are one, over the turn of the year, too.

    `months`: what each month is compared by. `parts(month)`: the parts of the season with that month, 0 is January.
    Where all months are equal there are no seasons.
    """
    starts = [month for month in range(12) if months[month] != months[month - 1]]
    if not starts:
        return parts(0)
    found = []
    for place, first in enumerate(starts):
        last = (starts[(place + 1) % len(starts)] - 1) % 12
        name = _MONTHS[first] if first == last else f"{_MONTHS[first]}-{_MONTHS[last]}"
        dates = {"from": f"{first + 1:02}-01", "to": f"{last + 1:02}-{_LAST[last]:02}"}
        found.append({"name": name, **dates, **parts(first)})
    return {"seasons": found}
