"""Quantities: the energy of each charge by service point, version, season and window, exact."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from billing_assets.foundation.errors import BillingError
from billing_assets.invoicing.rating.bill import Bill
from billing_assets.invoicing.rating.context import LossFactors
from billing_assets.invoicing.rating.local_time import (
    OUTSIDE,
    Cell,
    CellMap,
    DayKey,
    at_minute,
    cell_map,
    day_keys,
    days_between,
    minutes_since_epoch,
    slot_at,
    version_at,
    windows_of,
)
from billing_assets.invoicing.rating.profiles import weight_of_days
from billing_assets.invoicing.rating.rounding import SHARE_PLACES, as_quantity, half_up
from billing_assets.invoicing.rating.tariff import Charge, Version
from billing_assets.invoicing.rating.usage import Intervals, Register

_MILLION = 10**6
Spans = tuple[tuple[date, date | None], ...]


class QuantitiesError(BillingError):
    """Quantities of windows do not add up to the usage: a fault of the engine, or a tariff that was never checked."""


@dataclass(slots=True)
class Measured:
    """The energy of a cell. `by_day`: by local day since 1970, of intervals alone; empty where no one asks for it."""

    energy: Fraction = Fraction(0)
    estimated: bool = False
    intervals: int = 0
    missing: int = 0
    by_day: dict[int, Fraction] = field(default_factory=dict)
    has_registers: bool = False
    days: set[date] = field(default_factory=set)
    """Days that one version prices although others are valid on some of them (`on_change`)."""


Cells = dict[Cell, Measured]


@dataclass(frozen=True, slots=True)
class Supply:
    """What one service point used on the channels of a charge."""

    intervals: tuple[Intervals, ...]
    registers: tuple[Register, ...]


def supplies(bill: Bill, charge: Charge, channels: Sequence[str]) -> dict[str, Supply]:
    """Usage on some channels by service point, in order. A channel with intervals is billed by them alone."""
    begins, ends = bill.period.begins, bill.period.ends
    registers = [
        one
        for one in bill.usage.registers
        if one.channel in channels
        and one.begins < ends
        and begins < one.ends
        and (charge.registers is None or one.register in charge.registers)
    ]
    intervals = [one for one in bill.usage.intervals if one.channel in channels and charge.registers is None]
    by_intervals = {(one.service_point, one.channel) for one in intervals}
    registers = [one for one in registers if (one.service_point, one.channel) not in by_intervals]
    return {
        point: Supply(
            tuple(one for one in intervals if one.service_point == point),
            tuple(one for one in registers if one.service_point == point),
        )
        for point in sorted({one.service_point for one in intervals} | {one.service_point for one in registers})
    }


def losses_of(bill: Bill, charge: Charge, point: str) -> tuple[tuple[LossFactors, ...], Spans]:
    """The loss factors of a service point and their spans, for a charge that asks for them."""
    if not charge.loss:
        return (), ()
    found = tuple(sorted((one for one in bill.context.loss_factors if one.service_point == point), key=_begins))
    spans = tuple((one.begins, one.ends) for one in found)
    without = [
        day
        for day in days_between(bill.period.begins, bill.period.ends)
        if not any(begins <= day and (ends is None or day < ends) for begins, ends in spans)
    ]
    if without:
        series = f"the loss factors of {point or 'the service point'}"
        bill.find("PRICE_MISSING", "context.loss_factors", len(found), n=len(without), series=series, time=without[0])
    return found, spans


def _begins(one: LossFactors) -> date:
    return one.begins


def loss_at(losses: Sequence[LossFactors], key: DayKey) -> Fraction:
    """What energy of a cell is multiplied by."""
    if not losses:
        return Fraction(1)
    one = losses[key.loss]
    return Fraction(one.dlf) * Fraction(one.mlf)


def map_of(bill: Bill, charge: Charge, versions: tuple[Version, ...], spans: Spans, series: Intervals) -> CellMap:
    """The cells of a series for a charge."""
    return cell_map(
        versions,
        bill.zone(charge),
        bill.context.holidays,
        bill.period.begins,
        bill.period.ends,
        spans,
        series.start,
        series.minutes,
        len(series.values),
    )


def measure(bill: Bill, charge: Charge, point: str, supply: Supply, *, by_day: bool = False) -> Cells:
    """The energy of each cell of the charge, loss factors included."""
    losses, spans = losses_of(bill, charge, point)
    found: Cells = {}
    for series in supply.intervals:
        add_series(bill, charge, series, map_of(bill, charge, charge.versions, spans, series), found, by_day)
    for register in supply.registers:
        _add_register(bill, charge, register, spans, found)
    if losses:
        for cell, one in found.items():
            factor = loss_at(losses, cell.key)
            one.energy *= factor
            one.by_day = {day: energy * factor for day, energy in one.by_day.items()}
    return found


def merged(cells: Cells) -> Cells:
    """The cells without loss factors in their keys, their energy as it is printed (at most 6 decimals)."""
    if not any(cell.key.loss for cell in cells):
        for one in cells.values():
            one.energy = Fraction(as_quantity(one.energy)) if _MILLION % one.energy.denominator else one.energy
        return cells
    found: Cells = {}
    for cell, one in cells.items():
        into = found.setdefault(Cell(cell.key._replace(loss=0), cell.window), Measured())
        into.energy += one.energy
        into.estimated |= one.estimated
        into.intervals += one.intervals
        into.missing += one.missing
        into.has_registers |= one.has_registers
        into.days |= one.days
        for day, energy in one.by_day.items():
            into.by_day[day] = into.by_day.get(day, Fraction(0)) + energy
    for one in found.values():
        one.energy = Fraction(as_quantity(one.energy))
    return found


def add_series(bill: Bill, charge: Charge, series: Intervals, cells: CellMap, found: Cells, by_day: bool) -> None:
    """Adds the energy of intervals to their cells, each to that of its start."""
    whole, missing = series.values.values, series.values.missing
    if not len(cells.places):
        return
    sums = cells.by_cell(whole).tolist()
    estimated = None if series.estimated is None else cells.by_cell(series.estimated, np.logical_or)
    absent = None if missing is None else cells.by_cell(missing.astype(np.int64))
    total, inside, scale = 0, 0, 10**series.values.places
    for place, cell in enumerate(cells.places):
        if cell == OUTSIDE:
            continue
        inside += sums[place]
        if cell < 0:
            continue
        one = found.get(cells.cells[cell])
        if one is None:
            one = found[cells.cells[cell]] = Measured()
        total += sums[place]
        energy = Fraction(sums[place], scale)
        one.energy = one.energy + energy if one.energy else energy
        one.intervals += cells.counts[place]
        one.missing += 0 if absent is None else int(absent[place])
        one.estimated |= estimated is not None and bool(estimated[place])
        if by_day:
            begin = cells.starts[place]
            _add_days(series, cells, cells.order[begin : begin + cells.counts[place]], one)
    if cells.across:
        _split_across(bill, charge, series, cells, found, by_day)
    if total != inside:
        raise QuantitiesError(
            f"The windows of {charge.code} hold {series.values.number(total)} of {series.values.number(inside)} "
            f"{charge.unit}: the windows of the tariff leave out a time. Load the tariff again to have it checked."
        )


def _add_days(series: Intervals, cells: CellMap, places: NDArray[np.int64], one: Measured) -> None:
    days, starts = np.unique(cells.days[places], return_index=True)
    for day, whole in zip(days.tolist(), np.add.reduceat(series.values.values[places], starts), strict=True):
        one.by_day[day] = one.by_day.get(day, Fraction(0)) + series.values.number(whole)


def _split_across(bill: Bill, charge: Charge, series: Intervals, cells: CellMap, found: Cells, by_day: bool) -> None:
    """An interval across a change of price is refused, or its energy goes by minutes to the parts."""
    if not charge.split_evenly:
        place = cells.across[0][0]
        time = at_minute(minutes_since_epoch(series.start) + place * series.minutes)
        bill.find("INTERVAL_STRADDLES", "usage.intervals", charge.code, time=f"{time:%Y-%m-%dT%H:%MZ}")
        return
    for place, runs in cells.across:
        energy = series.values.number(series.values.values[place])
        estimated = series.estimated is not None and bool(series.estimated[place])
        if runs[0][0] >= 0:  # all of it was laid into the cell of its start
            _put(found[cells.cells[runs[0][0]]], -energy, int(cells.days[place]) if by_day else None)
        left, minute = energy, int(cells.local[place])
        for number, (cell, minutes) in enumerate(runs, start=1):
            part = left if number == len(runs) else Fraction(half_up(energy * Fraction(minutes, series.minutes), 6))
            left -= part
            if cell >= 0:
                one = found.setdefault(cells.cells[cell], Measured())
                one.estimated |= estimated
                _put(one, part, minute // 1440 if by_day else None)
            minute += minutes


def _put(one: Measured, energy: Fraction, day: int | None) -> None:
    one.energy += energy
    if day is not None:
        one.by_day[day] = one.by_day.get(day, Fraction(0)) + energy


def _add_register(bill: Bill, charge: Charge, register: Register, spans: Spans, found: Cells) -> None:
    for key, energy in register_parts(bill, charge, register, spans):
        windows = windows_of(charge.versions[key.version], key.slot)
        place = -1
        if windows:
            names = [
                p for p, one in enumerate(windows) if one.register is not None and one.register == register.register
            ]
            if not names:
                bill.find("USAGE_NOT_INTERVAL", "usage.registers", register.register)
                return
            place = next(p for p, one in enumerate(windows) if one.name == windows[names[0]].name)
        one = found.setdefault(Cell(key, place), Measured())
        one.energy += energy
        one.has_registers = True
        if charge.on_change != "split":
            one.days |= _days_in(bill, charge, register, key)
        one.estimated |= register.quality != "A"


def _days_in(bill: Bill, charge: Charge, register: Register, key: DayKey) -> set[date]:
    """The days of a register inside the bill that are in the season of a key."""
    begins, ends = max(register.begins, bill.period.begins), min(register.ends, bill.period.ends)
    version = charge.versions[key.version]
    return {day for day in days_between(begins, ends) if slot_at(version, day) == key.slot}


def register_parts(bill: Bill, charge: Charge, register: Register, spans: Spans) -> list[tuple[DayKey, Fraction]]:
    """The parts of a register's quantity that are of this bill, by version, season and loss factors, in time.

    First parts are rounded half up to 3 decimals, the last takes the remainder, so that they add up.
    """
    runs = _runs(bill, charge, register, spans)
    quantity = Fraction(register.quantity)
    if len(runs) == 1:
        return [(key, quantity) for key, _, _ in runs if key is not None]
    weights = _weights(bill, charge, register, runs)
    whole = sum(weights, Fraction(0))
    left, found = quantity, []
    for place, (key, _, _) in enumerate(runs):
        share = Fraction(weights[place], whole) if whole else Fraction(0)
        last = place == len(runs) - 1
        part = left if last else Fraction(half_up(quantity * share, SHARE_PLACES))
        left -= part
        if key is not None:
            found.append((key, part))
    return found


Run = tuple[DayKey | None, date, date]


def _runs(bill: Bill, charge: Charge, register: Register, spans: Spans) -> list[Run]:
    begins, ends = max(register.begins, bill.period.begins), min(register.ends, bill.period.ends)
    keys: Iterable[DayKey | None] = day_keys(charge.versions, begins, ends, spans)
    if charge.on_change != "split":
        keys = _by_one_version(charge, begins, ends, keys)
    found: list[Run] = []
    if register.begins < begins:
        found.append((None, register.begins, begins))
    day = begins
    for key in keys:
        after = day + timedelta(days=1)
        if found and found[-1][0] == key and found[-1][2] == day and key is not None:
            found[-1] = (key, found[-1][1], after)
        else:
            found.append((key, day, after))
        day = after
    if ends < register.ends:
        found.append((None, ends, register.ends))
    return found


def _by_one_version(charge: Charge, begins: date, ends: date, keys: Iterable[DayKey | None]) -> list[DayKey | None]:
    """One version prices the whole period: that of the last day, or that of most days (a tie: the later one)."""
    known = [key for key in keys if key is not None]
    chosen = version_at(charge.versions, ends - timedelta(days=1))
    if charge.on_change == "majority" and known:
        days = {key.version: sum(one.version == key.version for one in known) for key in known}
        chosen = max(days, key=lambda version: (days[version], version))
    if chosen is None:
        return list(known)
    return [
        DayKey(chosen, slot_at(charge.versions[chosen], day), key.loss)
        for day, key in zip(days_between(begins, ends), known, strict=True)
    ]


def _weights(bill: Bill, charge: Charge, register: Register, runs: Sequence[Run]) -> list[Fraction]:
    """The weight of each part: its days, or those of a profile."""
    if charge.split_by is None:
        return [Fraction((ends - begins).days) for _, begins, ends in runs]
    found = []
    for _, begins, ends in runs:
        weight = weight_of_days(bill, charge, charge.split_by, begins, ends)
        if weight is None:
            return [Fraction(1)] * len(runs)
        found.append(weight)
    return found
