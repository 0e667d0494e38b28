"""What is found when a tariff is loaded, so that it is never found when a bill is made."""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

from billing_assets.invoicing.rating.findings import Finding, finding
from billing_assets.invoicing.rating.local_time import in_season, minutes_of
from billing_assets.invoicing.rating.tariff import (
    DAY_TYPES,
    Block,
    Charge,
    DemandTerms,
    EnergyTerms,
    FixedTerms,
    GreenTerms,
    Kind,
    Season,
    TableTerms,
    Tariff,
    Version,
    Window,
)

_LEAP_YEAR = 2024
_DAY = 1440

BOUNDS: dict[Kind, tuple[Decimal, Decimal]] = {
    Kind.USAGE: (Decimal("-1"), Decimal("2")),
    Kind.TOU: (Decimal("-1"), Decimal("2")),
    Kind.RATE_TABLE: (Decimal("-1"), Decimal("2")),
    Kind.FEED_IN: (Decimal("-1"), Decimal("2")),
    Kind.GREEN: (Decimal("-1"), Decimal("2")),
    Kind.FIXED_DAILY: (Decimal("-50"), Decimal("50")),
}
"""Between which prices are plausible: per kWh, per day. What is outside was probably written in cents."""

_PLAUSIBLE_CURRENCIES = frozenset({"AUD", "USD", "NZD", "CAD", "EUR", "GBP", "CHF", "SGD"})


def check_tariff(tariff: Tariff) -> tuple[Finding, ...]:
    """Every finding of a tariff: overlaps and gaps in time, week and year, limits, and prices in cents."""
    return tuple(found for charge in tariff.charges for found in _of_charge(tariff, charge))


def _of_charge(tariff: Tariff, charge: Charge) -> Iterator[Finding]:
    path = f"tariff.charges.{charge.code}"
    yield from _versions(charge, path)
    for version in charge.versions:
        where = f"{path}.versions.{version.id}"
        terms = version.terms
        if isinstance(terms, EnergyTerms | DemandTerms | FixedTerms):
            yield from _seasons(charge, terms.seasons, where)
            for season in terms.seasons:
                if season.windows or charge.kind is Kind.TOU:
                    yield from _week(season.windows, where, version, gaps=not isinstance(terms, DemandTerms))
                for blocks in (season.blocks, *(window.blocks for window in season.windows)):
                    yield from _blocks(charge, blocks, where)
        if isinstance(terms, TableTerms):
            yield from _rows(charge, terms, where)
        yield from _prices(tariff, charge, version, where)


def _versions(charge: Charge, path: str) -> Iterator[Finding]:
    reached: date | None = charge.versions[0].valid_from
    for one in charge.versions:
        if one.valid_to is not None and one.valid_to <= one.valid_from:
            continue  # no day is in it
        if reached is None or one.valid_from < reached:
            yield finding("TARIFF_OVERLAP", path, one.id, charge=charge.code, date=one.valid_from)
        elif reached < one.valid_from:
            yield finding("TARIFF_GAP", path, one.id, charge=charge.code, begins=reached, ends=one.valid_from)
        reached = None if reached is None or one.valid_to is None else max(reached, one.valid_to)


def _rows(charge: Charge, terms: TableTerms, path: str) -> Iterator[Finding]:
    rows = sorted(terms.rows, key=lambda one: one.valid_from)
    for before, after in pairwise(rows):
        if before.valid_to is None or after.valid_from < before.valid_to:
            yield finding("TARIFF_OVERLAP", path, after.valid_from, charge=charge.code, date=after.valid_from)
        elif before.valid_to < after.valid_from:
            yield finding(
                "TARIFF_GAP", path, after.valid_from, charge=charge.code, begins=before.valid_to, ends=after.valid_from
            )


def _seasons(charge: Charge, seasons: tuple[Season, ...], path: str) -> Iterator[Finding]:
    """Every day of a year has one season; the first that has not is named."""
    if len(seasons) == 1 and seasons[0].name is None:
        return
    day = date(_LEAP_YEAR, 1, 1)
    while day.year == _LEAP_YEAR:
        if sum(in_season(season, day) for season in seasons) != 1:
            said = f"{day:%m-%d}"
            yield finding("SEASON_COVER", path, said, charge=charge.code, date=said)
            return
        day += timedelta(days=1)


def _week(windows: tuple[Window, ...], path: str, version: Version, *, gaps: bool) -> Iterator[Finding]:
    """Every minute of every kind of day has one window; the first time of a day that has not is named."""
    seasons: tuple[Season, ...] = getattr(version.terms, "seasons", ())
    with_holidays = any("holiday" in one.days for season in seasons for one in season.windows)
    for kind in DAY_TYPES if with_holidays else DAY_TYPES[:-1]:
        parts = sorted(part for one in windows if kind in one.days for part in minutes_of(one))
        reached = 0
        for begins, ends in parts:
            if begins < reached:
                yield finding("TOU_OVERLAP", path, kind, day=kind, time=_time(begins))
                break
            if begins > reached and gaps:
                yield finding("TOU_GAP", path, kind, day=kind, time=_time(reached))
                break
            reached = max(reached, ends)
        else:
            if reached < _DAY and gaps:
                yield finding("TOU_GAP", path, kind, day=kind, time=_time(reached))
    for one in windows:
        first = next(other for other in windows if other.name == one.name)
        if first.blocks != one.blocks:
            yield finding("TOU_OVERLAP", path, one.name, day=one.days[0], time=_time(one.start))


def _time(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _blocks(charge: Charge, blocks: tuple[Block, ...], path: str) -> Iterator[Finding]:
    limits = [one.up_to for one in blocks if one.up_to is not None]
    if any(limit <= 0 for limit in limits) or any(b <= a for a, b in pairwise(limits)):
        yield finding("BLOCKS_ORDER", path, [str(one) for one in limits], charge=charge.code)


def _prices(tariff: Tariff, charge: Charge, version: Version, path: str) -> Iterator[Finding]:
    """Cents or dollars: a price outside of what its kind can be. Only for currencies whose prices we know."""
    if charge.kind not in BOUNDS or tariff.currency not in _PLAUSIBLE_CURRENCIES:
        return
    unit = "day" if charge.kind is Kind.FIXED_DAILY else charge.unit
    if unit not in {"kWh", "day"}:
        return
    low, high = BOUNDS[charge.kind]
    for price in _every_price(version):
        if not low <= price <= high:
            said = f"{tariff.currency}/{unit}"
            yield finding("PRICE_UNIT", path, price, price=price, unit=said, low=low, high=high)


def _every_price(version: Version) -> Iterator[Decimal]:
    terms = version.terms
    if isinstance(terms, EnergyTerms | FixedTerms):
        for season in terms.seasons:
            for blocks in (season.blocks, *(window.blocks for window in season.windows)):
                yield from (one.price for one in blocks)
    elif isinstance(terms, TableTerms):
        yield from (one.price + terms.adder for one in terms.rows)
    elif isinstance(terms, GreenTerms) and terms.price is not None:
        yield terms.price
