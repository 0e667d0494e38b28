"""What the interval streams of a service point delivered over some local days, as it counts, for who bills it."""

from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from billing_assets.foundation.database.connection import Connection
from billing_assets.metering.validation import store
from billing_assets.metering.validation.assembling import MasterData, place, stream_facts
from billing_assets.metering.validation.facts import Direction, Quality
from billing_assets.metering.validation.grids import grid_of
from billing_assets.metering.validation.rows import IntervalRow

_DAY = timedelta(days=1)


class DeliveredStream(NamedTuple):
    """A stream: its intervals from the instant `start`. `values` times 10 to the minus `decimals` is in `unit`; where
    `missing` is true there is none. `estimated`: not actual. `versions`: the readings that it is made of, in order.
    `is_billed`: master data does not say otherwise."""

    suffix: str
    unit: str
    is_generation: bool
    is_billed: bool
    start: datetime
    length_seconds: int
    values: NDArray[np.int64]
    decimals: int
    missing: NDArray[Any]
    estimated: NDArray[Any]
    versions: tuple[int, ...]


def delivered(connection: Connection, point: str, begin: date, end: date) -> list[DeliveredStream]:
    """The interval streams of a point from local day `begin` (inclusive) to `end` (exclusive) that have readings then,
    by suffix. Nothing is locked: an invoice says which versions it was made of."""
    streams = store.streams_of(connection, point)
    rows: dict[int, list[IntervalRow]] = {one.id: [] for one in streams}
    for row in store.interval_rows(connection, list(rows), begin - _DAY, end + _DAY):
        rows[row.stream].append(row)
    master = MasterData.of(store.point_rows(connection, [point]), store.terms(connection, [point]), [], [])
    found = [
        made for one in streams if rows[one.id] for made in _stream(master, point, one.suffix, rows[one.id], begin, end)
    ]
    return sorted(found, key=lambda one: one.suffix)


def _stream(
    master: MasterData, point: str, suffix: str, rows: list[IntervalRow], begin: date, end: date
) -> Iterator[DeliveredStream]:
    zone, customer_class = master.point(point, begin, end)
    terms = master.terms_of(point, suffix, begin, end)
    length = (terms.length_seconds if terms else 0) or Counter(row.length_seconds for row in rows).most_common(1)[0][0]
    if not length:
        return
    grid = grid_of(begin, end, zone, length)
    values, qualities = np.zeros(len(grid), np.int64), np.full(len(grid), Quality.MISSING, np.int8)
    placed = place(grid, rows, values, qualities)
    if not placed.versions:
        return
    facts = stream_facts(point, suffix, customer_class, terms, Counter(row.unit for row in rows), length)
    missing = qualities <= Quality.NULL
    yield DeliveredStream(
        suffix,
        facts.unit,
        facts.direction is Direction.GENERATION,
        terms.billed if terms else True,
        grid.start(0),
        length,
        np.where(missing, 0, values),
        placed.decimals,
        missing,
        ~missing & (qualities < Quality.ACTUAL),
        tuple(sorted(placed.versions)),
    )
