"""What a person does about findings: verifies one, edits or estimates intervals, sets a parameter; each on the record.

An edit or an estimate is another version of the readings; those before it stay as they are. What was judged of the
days is judged again at once. Each verb is a transaction on the caller's connection.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from billing_assets.decisions.store import Subject, record
from billing_assets.foundation.calendar.business_days import local_day
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.errors import BillingError
from billing_assets.metering.import_engine.arrivals import Arrival
from billing_assets.metering.import_engine.messages import IntervalBlock, Stream
from billing_assets.metering.readings.intake import Intake
from billing_assets.metering.validation import store
from billing_assets.metering.validation.assembling import MasterData, place, register_days, register_facts
from billing_assets.metering.validation.estimation import Filled, Sources, fill, gaps
from billing_assets.metering.validation.facts import Intervals, Quality, in_kilo
from billing_assets.metering.validation.grids import Grid, grid_of
from billing_assets.metering.validation.parameters import Setting, check
from billing_assets.metering.validation.profiles import Profile
from billing_assets.metering.validation.registers import between, decimals_of, scaled
from billing_assets.metering.validation.rows import IntervalRow, StreamRow
from billing_assets.metering.validation.rules import DEFAULTS, RULES
from billing_assets.metering.validation.validating import validate

LOOK_BACK_DAYS = 380
"""How far estimates look back: a year of weeks and one more."""

LOOK_AHEAD_DAYS = 100
"""How far they look ahead, for a register that is read at the end of a quarter."""

EDITED = "F"
"""The quality of an edited value: a final substitute. The origin says that it is an edit."""

_MOST_DECIMALS = 9
_DAY = timedelta(days=1)


class FindingError(BillingError, LookupError):
    """A finding that is not there, or that cannot be cleared."""


class EditError(BillingError, ValueError):
    """An edit or an estimate that cannot be made as it was asked for."""


class Change(NamedTuple):
    """A value for an interval. `start`: UTC-aware."""

    start: datetime
    value: Decimal


class Done(NamedTuple):
    """What an edit or an estimate came to. `left`: intervals that are still missing, and why."""

    decision: int
    intervals: int
    methods: tuple[str, ...]
    left: tuple[tuple[datetime, int, str], ...] = ()


class _Known(NamedTuple):
    """What is known of a stream in some days around those that are looked at."""

    stream: StreamRow
    zone: ZoneInfo
    grid: Grid
    series: Intervals
    unit: str
    serial: str
    of_day: dict[date, list[int]]
    file_day: Callable[[datetime], date]


def verify(connection: Connection, finding: int, by: str, why: str) -> int:
    """A person says that the data is right all the same: clears one finding of these versions. The decision's id.

    Raises FindingError where there is no such finding, it does not hold anything, other versions count by now, it was
    cleared before, or it is one that stops: then the other rules have not been run.
    """
    with connection.transaction():
        row = store.finding(connection, finding)
        if row is None:
            raise FindingError(f"There is no finding {finding}.")
        if row["decided_by"] is not None:
            raise FindingError(f"Finding {finding} was cleared by {row['decided_by']} on {row['decided_at']:%Y-%m-%d}.")
        if not row["counts"]:
            raise FindingError(f"Finding {finding} is of readings that do not count any more: look at those that do.")
        if row["severity"] == "info":
            raise FindingError(f"Finding {finding} only informs: there is nothing to clear.")
        if row["severity"] == "stop":
            raise FindingError(f"Finding {finding} stops the validation. {RULES[row['rule']].remedy}")
        decision = record(connection, Subject.METER_DATA, f"finding {finding}", "verified", by, why).id
        store.clear(connection, finding, decision)
        return decision


def set_parameter(connection: Connection, key: Setting, value: Decimal | None, by: str, why: str) -> int:
    """Sets a parameter of a rule from a day on, or withdraws it (None). The decision's id. Raises ParameterError."""
    check(DEFAULTS, key.rule, key.name, Decimal(0) if value is None else value)
    said = "withdrawn" if value is None else f"{value}"
    where = " ".join(part for part in (key.customer_class, key.point, key.suffix) if part)
    reference = f"{key.rule} {key.name} from {key.valid_from}{' for ' if where else ''}{where}"
    with connection.transaction():
        decision = record(connection, Subject.METER_DATA, reference, said, by, why).id
        store.set_parameter(connection, key, value, decision)
    return decision


def edit(
    connection: Connection, point: str, suffix: str, changes: Sequence[Change], by: str, why: str, *, today: date
) -> Done:
    """Gives intervals of a stream other values, as versions that count over all before them.

    Raises EditError for a stream that is not known, and for starts at which no interval of it begins.
    """
    if not changes:
        raise EditError("There is nothing to edit.")
    starts = [one.start for one in changes]
    if len(set(starts)) != len(starts):
        raise EditError("An interval is named twice.")
    with connection.transaction():
        zone = _zone(connection, point, min(starts))
        days = sorted(local_day(start, zone) for start in starts)
        known = _known(connection, point, suffix, days[0], days[-1] + _DAY, back=_DAY, ahead=_DAY)
        values: dict[int, Decimal] = {}
        for one in changes:
            where = known.grid.place(one.start)
            if where is None:
                raise EditError(f"No interval of {point} {suffix} begins at {one.start.isoformat()}.")
            if not one.value.is_finite() or decimals_of(one.value) > _MOST_DECIMALS:
                raise EditError(f"“{one.value}” is not a quantity with at most {_MOST_DECIMALS} decimals.")
            values[where] = one.value
        reference = f"{point} {suffix} {days[0]}" + (f" to {days[-1]}" if days[-1] != days[0] else "")
        decision = record(connection, Subject.METER_DATA, reference, f"edited {len(values)} intervals", by, why).id
        decimals = max(decimals_of(value) for value in values.values())
        integers = {where: scaled(value, decimals) for where, value in values.items()}
        _take_in(connection, known, integers, decimals, EDITED, "edit", "edit", None, decision)
        _judge_again(connection, point, days[0], days[-1] + _DAY, today)
    return Done(decision, len(values), ("edit",))


