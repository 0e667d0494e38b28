"""Estimates of what is missing, by the first method that can: linear, like days, the year before, a class profile, and
where a register is known and no shape is, a flat line; else a person. Pure.

What a register counted is met exactly: the estimates of a period are scaled to it, and what rounding leaves goes to the
largest. Every estimate says its method and what it was made of.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Any, NamedTuple

from billing_assets.foundation.calendar.business_days import day_kind
from billing_assets.metering.validation.cases import say
from billing_assets.metering.validation.facts import HistoryPeriod, Intervals, Quality
from billing_assets.metering.validation.profiles import Profile
from billing_assets.metering.validation.registers import rounded, scaled, share_out, unscaled

DECIMALS = 6
"""Of estimates; a stream with more keeps its own."""

_WEEK = timedelta(days=7)


class Method(StrEnum):
    """How a value was estimated, in the order in which the methods are tried."""

    LINEAR = "linear"  # between its neighbours
    LIKE_DAYS = "like days"  # the mean of the same interval on earlier days of the same kind
    PREVIOUS_YEAR = "previous year"
    PROFILE = "profile"  # a daily use, spread as the class profile says
    FLAT = "flat"  # what the register leaves, evenly
    DAILY_AVERAGE = "average daily load"  # of registers: the mean of the days before


@dataclass(frozen=True)
class Sources:
    """What estimates are made of.

    `series`: all that is known of the stream: the period and what was before and after it. `register`: what the
    register counted in the period, in the unit of the values; None: not known. `daily`: the mean use of a day for a
    profile; None: that of the days of the series that were measured whole, or what the register has for each day.
    `linear_seconds`: the longest gap that is bridged by a line. `like_days`: how many are averaged.
    """

    series: Intervals
    country: str | None = None
    subdivision: str | None = None
    register: Fraction | None = None
    profile: Profile | None = None
    daily: Fraction | None = None
    linear_seconds: int = 7200
    like_days: int = 3


class Estimate(NamedTuple):
    """Consecutive estimates from a place of the series on: `values` times 10 to the minus `decimals`."""

    first: int
    values: tuple[int, ...]
    decimals: int
    method: Method
    inputs: dict[str, Any]


class Gap(NamedTuple):
    """Intervals without a value, from `first` (inclusive) to `after` (exclusive), and why a person must say them."""

    first: int
    after: int
    why: str = ""


class Filled(NamedTuple):
    """What was estimated of a period, and what is left to a person."""

    estimates: tuple[Estimate, ...]
    left: tuple[Gap, ...]


class _Raw(NamedTuple):
    gap: Gap
    values: list[Fraction]
    method: Method
    inputs: dict[str, Any]


def fill(sources: Sources, begin: date, end: date) -> Filled:
    """Estimates all that is missing from local day `begin` (inclusive) to `end` (exclusive) of the series."""
    grid = sources.series.grid
    first, after = grid.part(begin).start, grid.part(end - timedelta(days=1)).stop
    if sources.profile is not None and sources.daily is None:
        daily = _mean_day(sources.series)
        if daily is None and sources.register is not None:
            daily = sources.register / (end - begin).days
        sources = replace(sources, daily=daily)
    shaped, shapeless = [], []
    for gap in gaps(sources.series, first, after):
        for part in _parts(sources, gap):
            raw = _raw(sources, part)
            if raw is None:
                shapeless.append(part)
            else:
                shaped.append(raw)
    decimals = max(DECIMALS, sources.series.decimals)
    if sources.register is None:
        why = "No earlier days, year before or profile are known, and no register."
        return Filled(
            tuple(_as_it_is(raw, decimals) for raw in shaped), tuple(gap._replace(why=why) for gap in shapeless)
        )
    return _scaled(sources, shaped, shapeless, _known(sources.series, first, after), decimals)


def gaps(series: Intervals, first: int, after: int) -> Iterator[Gap]:
    """The runs of intervals without a value that counts."""
    good = series.good()[first:after].tolist()
    start: int | None = None
    for place, one in enumerate([*good, True]):
        if not one and start is None:
            start = place
        elif one and start is not None:
            yield Gap(first + start, first + place)
            start = None


def _parts(sources: Sources, gap: Gap) -> Iterator[Gap]:
    """A gap that is bridged in one piece, else its pieces by local day."""
    grid = sources.series.grid
    if _ends(sources, gap) is not None:
        yield gap
        return
    first = gap.first
    while first < gap.after:
        last = min(gap.after, grid.part(grid.day_of(first)).stop)
        yield Gap(first, last)
        first = last


def _raw(sources: Sources, gap: Gap) -> _Raw | None:
    return _linear(sources, gap) or _like_days(sources, gap) or _previous_year(sources, gap) or _profile(sources, gap)


def _ends(sources: Sources, gap: Gap) -> tuple[Fraction, Fraction] | None:
    """The values at both ends of a gap that is short enough; None where one cannot be used."""
    series = sources.series
    if (gap.after - gap.first) * series.grid.length_seconds > sources.linear_seconds:
        return None
    before, after = gap.first - 1, gap.after
    if before < 0 or after >= len(series.grid) or not (_measured(series, before) and _measured(series, after)):
        return None
    return series.exact(int(series.values[before])), series.exact(int(series.values[after]))


def _measured(series: Intervals, place: int) -> bool:
    """Whether a value is no estimate or substitute that may still change, and the power was on."""
    return bool(series.qualities[place] >= Quality.FINAL) and not (
        series.outages is not None and bool(series.outages[place])
    )


def _linear(sources: Sources, gap: Gap) -> _Raw | None:
    ends = _ends(sources, gap)
    if ends is None:
        return None
    before, after = ends
    count = gap.after - gap.first
    step = (after - before) / (count + 1)
    values = [before + step * number for number in range(1, count + 1)]
    return _Raw(gap, values, Method.LINEAR, {"before": say(before), "after": say(after)})


def _like_days(sources: Sources, gap: Gap) -> _Raw | None:
    """The mean over the last like days, of each interval those where it was measured: good parts of days serve."""
    series, grid = sources.series, sources.series.grid
    day = grid.day_of(gap.first)
    kind = day_kind(day, sources.country, sources.subdivision)
    found: list[list[int]] = [[] for _ in range(gap.first, gap.after)]
    used: dict[date, int] = {}
    for number in range((day - grid.begin).days, 0, -1):
        earlier = grid.begin + timedelta(days=number - 1)
        if day_kind(earlier, sources.country, sources.subdivision) != kind:
            continue
        places = _by_clock(sources, earlier)
        for offset, values in enumerate(found):
            place = places.get(grid.clock[gap.first + offset])
            if len(values) < sources.like_days and place is not None and _measured(series, place):
                values.append(int(series.values[place]))
                used[earlier] = used.get(earlier, 0) + 1
        if all(len(values) == sources.like_days for values in found):
            means = [series.exact(sum(values)) / sources.like_days for values in found]
            days = [{"day": one.isoformat(), "intervals": count} for one, count in used.items()]
            return _Raw(gap, means, Method.LIKE_DAYS, {"kind": str(kind), "days": days})
    return None


def _by_clock(sources: Sources, day: date) -> dict[int, int]:
    """The places of a day's intervals by the time on the clock; of a doubled hour the first."""
    grid = sources.series.grid
    part = grid.part(day)
    return {grid.clock[place]: place for place in reversed(range(part.start, part.stop))}


