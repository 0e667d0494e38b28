"""Index products: every interval at its own price of a series, exact, rounded once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from billing_assets.invoicing.rating.bill import Bill, Position
from billing_assets.invoicing.rating.context import Series
from billing_assets.invoicing.rating.local_time import (
    DayKey,
    at_minute,
    day_keys,
    days_between,
    minutes_since_epoch,
)
from billing_assets.invoicing.rating.netting import by_interval
from billing_assets.invoicing.rating.profiles import is_there, missing_times, weights_between
from billing_assets.invoicing.rating.quantities import (
    Spans,
    Supply,
    loss_at,
    losses_of,
    map_of,
    supplies,
)
from billing_assets.invoicing.rating.rated import Evidence
from billing_assets.invoicing.rating.rounding import as_quantity, exact_text
from billing_assets.invoicing.rating.scaled import dot
from billing_assets.invoicing.rating.tariff import Charge, IndexTerms, Kind
from billing_assets.invoicing.rating.usage import Intervals, Register

_EMPTY = Supply((), ())


@dataclass(slots=True)
class Indexed:
    """Sums of one version and loss factor: kWh, and kWh · price (in money per MWh, after floor and cap)."""

    kwh: Fraction = Fraction(0)
    kwh_price: Fraction = Fraction(0)
    intervals: int = 0
    missing: int = 0
    estimated: bool = False


def add_index(bill: Bill, charge: Charge) -> None:
    """Adds the lines of an index charge: one by service point and version."""
    used = supplies(bill, charge, charge.channels)
    fed = {} if charge.net == "none" else supplies(bill, charge, (charge.net_channel,))
    for point in sorted({*used, *fed}):
        supply, surplus = used.get(point, _EMPTY), _EMPTY
        if charge.net != "none":
            pair = by_interval(bill, supply, fed.get(point, _EMPTY))
            if pair is None:
                continue
            supply, surplus = Supply(pair[0], ()), Supply(pair[1], ())
        _add_point(bill, charge, point, supply)
        if surplus.intervals:
            _add_surplus(bill, charge, point, surplus)


def _add_point(bill: Bill, charge: Charge, point: str, supply: Supply) -> None:
    losses, spans = losses_of(bill, charge, point)
    found: dict[DayKey, Indexed] = {}
    profile: Evidence = {}
    for series in supply.intervals:
        _of_intervals(bill, charge, series, spans, found)
    for register in supply.registers:
        profile |= _of_register(bill, charge, register, spans, found)
    for place in sorted({key.version for key in found}):
        parts = {key: one for key, one in sorted(found.items(), key=_order) if key.version == place}
        factors = {key: loss_at(losses, key) for key in parts}
        _add_line(bill, charge, point, place, [(parts[key], factors[key]) for key in parts], profile)


def _order(item: tuple[DayKey, Indexed]) -> tuple[int, int]:
    return item[0].version, item[0].loss


def _add_line(
    bill: Bill, charge: Charge, point: str, version: int, parts: Sequence[tuple[Indexed, Fraction]], said: Evidence
) -> None:
    terms = charge.versions[version].terms
    if not isinstance(terms, IndexTerms):
        return
    thousand = Fraction(1, 1000)
    exact = sum((amount_of(one.kwh, one.kwh_price, loss, terms) for one, loss in parts), Fraction(0)) * thousand
    kwh = sum((one.kwh for one, _ in parts), Fraction(0))
    if not kwh and not exact:
        return
    exact = -exact if charge.kind is Kind.FEED_IN else exact
    amount = bill.rounded(charge, exact)
    days = [
        day
        for day, key in zip(
            days_between(bill.period.begins, bill.period.ends),
            day_keys(charge.versions, bill.period.begins, bill.period.ends, ()),
            strict=True,
        )
        if key is not None and key.version == version
    ]
    series = bill.context.price_series[terms.series]
    quantity = abs(as_quantity(kwh)) or Decimal(1)
    at = Position(
        charge,
        charge.versions[version],
        days[0],
        days[-1] + timedelta(days=1),
        point,
        estimated=any(one.estimated for one, _ in parts),
    )
    facts: Evidence = {
        "exact": exact_text(exact),
        "series": terms.series,
        "series_version": series.version,
        **said,
        "intervals": sum(one.intervals for one, _ in parts),
        "missing": sum(one.missing for one, _ in parts),
        "parts": [
            {"kwh": exact_text(one.kwh), "kwh_price": exact_text(one.kwh_price), "loss": exact_text(loss)}
            for one, loss in parts
        ],
    }
    unit = charge.unit if kwh else ""
    bill.add(at, quantity, unit, amount, quantity, facts)


def amount_of(kwh: Fraction, kwh_price: Fraction, loss: Fraction, terms: IndexTerms) -> Fraction:
    """Σ kWh · loss · (price · multiplier + adder), a thousand times the amount."""
    return loss * (kwh_price * Fraction(terms.multiplier) + kwh * Fraction(terms.adder))


def _of_intervals(bill: Bill, charge: Charge, series: Intervals, spans: Spans, found: dict[DayKey, Indexed]) -> None:
    cells = map_of(bill, charge, charge.versions, spans, series)
    if cells.across:
        place = cells.across[0][0]
        time = at_minute(minutes_since_epoch(series.start) + place * series.minutes)
        bill.find("INTERVAL_STRADDLES", "usage.intervals", charge.code, time=f"{time:%Y-%m-%dT%H:%MZ}")
        return
    for number, begin in enumerate(cells.starts.tolist()):
        if cells.places[number] < 0:
            continue
        places = cells.order[begin : begin + cells.counts[number]]
        key = cells.cells[cells.places[number]].key
        terms = charge.versions[key.version].terms
        if not isinstance(terms, IndexTerms):
            continue
        prices = prices_at(bill, charge, terms, minutes_since_epoch(series.start) + places * series.minutes, series)
        if prices is None:
            continue
        one = found.setdefault(key, Indexed())
        whole = series.values.values[places]
        one.kwh += series.values.number(whole.sum())
        scale = 10 ** (series.values.places + prices.places)
        one.kwh_price += Fraction(sum(dot(values, row) for values, row in _rows(whole, prices)), scale)
        one.intervals += len(places)
        one.missing += 0 if series.values.missing is None else int(series.values.missing[places].sum())
        one.estimated |= series.estimated is not None and bool(series.estimated[places].any())


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices of intervals as integers at 10^`places`; a row for each part that an interval is split into."""

    rows: tuple[NDArray[Any], ...]
    places: int