def estimate(
    connection: Connection,
    point: str,
    suffix: str,
    begin: date,
    end: date,
    by: str,
    why: str,
    *,
    today: date,
    over: bool = False,
    country: str | None = None,
    subdivision: str | None = None,
    profile: Profile | None = None,
) -> Done:
    """Estimates what is missing from local day `begin` (inclusive) to `end` (exclusive); with `over` all of it,
    whatever is there. Where a register was read at both ends, the estimates meet what it counted.

    Raises EditError for a stream that is not known, and where nothing is missing.
    """
    if end <= begin:
        raise EditError(f"There is no day from {begin} to {end}.")
    with connection.transaction():
        back, ahead = LOOK_BACK_DAYS * _DAY, LOOK_AHEAD_DAYS * _DAY
        known = _known(connection, point, suffix, begin, end, back=back, ahead=ahead)
        series, grid = known.series, known.grid
        first, after = grid.part(begin).start, grid.part(end - _DAY).stop
        if over:
            series.qualities[first:after] = Quality.MISSING
        if not any(True for _ in gaps(series, first, after)):
            raise EditError(f"{point} {suffix} has a value for each interval from {begin} to {end}.")
        register, period = _register(connection, known, begin, end)
        sources = Sources(series, country, subdivision, register, profile)
        filled = fill(sources, *(period or (begin, end)))
        reference = f"{point} {suffix} {begin} to {end}"
        count = sum(len(one.values) for one in filled.estimates)
        decision = record(connection, Subject.METER_DATA, reference, f"estimated {count} intervals", by, why).id
        for one in filled.estimates:
            integers = dict(enumerate(one.values, one.first))
            inputs = one.inputs | {"versions": _versions(known, one.inputs, one.first, one.first + len(one.values))}
            origin = "edit" if over else "estimate"
            _take_in(connection, known, integers, one.decimals, "E", origin, str(one.method), inputs, decision)
        _judge_again(connection, point, begin, end, today)
    return Done(decision, count, tuple(dict.fromkeys(str(one.method) for one in filled.estimates)), _left(filled, grid))


def _left(filled: Filled, grid: Grid) -> tuple[tuple[datetime, int, str], ...]:
    return tuple((grid.start(gap.first), gap.after - gap.first, gap.why) for gap in filled.left)


def _zone(connection: Connection, point: str, moment: datetime) -> ZoneInfo:
    master = MasterData.of(store.point_rows(connection, [point]), [], [], [])
    return master.point(point, moment.date(), moment.date() + _DAY)[0]


def _known(
    connection: Connection, point: str, suffix: str, begin: date, end: date, *, back: timedelta, ahead: timedelta
) -> _Known:
    """Locks a stream and reads what counts of it from `back` before the days until `ahead` after them."""
    streams = store.lock_streams(connection, [point])
    stream = next((one for one in streams if one.suffix == suffix and not one.register), None)
    if stream is None:
        raise EditError(f"No interval data has come for {point} {suffix}.")
    master = MasterData.of(store.point_rows(connection, [point]), store.terms(connection, [point]), [], [])
    zone, _ = master.point(point, begin, end)
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
    return _Known(stream, zone, grid, series, unit, serial, placed.of_day, file_clock(rows, zone))


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


def _register(
    connection: Connection, known: _Known, begin: date, end: date
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
            counted = between(
                facts.begin_read,
                facts.end_read,
                days=(after - first).days,
                use_per_day=Fraction(DEFAULTS["ROLLOVER"]["use_per_day"]) / in_kilo(known.unit),
                multiplier=facts.multiplier or Decimal(1),
            )
            return (Fraction(counted.energy), (first, after)) if not counted.negative else (None, None)
    return None, None


def _missing(known: _Known, first: date, after: date) -> list[Any]:
    if after <= first:
        return []
    grid = known.grid
    return list(gaps(known.series, grid.part(first).start, grid.part(after - _DAY).stop))


def _versions(known: _Known, inputs: dict[str, Any], first: int, after: int) -> list[int]:
    """The versions that an estimate was made of: of the days that it names, and of the days of its neighbours."""
    days = {date.fromisoformat(one["day"]) for one in inputs.get("days", ())}
    if "day" in inputs:
        days.add(date.fromisoformat(inputs["day"]))
    for place_ in (first - 1, after):
        if 0 <= place_ < len(known.grid):
            days.add(known.grid.day_of(place_))
    return sorted({version for day in days for version in known.of_day.get(day, [])})


def _take_in(
    connection: Connection,
    known: _Known,
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


def _judge_again(connection: Connection, point: str, begin: date, end: date, today: date) -> None:
    for first, after in store.judged_periods(connection, point, begin, end):
        validate(connection, [point], first, after, today=today)