def _previous_year(sources: Sources, gap: Gap) -> _Raw | None:
    """The same intervals a year of weeks before, or a week beside that, on a day of the same kind."""
    series, grid = sources.series, sources.series.grid
    day = grid.day_of(gap.first)
    kind = day_kind(day, sources.country, sources.subdivision)
    for weeks in (52, 53, 51):
        before = day - weeks * _WEEK
        if before < grid.begin or day_kind(before, sources.country, sources.subdivision) != kind:
            continue
        by_clock = _by_clock(sources, before)
        places = [by_clock.get(grid.clock[place]) for place in range(gap.first, gap.after)]
        good = [place for place in places if place is not None and _measured(series, place)]
        if len(good) == len(places):
            values = [series.exact(int(series.values[place])) for place in good]
            return _Raw(gap, values, Method.PREVIOUS_YEAR, {"day": before.isoformat()})
    return None


def _profile(sources: Sources, gap: Gap) -> _Raw | None:
    daily = sources.daily
    if sources.profile is None or daily is None:
        return None
    grid = sources.series.grid
    day = grid.part(grid.day_of(gap.first))
    try:
        weights = sources.profile.of(grid, day.start, day.stop)
    except LookupError:
        return None
    summed = sum(weights, Fraction(0))
    if summed <= 0:
        return None
    values = [daily * one / summed for one in weights[gap.first - day.start : gap.after - day.start]]
    return _Raw(gap, values, Method.PROFILE, {"profile": sources.profile.name, "daily": say(daily)})


def _mean_day(series: Intervals) -> Fraction | None:
    """The mean use of the days of the series that were measured whole."""
    sums = []
    for day in series.grid.days:
        part = series.grid.part(day)
        if all(_measured(series, place) for place in range(part.start, part.stop)):
            sums.append(sum(series.values[part].tolist()))
    return series.exact(sum(sums)) / len(sums) if sums else None


