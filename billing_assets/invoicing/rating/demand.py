"""Demand charges: what is measured, what of it is billed (ratchet, floors), and for which days."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

from billing_assets.invoicing.rating.bill import ONE, Bill, Position
from billing_assets.invoicing.rating.blocks import fill, is_stepped, limits_of
from billing_assets.invoicing.rating.demand_blocks import (
    DemandBlocks,
    Highest,
    Label,
    blocks_of_intervals,
    highest,
)
from billing_assets.invoicing.rating.local_time import day_keys, days_between
from billing_assets.invoicing.rating.proration import shares
from billing_assets.invoicing.rating.rated import Evidence
from billing_assets.invoicing.rating.rounding import EXACT, SHARE_PLACES, as_quantity, exact_text, half_up
from billing_assets.invoicing.rating.tariff import Block, Charge, DemandTerms, Ratchet, Season, Version
from billing_assets.invoicing.rating.usage import DemandRead

_NONE = Fraction(0)


@dataclass(frozen=True, slots=True)
class Meter:
    """The demand of one service point: blocks of intervals, or what the meter or the utility measured."""

    point: str
    blocks: DemandBlocks | None
    reads: tuple[DemandRead, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """Days of one version and season."""

    version: Version
    terms: DemandTerms
    season: Season
    days: tuple[date, ...]


def add_demand(bill: Bill, charge: Charge) -> None:
    """Adds the lines of a demand charge: by service point, time that it is charged for, season, window and block."""
    for meter in _meters(bill, charge):
        history = _history(bill, charge, meter.point)
        for slot in _slots(bill, charge):
            for season, parts in _by_season(slot).items():
                for window in _windows(parts[-1].season):
                    _add(bill, charge, meter, Label(season, window), parts, len(_days(slot)), history)


def _meters(bill: Bill, charge: Charge) -> Iterator[Meter]:
    used = bill.usage
    intervals = [one for one in used.intervals if one.channel in charge.channels]
    reads = [one for one in used.demand if one.channel in charge.channels]
    metered = (one for one in used.metered if one.channel in charge.channels)
    for point in sorted({one.service_point for one in metered}):
        of_point = tuple(one for one in reads if one.service_point == point)
        other = next((one.unit for one in of_point if one.unit != charge.unit), None)
        if other is not None:
            bill.find("UNIT_MISMATCH", "usage.demand", other, unit=other, unit2=charge.unit)
            continue
        if of_point:
            yield Meter(point, None, of_point)
            continue
        series = [one for one in intervals if one.service_point == point]
        if not series:
            bill.find("USAGE_NOT_INTERVAL", "usage.registers", charge.code)
            continue
        terms = charge.versions[-1].terms
        reactive = [one for one in used.reactive if one.service_point == point and charge.unit == "kVA"]
        if isinstance(terms, DemandTerms):
            if charge.unit == "kVA" and not reactive and terms.power_factor is None:
                bill.find("UNIT_MISMATCH", "usage.reactive", "kW", unit="kW", unit2="kVA")
                continue
            blocks = blocks_of_intervals(bill, charge, terms, series, reactive)
            if blocks is not None:
                yield Meter(point, blocks, ())


def _slots(bill: Bill, charge: Charge) -> list[list[Part]]:
    """The times that are charged for, each in parts by version and season, in order."""
    begins, ends = bill.period.begins, bill.period.ends
    keys = day_keys(charge.versions, begins, ends, ())
    slots: dict[object, dict[tuple[int, int], list[date]]] = {}
    for day, key in zip(days_between(begins, ends), keys, strict=True):
        if key is None:
            continue
        terms = charge.versions[key.version].terms
        if isinstance(terms, DemandTerms):
            name = _slot_name(terms, day, terms.seasons[key.slot].name)
            slots.setdefault(name, {}).setdefault((key.version, key.slot), []).append(day)
    found = []
    for parts in slots.values():
        slot = []
        for (place, season), days in parts.items():
            terms = charge.versions[place].terms
            if isinstance(terms, DemandTerms):
                slot.append(Part(charge.versions[place], terms, terms.seasons[season], tuple(days)))
        found.append(slot)
    return found


def _slot_name(terms: DemandTerms, day: date, season: str | None) -> object:
    """Days with one name are charged together: a charge by day is so for as long as one measurement holds."""
    period = terms.charge_period if terms.charge_period != "day" else terms.measurement_period
    return _period_name(period, day, season)


def _period_name(period: str, day: date, season: str | None) -> object:
    return {"day": day, "month": (day.year, day.month), "season": season, "bill": None}[period]


def _by_season(slot: Sequence[Part]) -> dict[str | None, list[Part]]:
    found: dict[str | None, list[Part]] = {}
    for part in slot:
        found.setdefault(part.season.name, []).append(part)
    return found


def _windows(season: Season) -> list[str | None]:
    return list(dict.fromkeys(one.name for one in season.windows)) or [None] * bool(season.blocks)


def _days(parts: Sequence[Part]) -> list[date]:
    return [day for part in parts for day in part.days]


def _measured(bill: Bill, meter: Meter, label: Label, parts: Sequence[Part]) -> Highest:
    """The highest demand of the times of measurement that touch the days."""
    terms = parts[-1].terms
    days = set(_days(parts))
    names = {_period_name(terms.measurement_period, day, label.season) for day in days}
    if terms.measurement_period in {"month", "bill"}:
        every = days_between(bill.period.begins, bill.period.ends)
        days |= {day for day in every if _period_name(terms.measurement_period, day, label.season) in names}
    if meter.blocks is None:
        of_label = [
            one
            for one in meter.reads
            if one.window in {None, label.window} and any(one.begins <= day < one.ends for day in days)
        ]
        return Highest(max((Fraction(one.quantity) for one in of_label), default=_NONE), None, False)
    found = highest(meter.blocks, label, days, terms.measure, terms.n)
    if terms.power_factor is not None and not bill.usage.reactive:
        return Highest(Fraction(found.demand, Fraction(terms.power_factor)), found.at, found.estimated)
    return found


def _as_measured(demand: Fraction, terms: DemandTerms, unit: str) -> Decimal:
    """As it is with up to 6 decimals; averages and kVA that were computed are rounded to 3."""
    if terms.measure == "window_max" and unit != "kVA":
        return as_quantity(demand)
    return half_up(demand, SHARE_PLACES)


def _history(bill: Bill, charge: Charge, point: str) -> list[Decimal]:
    """What earlier bills measured, oldest first."""
    return [
        one.measured
        for one in bill.context.demand_history
        if one.service_point == point and one.charge == charge.code and one.ends <= bill.period.begins
    ]


def _ratchet(bill: Bill, charge: Charge, ratchet: Ratchet, history: Sequence[Decimal]) -> Decimal:
    last = history[-ratchet.periods :]
    if len(last) < ratchet.periods:
        bill.find("DEMAND_HISTORY_SHORT", "context.demand_history", charge.code, n=ratchet.periods, m=len(last))
    share = Fraction(ratchet.percent) * Fraction(max(last, default=Decimal(0)))
    return half_up(Fraction(share, 100), SHARE_PLACES)


def _add(
    bill: Bill,
    charge: Charge,
    meter: Meter,
    label: Label,
    parts: Sequence[Part],
    slot_days: int,
    history: Sequence[Decimal],
) -> None:
    terms = parts[-1].terms
    found = _measured(bill, meter, label, parts)
    measured = _as_measured(found.demand, terms, charge.unit if meter.blocks is not None else "")
    held = _ratchet(bill, charge, terms.ratchet, history) if terms.ratchet else Decimal(0)
    billed = max(measured, held, terms.contract_minimum, terms.floor)
    if not billed:
        return
    facts: Evidence = {
        "measured": exact_text(found.demand),
        "at": found.at,
        "ratchet": exact_text(held),
        "contract_minimum": exact_text(terms.contract_minimum),
        "floor": exact_text(terms.floor),
        "billed": exact_text(billed),
    }
    own_days = len(_days(parts))
    left = billed if own_days == slot_days else _share(billed, own_days, slot_days)
    rest = own_days
    for number, part in enumerate(parts, start=1):
        if terms.charge_period in {"bill", "season"} or (terms.charge_period == "month" and charge.proration == "none"):
            demand = left if number == len(parts) else _share(left, len(part.days), rest)
            left, rest = left - demand, rest - len(part.days)
        else:
            demand = billed
        _add_part(bill, charge, meter, label, part, demand, slot_days, {**facts}, found.estimated)


def _share(demand: Decimal, days: int, of: int) -> Decimal:
    return half_up(Fraction(demand) * Fraction(days, of), SHARE_PLACES)


def _add_part(
    bill: Bill,
    charge: Charge,
    meter: Meter,
    label: Label,
    part: Part,
    demand: Decimal,
    slot_days: int,
    facts: Evidence,
    estimated: bool,
) -> None:
    terms = part.terms
    blocks = _blocks(part.season, label.window)
    whole = terms.charge_period in {"bill", "season"} or charge.proration == "none"
    is_part = terms.charge_period != "day" and whole and len(part.days) < slot_days
    limits = limits_of(blocks, is_part, len(part.days), Fraction(slot_days))
    for place, (block, energy) in enumerate(zip(blocks, fill(Fraction(demand), limits, "graduated"), strict=True), 1):
        if not energy:
            continue
        at = Position(
            charge,
            part.version,
            part.days[0],
            part.days[-1] + timedelta(days=1),
            meter.point,
            label.season,
            label.window,
            place if is_stepped(blocks) else None,
            estimated,
        )
        kw = as_quantity(energy)
        facts = {**facts, "kw": exact_text(kw)}
        if terms.charge_period == "day":
            days = len(part.days)
            bill.add(at, as_quantity(energy * days), f"{charge.unit}·day", block.price, ONE, {**facts, "days": days})
        elif terms.charge_period == "month" and charge.proration != "none":
            for share in shares(charge.proration, "P1M", part.days, bill.period, bill.context.cycles):
                quantity = as_quantity(energy * share.quantity)
                price, base = EXACT.multiply(block.price, Decimal(share.times)), Decimal(share.base)
                at_share = at._replace(begins=share.begins, ends=share.ends)
                bill.add(at_share, quantity, f"{charge.unit}·day", price, base, {**facts, "days": share.quantity})
        else:
            bill.add(at, kw, charge.unit, block.price, ONE, facts)


def _blocks(season: Season, window: str | None) -> tuple[Block, ...]:
    if window is None:
        return season.blocks
    return next(one.blocks for one in season.windows if one.name == window)