def _rows(whole: NDArray[Any], prices: Prices) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """Energy and price of each part of the intervals: equal parts rounded half up, the last takes the remainder."""
    parts = len(prices.rows)
    if parts == 1:
        yield whole, prices.rows[0]
        return
    each = np.sign(whole) * ((2 * np.abs(whole) + parts) // (2 * parts))
    for row in prices.rows[:-1]:
        yield each, row
    yield whole - each * (parts - 1), prices.rows[-1]


def prices_at(
    bill: Bill, charge: Charge, terms: IndexTerms, instants: NDArray[np.int64], of: Intervals | None = None
) -> Prices | None:
    """The prices of intervals that begin at these minutes since 1970, after floor and cap; by instant, never by time.

    Adds PRICE_MISSING, or INTERVAL_STRADDLES where an interval has several prices, and returns None.
    """
    series = bill.context.price_series.get(terms.series)
    if series is None:
        time = f"{at_minute(int(instants[0])):%Y-%m-%dT%H:%MZ}" if len(instants) else str(bill.period.begins)
        bill.find(
            "PRICE_MISSING", "context.price_series", terms.series, n=len(instants), series=terms.series, time=time
        )
        return None
    offset = instants - minutes_since_epoch(series.start)
    places = offset // series.minutes
    parts = 1
    if of is not None and (offset % series.minutes + of.minutes > series.minutes).any():
        straddles = bool((offset % series.minutes).any()) or of.minutes % series.minutes != 0
        if straddles or not charge.split_evenly:
            first = int(instants[int(np.argmax(offset % series.minutes + of.minutes > series.minutes))])
            bill.find("INTERVAL_STRADDLES", "usage.intervals", charge.code, time=f"{at_minute(first):%Y-%m-%dT%H:%MZ}")
            return None
        parts = of.minutes // series.minutes
    every = [places + part for part in range(parts)]
    together = np.concatenate(every)
    if not is_there(series, together).all():
        times = missing_times(series, together)
        path = f"context.price_series.{terms.series}"
        bill.find("PRICE_MISSING", path, series.version, n=len(times), series=terms.series, time=times[0])
        return None
    return Prices(tuple(_bounded(series, one, terms) for one in every), _places(series, terms))


def _places(series: Series, terms: IndexTerms) -> int:
    needed = [series.values.places]
    for bound in (terms.floor, terms.cap):
        exponent = 0 if bound is None else bound.as_tuple().exponent
        needed.append(-exponent if isinstance(exponent, int) else 0)
    return max(needed)


def _bounded(series: Series, places: NDArray[np.int64], terms: IndexTerms) -> NDArray[Any]:
    found = series.values.values[places]
    more = _places(series, terms) - series.values.places
    if more:
        found = found.astype(object) * 10**more
    scale = 10 ** _places(series, terms)
    if terms.floor is not None:
        found = np.maximum(found, int(Fraction(terms.floor) * scale))
    if terms.cap is not None:
        found = np.minimum(found, int(Fraction(terms.cap) * scale))
    return found


def _of_register(
    bill: Bill, charge: Charge, register: Register, spans: Spans, found: dict[DayKey, Indexed]
) -> Evidence:
    """A register's total over the weights of a profile: U · w / Σ w each, as exact fractions."""
    terms = charge.versions[0].terms
    if not isinstance(terms, IndexTerms) or terms.profile is None:
        bill.find("USAGE_NOT_INTERVAL", "usage.registers", register.register)
        return {}
    weights = weights_between(bill, charge, terms.profile, register.begins, register.ends)
    if weights is None:
        return {}
    series = Intervals(
        register.service_point,
        register.channel,
        register.unit,
        at_minute(weights.start),
        weights.minutes,
        type(bill.context.profiles[terms.profile].values)(weights.values, 0),
        np.full(len(weights.values), register.quality != "A"),
    )
    by_weight: dict[DayKey, Indexed] = {}
    _of_intervals(bill, charge, series, spans, by_weight)
    whole = int(weights.values.sum())
    for key, one in by_weight.items():
        into = found.setdefault(key, Indexed())
        share = Fraction(Fraction(register.quantity), whole) if whole else Fraction(0)
        into.kwh += one.kwh * share
        into.kwh_price += one.kwh_price * share
        into.intervals += one.intervals
        into.estimated |= register.quality != "A"
    return {"profile": terms.profile, "profile_version": weights.version, "register": exact_text(register.quantity)}


def _add_surplus(bill: Bill, charge: Charge, point: str, surplus: Supply) -> None:
    kwh, estimated = Fraction(0), False
    for series in surplus.intervals:
        cells = map_of(bill, charge, charge.versions, (), series)
        kwh += series.values.number(series.values.values[cells.of >= 0].sum())
        estimated |= series.estimated is not None and bool(series.estimated[cells.of >= 0].any())
    version = charge.versions[-1]
    if kwh and isinstance(version.terms, IndexTerms):
        at = Position(charge, version, bill.period.begins, bill.period.ends, point, estimated=estimated, is_credit=True)
        facts: Evidence = {"kwh": exact_text(kwh), "net": charge.net}
        bill.add(at, -as_quantity(kwh), charge.unit, version.terms.credit_price, facts=facts)