def _known(series: Intervals, first: int, after: int) -> Fraction:
    part = slice(first, after)
    return series.exact(sum(series.values[part][series.good()[part]].tolist()))


def _as_it_is(raw: _Raw, decimals: int) -> Estimate:
    values = tuple(rounded(one * 10**decimals) for one in raw.values)
    return Estimate(raw.gap.first, values, decimals, raw.method, raw.inputs)


def _scaled(sources: Sources, shaped: list[_Raw], shapeless: list[Gap], known: Fraction, decimals: int) -> Filled:
    """The estimates so that they add up with what is known to what the register counted."""
    register = sources.register
    assert register is not None  # noqa: S101 - asked by the caller
    rest = register - known
    facts = {"register": say(register), "known": say(known), "target": say(rest)}
    if rest < 0:
        why = f"The register counted {say(register)}, less than the {say(known)} of the intervals that are there."
        return Filled((), tuple(gap._replace(why=why) for gap in [*(raw.gap for raw in shaped), *shapeless]))
    total = sum((sum(raw.values, Fraction(0)) for raw in shaped), Fraction(0))
    if shapeless:  # what has a shape stays as it is, the rest of the register is for what has none
        estimates = [_as_it_is(raw, decimals) for raw in shaped]
        left = scaled(rest, decimals) - sum(sum(one.values) for one in estimates)
        if left >= 0:
            return Filled((*estimates, *_flat(shapeless, left, facts, decimals)), ())
    if shapeless or total <= 0:
        places = [*(raw.gap for raw in shaped), *shapeless]
        return Filled(tuple(_flat(places, scaled(rest, decimals), facts, decimals)), ())
    shares = share_out(scaled(rest, decimals), [one for raw in shaped for one in raw.values])
    estimates = []
    facts |= {"raw": say(total), "factor": say(rest / total)}
    for raw in shaped:
        its, shares = shares[: len(raw.values)], shares[len(raw.values) :]
        estimates.append(Estimate(raw.gap.first, tuple(its), decimals, raw.method, raw.inputs | facts))
    return Filled(tuple(estimates), ())


def _flat(places: Sequence[Gap], total: int, facts: dict[str, str], decimals: int) -> Iterator[Estimate]:
    sizes = [gap.after - gap.first for gap in places]
    shares = share_out(total, [1] * sum(sizes)) if places else []
    for gap, size in zip(places, sizes, strict=True):
        its, shares = shares[:size], shares[size:]
        yield Estimate(gap.first, tuple(its), decimals, Method.FLAT, dict(facts))


class QuantityEstimate(NamedTuple):
    """The estimated quantity of a register's period."""

    quantity: Decimal
    method: Method
    inputs: dict[str, Any]


def estimate_quantity(
    begin: date, end: date, last_year: HistoryPeriod | None, history: Sequence[HistoryPeriod], *, decimals: int = 3
) -> QuantityEstimate | None:
    """The quantity of a register's period by the year before, else by the average daily load of the last 90 days; None:
    neither is known, so that a person must say it."""
    days = (end - begin).days
    if last_year is not None:
        method, daily = Method.PREVIOUS_YEAR, last_year.per_day
        inputs = {"begin": last_year.begin.isoformat(), "end": last_year.end.isoformat(), "daily": say(daily)}
    else:
        load = average_daily_load(history, begin)
        if load is None:
            return None
        method, daily, inputs = Method.DAILY_AVERAGE, load, {"until": begin.isoformat(), "daily": say(load)}
    return QuantityEstimate(unscaled(rounded(daily * days * 10**decimals), decimals), method, inputs)


def average_daily_load(history: Sequence[HistoryPeriod], until: date, days: int = 90) -> Fraction | None:
    """The mean use of a day in the last `days` before `until`, as far as they are known; None: none is."""
    since = until - timedelta(days=days)
    quantity, known = Fraction(0), 0
    for one in history:
        shared = (min(one.end, until) - max(one.begin, since)).days
        if shared > 0:
            quantity += one.per_day * shared
            known += shared
    return quantity / known if known else None


def estimated_read(begin_read: str, quantity: Decimal, *, digits: int, multiplier: Decimal = Decimal(1)) -> str:
    """The read that a register would show after a quantity, rounded to its own decimals, with its leading zeros."""
    whole, _, rest = begin_read.strip().partition(".")
    decimals = len(rest)
    turned = 10 ** (digits + decimals)
    counted = int(whole + rest) + rounded(Fraction(quantity) / Fraction(multiplier) * 10**decimals)
    text = str(counted % turned).zfill(digits + decimals)
    return f"{text[:digits]}.{text[digits:]}" if decimals else text
