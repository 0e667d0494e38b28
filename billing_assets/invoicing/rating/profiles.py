"""Series of the context laid under a bill: weights of a profile, prices of an index, by instant."""

from collections.abc import Sequence
from datetime import date
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from billing_assets.invoicing.rating.bill import Bill
from billing_assets.invoicing.rating.context import Series
from billing_assets.invoicing.rating.local_time import at_minute, instant_of, minutes_since_epoch
from billing_assets.invoicing.rating.tariff import Charge


class Weights(NamedTuple):
    """Weights of a profile between two instants, as integers at one scale, from the minute `start` on."""

    values: NDArray[Any]
    start: int
    minutes: int
    version: str


def weights_between(bill: Bill, charge: Charge, profile: str, begins: date, ends: date) -> Weights | None:
    """The weights of local days. Adds PROFILE_MISSING and returns None where one is missing."""
    zone = bill.zone(charge)
    first, last = (minutes_since_epoch(instant_of(day, zone)) for day in (begins, ends))
    series = bill.context.profiles.get(profile)
    if series is None:
        bill.find("PROFILE_MISSING", "context.profiles", profile, profile=profile, date=begins)
        return None
    start = minutes_since_epoch(series.start)
    places = np.arange(-(-(first - start) // series.minutes), -(-(last - start) // series.minutes))
    there = is_there(series, places)
    if not there.all() or not len(places):
        day = begins
        if len(places):
            local = at_minute(start + int(places[int(np.argmin(there))]) * series.minutes).astimezone(zone)
            day = local.date()
        bill.find("PROFILE_MISSING", f"context.profiles.{profile}", profile, profile=profile, date=day)
        return None
    return Weights(
        series.values.values[places], start + int(places[0]) * series.minutes, series.minutes, series.version
    )


def is_there(series: Series, places: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which places of a series have a value."""
    inside = (places >= 0) & (places < len(series.values))
    if series.values.missing is not None and len(series.values):
        inside &= ~series.values.missing[np.clip(places, 0, len(series.values) - 1)]
    return np.asarray(inside, bool)


def weight_of_days(bill: Bill, charge: Charge, profile: str, begins: date, ends: date) -> Fraction | None:
    """The sum of a profile's weights of some days."""
    found = weights_between(bill, charge, profile, begins, ends)
    if found is None:
        return None
    return bill.context.profiles[profile].values.number(found.values.sum())


def missing_times(series: Series, places: NDArray[np.int64]) -> Sequence[str]:
    """The instants of places without a value, as text."""
    start = minutes_since_epoch(series.start)
    return [
        f"{at_minute(start + int(place) * series.minutes):%Y-%m-%dT%H:%MZ}"
        for place in np.unique(places[~is_there(series, places)])
    ]
