"""Net metering: what is fed in is taken from what is used, by interval, window or bill; the rest is left for credit."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from billing_assets.invoicing.rating.bill import Bill
from billing_assets.invoicing.rating.local_time import Cell
from billing_assets.invoicing.rating.quantities import Cells, Measured, Supply, measure, merged, supplies
from billing_assets.invoicing.rating.rounding import SHARE_PLACES, half_up
from billing_assets.invoicing.rating.scaled import Scaled, of_integers
from billing_assets.invoicing.rating.tariff import Charge
from billing_assets.invoicing.rating.usage import Intervals

_EMPTY = Supply((), ())
_NONE = Fraction(0)


def net_of(bill: Bill, charge: Charge, *, by_day: bool) -> Iterator[tuple[str, Cells, Cells]]:
    """By service point: the energy that is priced, by cell, and the energy that is left over, by cell."""
    used = supplies(bill, charge, charge.channels)
    fed = supplies(bill, charge, (charge.net_channel,))
    for point in sorted({*used, *fed}):
        own, other = used.get(point, _EMPTY), fed.get(point, _EMPTY)
        if charge.net == "interval":
            pair = by_interval(bill, own, other)
            if pair is None:
                continue
            cells = merged(measure(bill, charge, point, Supply(pair[0], ()), by_day=by_day))
            left = merged(measure(bill, charge, point, Supply(pair[1], ())))
            yield point, cells, left
            continue
        cells = merged(measure(bill, charge, point, own, by_day=by_day))
        minus = merged(measure(bill, charge, point, other, by_day=by_day))
        yield point, *(_by_window(cells, minus) if charge.net == "window" else _by_bill(cells, minus))


def by_interval(bill: Bill, own: Supply, other: Supply) -> tuple[tuple[Intervals, ...], tuple[Intervals, ...]] | None:
    """Series of what is used and of what is left over, interval by interval; None (and a finding) without intervals."""
    if own.registers or other.registers:
        bill.find("USAGE_NOT_INTERVAL", "usage.registers", "net")
        return None
    grids = {(one.start, one.minutes, len(one.values)) for one in (*own.intervals, *other.intervals)}
    used: list[Intervals] = []
    left: list[Intervals] = []
    for start, minutes, count in sorted(grids):
        plus = [one for one in own.intervals if (one.start, one.minutes, len(one.values)) == (start, minutes, count)]
        minus = [one for one in other.intervals if (one.start, one.minutes, len(one.values)) == (start, minutes, count)]
        places = max(one.values.places for one in (*plus, *minus))
        net = _sum(plus, places, count) - _sum(minus, places, count)
        first = (plus or minus)[0]
        estimated = np.zeros(count, bool)
        for one in (*plus, *minus):
            if one.estimated is not None:
                estimated |= one.estimated
        for found, values in ((used, np.maximum(net, 0)), (left, np.maximum(-net, 0))):
            found.append(replace(first, values=Scaled(values, places), estimated=estimated))
    return tuple(used), tuple(left)


def _sum(series: list[Intervals], places: int, count: int) -> NDArray[Any]:
    total = np.zeros(count, object)
    for one in series:
        total = total + one.values.values.astype(object) * 10 ** (places - one.values.places)
    return of_integers(total.tolist())


def _by_window(cells: Cells, minus: Cells) -> tuple[Cells, Cells]:
    left: Cells = {}
    for cell, fed in minus.items():
        one = cells.setdefault(cell, Measured())
        net = one.energy - fed.energy
        one.energy = max(net, _NONE)
        one.estimated |= fed.estimated
        left[cell] = Measured(max(-net, _NONE), one.estimated)
        one.has_registers = True  # a window that was netted fills its blocks as a whole
    return cells, left


def _by_bill(cells: Cells, minus: Cells) -> tuple[Cells, Cells]:
    """Each window keeps its share of what is left, rounded half up to 3 decimals; the last takes the remainder."""
    used = sum((one.energy for one in cells.values()), _NONE)
    fed = sum((one.energy for one in minus.values()), _NONE)
    estimated = any(one.estimated for one in (*cells.values(), *minus.values()))
    order = sorted(cells, key=lambda cell: (cell.key.version, cell.key.slot, cell.window))
    if used <= fed:
        for one in cells.values():
            one.energy = _NONE
        last = max((*cells, *minus), key=lambda cell: (cell.key.version, cell.key.slot), default=None)
        return cells, {} if last is None else {Cell(last.key, -1): Measured(fed - used, estimated)}
    rest = used - fed
    for place, cell in enumerate(order):
        one = cells[cell]
        final = place == len(order) - 1
        part = rest if final else Fraction(half_up(one.energy * Fraction(used - fed, used), SHARE_PLACES))
        rest -= part
        one.energy, one.has_registers = part, True
        one.estimated |= any(fed_in.estimated for fed_in in minus.values())
    return cells, {}
