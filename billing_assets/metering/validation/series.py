"""The series of a stream around some days, as it counts, and new versions of parts of it."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from billing_assets.foundation.calendar.business_days import local_day
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.errors import BillingError
from billing_assets.metering.import_engine.arrivals import Arrival
from billing_assets.metering.import_engine.messages import IntervalBlock, Stream
from billing_assets.metering.readings.intake import Intake
from billing_assets.metering.validation import store
from billing_assets.metering.validation.assembling import MasterData, place, register_days, register_facts
from billing_assets.metering.validation.estimation import Gap, gaps
from billing_assets.metering.validation.facts import Intervals, Quality, in_kilo
from billing_assets.metering.validation.grids import Grid, grid_of
from billing_assets.metering.validation.registers import between
from billing_assets.metering.validation.rows import IntervalRow, StreamRow
from billing_assets.metering.validation.rules import parameter_table

LOOK_BACK_DAYS = 380
"""How far estimates look back: a year of weeks and one more."""

LOOK_AHEAD_DAYS = 100
"""How far they look ahead, for a register that is read at the end of a quarter."""

_DAY = timedelta(days=1)


class EditError(BillingError, ValueError):
    """An edit or an estimate that cannot be made as it was asked for."""


class Known(NamedTuple):
    """What is known of a stream in some days around those that are looked at."""

    stream: StreamRow
    zone: ZoneInfo
    grid: Grid
    series: Intervals
    unit: str
    serial: str
    of_day: dict[date, list[int]]
    file_day: Callable[[datetime], date]
    customer_class: str


def zone_of_point(connection: Connection, point: str, moment: datetime) -> ZoneInfo:
    master = MasterData.of(store.point_rows(connection, [point]), [], [], [])
    return master.point(point, moment.date(), moment.date() + _DAY)[0]


def read_series(
    connection: Connection, point: str, suffix: str, begin: date, end: date, *, back: timedelta, ahead: timedelta
) -> Known:
    """Locks a stream and reads what counts of it from `back` before the days until `ahead` after them."""
    streams = store.lock_streams(connection, [point])
    stream = next((one for one in streams if one.suffix == suffix and not one.register), None)
    if stream is None:
        raise EditError(f"No interval data has come for {point} {suffix}.")
    master = MasterData.of(store.point_rows(connection, [point]), store.terms(connection, [point]), [], [])
    zone, customer_class = master.point(point, begin, end)
    rows = store.interval_rows(connection, [stream.id], begin - back - _DAY, end + ahead + _DAY)
    terms = master.terms_of(point, suffix, begin, end)
    nearest = min(rows, key=lambda row: abs(row.day - begin), default=None)
    length = (terms.length_seconds if terms else 0) or (nearest.length_seconds if nearest else 0)
    if not length:
        raise EditError(f"How long the intervals of {point} {suffix} are is not known: load its terms.")
    unit = (terms.unit if terms else "") or (nearest.unit if nearest else "")
    grid = grid_of(begin - back, end + ahead, zone, length)
    values, qualities = np.zeros(len(grid), np.int64), np.full(len(grid), Quality.MISSING, np.int8)
    placed = place(grid, rows, values, qualities)
    series = Intervals(grid, values, qualities, placed.decimals, placed.outages)
    serial = nearest.serial if nearest else ""
    return Known(stream, zone, grid, series, unit, serial, placed.of_day, file_clock(rows, zone), customer_class)


def file_clock(rows: Iterable[IntervalRow], zone: ZoneInfo) -> Callable[[datetime], date]:
    """The day under which a file would have an interval: by the local clock if all rows are filed so, else by a clock
    that is always as far from UTC as theirs, as in Australia's market."""
    ends = [(row.day, one) for row in rows for one in (row.starts_at, _last_start(row))]
    if all(local_day(moment, zone) == day for day, moment in ends):
        return lambda moment: local_day(moment, zone)
    # The clock may be as late as its latest first interval allows, and as early as its earliest last one.
    latest = min(moment - datetime(day.year, day.month, day.day, tzinfo=UTC) for day, moment in ends)
    return lambda moment: (moment - latest).date()


def _last_start(row: IntervalRow) -> datetime:
    return row.starts_at + timedelta(seconds=row.length_seconds * (len(row.values) - 1))


def register_of(
    connection: Connection, known: Known, begin: date, end: date
) -> tuple[Fraction | None, tuple[date, date] | None]:
    """What a register counted over a period that contains the days and in which nothing else is missing, and that
    period; in the unit of the values."""
    others = [
        one
        for one in store.lock_streams(connection, [known.stream.point])
        if one.suffix == known.stream.suffix and one.id != known.stream.id
    ]
    rows = store.register_rows(connection, [one.id for one in others], begin - _DAY, known.grid.end + _DAY)
    for row in rows:
        first, after = register_days(row, known.zone)
        if not (known.grid.begin <= first <= begin and end <= after <= known.grid.end):
            continue
        outside = [*_missing(known, first, begin), *_missing(known, end, after)]
        if not outside and row.unit.upper() == known.unit.upper():
            facts = register_facts(row, known.zone)
            stream = known.stream
            table = parameter_table(store.settings(connection))
            its = table.resolve(known.customer_class, stream.point, stream.suffix, first)
            counted = between(
                facts.begin_read,
                facts.end_read,
                days=(after - first).days,
                use_per_day=Fraction(its.of("ROLLOVER")["use_per_day"]) / in_kilo(known.unit),
                multiplier=facts.multiplier or Decimal(1),
            )
            return (Fraction(counted.energy), (first, after)) if not counted.negative else (None, None)
    return None, None


def _missing(known: Known, first: date, after: date) -> list[Gap]:
    if after <= first:
        return []
    grid = known.grid
    return list(gaps(known.series, grid.part(first).start, grid.part(after - _DAY).stop))


def versions_of(known: Known, inputs: dict[str, Any], first: int, after: int) -> list[int]:
    """The versions that an estimate was made of: of the days that it names, and of the days of its neighbours."""
    days = {date.fromisoformat(one["day"]) for one in inputs.get("days", ())}
    if "day" in inputs:
        days.add(date.fromisoformat(inputs["day"]))
    for place_ in (first - 1, after):
        if 0 <= place_ < len(known.grid):
            days.add(known.grid.day_of(place_))
    return sorted({version for day in days for version in known.of_day.get(day, [])})


def write_versions(
    connection: Connection,
    known: Known,
    values: dict[int, int],
    decimals: int,
    quality: str,
    origin: str,
    method: str,
    inputs: dict[str, Any] | None,
    decision: int,
) -> None:
    """Hands values to the room of readings as new versions: one for each run of intervals and day of the file."""
    now = datetime.now(UTC)
    stream = Stream(known.stream.point, known.stream.suffix, known.serial, known.unit, known.grid.length_seconds)
    runs: dict[tuple[date, int], list[int]] = defaultdict(list)
    for number, where in enumerate(sorted(values)):
        day = known.file_day(known.grid.start(where))
        runs[day, where - number].append(where)
    arrivals = []
    for (day, _), places in runs.items():
        block = IntervalBlock(
            stream,
            day,
            known.grid.start(places[0]),
            np.array([values[where] for where in places], np.int64),
            decimals,
            quality,
            0,
            updated_at=now,
        )
        arrivals.append(Arrival(None, block, now, origin=origin, method=method, inputs=inputs, decision=decision))
    Intake(connection).take_in(arrivals)
