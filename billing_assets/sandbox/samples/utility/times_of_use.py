"""The energy of Australian intervals by month and time of use on the point's own clock, in thousandths of a kWh."""

from collections.abc import Mapping
from datetime import date, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from billing_assets.sandbox.samples.utility.clock import nem_moment
from billing_assets.sandbox.samples.utility.points import Point
from billing_assets.sandbox.samples.utility.products import DAYS_OF, TIMES, Window
from billing_assets.sandbox.samples.utility.rates import MONTHS

Kept = Mapping[date, NDArray[np.int64]]
"""What counts of a stream: the intervals of each day of NEM time."""

NAMES = tuple(dict.fromkeys(one.name for one in TIMES))


def by_time(point: Point, kept: Kept) -> list[dict[str, int]]:
    """Of each month of the world the thousandths of each time of use."""
    sums = np.zeros(len(MONTHS) * len(NAMES), dtype=np.int64)
    for day, values in kept.items():
        cells = _cells(point.zone, point.length, day)
        np.add.at(sums, cells[cells >= 0], values[cells >= 0])
    rows = sums.reshape(len(MONTHS), len(NAMES)).tolist()
    return [dict(zip(NAMES, row, strict=True)) for row in rows]


@cache
def _cells(zone: str, length: int, day: date) -> NDArray[Any]:
    """Of each interval of a day of NEM time the place of its month and time; -1: outside of the months."""
    first = nem_moment(day)
    moments = [
        (first + timedelta(minutes=length * number)).astimezone(ZoneInfo(zone)) for number in range(1_440 // length)
    ]
    found = []
    for moment in moments:
        month = moment.date().replace(day=1)
        place = MONTHS.index(month) if month in MONTHS else None
        time = next(one for one in TIMES if _covers(one, moment.weekday(), moment.hour))
        found.append(-1 if place is None else place * len(NAMES) + NAMES.index(time.name))
    return np.array(found, dtype=np.int64)


def _covers(window: Window, weekday: int, hour: int) -> bool:
    """Whether an hour of a day of the week (Monday is 0) is in a window."""
    if DAYS_OF[weekday] not in window.days.split():
        return False
    if window.begin < window.end:
        return window.begin <= hour < window.end
    return hour >= window.begin or hour < window.end
