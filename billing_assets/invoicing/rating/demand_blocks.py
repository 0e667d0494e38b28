"""Demand of intervals: the mean power of clock-aligned blocks, and the highest of them in some days and a window."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from math import isqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from billing_assets.invoicing.rating.bill import Bill
from billing_assets.invoicing.rating.local_time import (
    at_minute,
    local_minutes,
    minutes_since_epoch,
    windows_of,
)
from billing_assets.invoicing.rating.quantities import map_of
from billing_assets.invoicing.rating.scaled import of_integers
from billing_assets.invoicing.rating.tariff import Charge, DemandTerms, Season
from billing_assets.invoicing.rating.usage import Intervals

_EPOCH_DAY = date(1970, 1, 1).toordinal()
_ROOT_PLACES = 12


class Label(NamedTuple):
    """What is measured separately: a season and a window, by name."""

    season: str | None
    window: str | None


@dataclass(frozen=True, slots=True, eq=False)
class DemandBlocks:
    """Blocks in time. `energy` as integers at 10^`places` is of `minutes` each; `labels` are places in `known`."""

    known: tuple[Label, ...]
    labels: NDArray[np.int64]
    days: NDArray[np.int64]
    starts: NDArray[np.int64]
    energy: NDArray[Any]
    estimated: NDArray[np.bool_]
    places: int
    minutes: int

    def power(self, whole: int) -> Fraction:
        """The mean power of a block with so much energy."""
        return Fraction(int(whole) * 60, self.minutes * 10**self.places)


class Highest(NamedTuple):
    """A measured demand: kW, when (start of the block, UTC; None for an average) and whether any of it is estimated."""

    demand: Fraction
    at: str | None
    estimated: bool


def seasons_of_terms(terms: object) -> tuple[Season, ...]:
    """The seasons of a demand charge's version."""
    return terms.seasons if isinstance(terms, DemandTerms) else ()


def blocks_of_intervals(
    bill: Bill, charge: Charge, terms: DemandTerms, series: Sequence[Intervals], reactive: Sequence[Intervals]
) -> DemandBlocks | None:
    """The blocks of a service point; None, and a finding, where an interval lies across a change of price."""
    minutes = max(terms.demand_window, *(one.minutes for one in series))
    places = max(one.values.places for one in (*series, *reactive))
    known: dict[Label, int] = {}
    keys, energies, labels, days, estimated = [], [], [], [], []
    for one in series:
        cells = map_of(bill, charge, charge.versions, (), one)
        if cells.across and not charge.split_evenly:
            time = at_minute(minutes_since_epoch(one.start) + cells.across[0][0] * one.minutes)
            bill.find("INTERVAL_STRADDLES", "usage.intervals", charge.code, time=f"{time:%Y-%m-%dT%H:%MZ}")
            return None
        table = [-1, -1]  # by the cell's number; the last two are those of no cell
        of_cells = []
        for cell in cells.cells:
            season = seasons_of_terms(charge.versions[cell.key.version].terms)[cell.key.slot]
            windows = windows_of(charge.versions[cell.key.version], cell.key.slot)
            label = Label(season.name, windows[cell.window].name if cell.window >= 0 else None)
            of_cells.append(known.setdefault(label, len(known)))
        labels.append(np.array(of_cells + table, np.int64)[cells.of])
        keys.append(_keys(one, cells.local, minutes))
        days.append(cells.days)
        energies.append(_at(one, places))
        estimated.append(np.zeros(len(cells.of), bool) if one.estimated is None else one.estimated)
    key = np.concatenate(keys)
    order = np.argsort(key, kind="stable")
    starts, firsts = np.unique(key[order], return_index=True)
    energy = np.add.reduceat(np.concatenate(energies)[order], firsts)
    if reactive:
        energy, places = _apparent(bill, charge, starts, energy, reactive, minutes, places)
    return DemandBlocks(
        tuple(known),
        np.concatenate(labels)[order][firsts],
        np.concatenate(days)[order][firsts],
        starts,
        energy,
        np.logical_or.reduceat(np.concatenate(estimated)[order], firsts),
        places,
        minutes,
    )


def _keys(series: Intervals, local: NDArray[np.int64], minutes: int) -> NDArray[np.int64]:
    """The first minute (UTC) of each interval's block: of the local clock, and an hour that comes twice is two."""
    first = minutes_since_epoch(series.start)
    utc = first + np.arange(len(series.values), dtype=np.int64) * series.minutes
    return utc if series.minutes >= minutes else utc - local % minutes


def _at(series: Intervals, places: int) -> NDArray[Any]:
    more = places - series.values.places
    return series.values.values if not more else series.values.values.astype(object) * 10**more


def _apparent(
    bill: Bill,
    charge: Charge,
    starts: NDArray[np.int64],
    energy: NDArray[Any],
    reactive: Sequence[Intervals],
    minutes: int,
    places: int,
) -> tuple[NDArray[Any], int]:
    """√(active² + reactive²) of each block, to 12 decimals more than there were."""
    other: dict[int, int] = {}
    for one in reactive:
        zone = bill.zone(charge)
        local = local_minutes(zone, one.start, one.minutes * len(one.values))[:: one.minutes]
        for key, value in zip(_keys(one, local, minutes).tolist(), _at(one, places).tolist(), strict=True):
            other[key] = other.get(key, 0) + int(value)
    scale = 10 ** (2 * _ROOT_PLACES)
    roots = [
        isqrt((int(active) ** 2 + other.get(key, 0) ** 2) * scale)
        for key, active in zip(starts.tolist(), energy.tolist(), strict=True)
    ]
    return of_integers(roots), places + _ROOT_PLACES


def highest(blocks: DemandBlocks, label: Label, days: Collection[date], measure: str, n: int) -> Highest:
    """What is measured of a label on some days: the highest block, or an average of high ones; 0 without any."""
    if label not in blocks.known:
        return Highest(Fraction(0), None, False)
    wanted = np.array([day.toordinal() - _EPOCH_DAY for day in days], np.int64)
    places = np.flatnonzero((blocks.labels == blocks.known.index(label)) & np.isin(blocks.days, wanted))
    if not len(places):
        return Highest(Fraction(0), None, False)
    energy = blocks.energy[places]
    estimated = bool(blocks.estimated[places].any())
    if measure == "window_max":
        at = int(np.argmax(energy))
        time = f"{at_minute(int(blocks.starts[places[at]])):%Y-%m-%dT%H:%MZ}"
        return Highest(blocks.power(energy[at]), time, estimated)
    if measure == "daily_max_average":
        _, firsts = np.unique(blocks.days[places], return_index=True)
        chosen = np.maximum.reduceat(energy, firsts).tolist()
    else:
        chosen = sorted(energy.tolist(), reverse=True)[:n]
    return Highest(Fraction(blocks.power(sum(map(int, chosen))), len(chosen)), None, estimated)
