"""What a person does about findings: verifies one, edits or estimates intervals, sets a parameter; each on the record.

An edit or an estimate is another version of the readings; those before it stay as they are. What was judged of the
days is judged again at once. Each verb is a transaction on the caller's connection.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import NamedTuple

from billing_assets.decisions.store import Subject, record
from billing_assets.foundation.calendar.business_days import local_day
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.errors import BillingError
from billing_assets.metering.validation import store
from billing_assets.metering.validation.estimation import Filled, Sources, fill, gaps
from billing_assets.metering.validation.facts import Quality
from billing_assets.metering.validation.grids import Grid
from billing_assets.metering.validation.parameters import Setting, check
from billing_assets.metering.validation.profiles import Profile
from billing_assets.metering.validation.registers import decimals_of, scaled
from billing_assets.metering.validation.rules import DEFAULTS, RULES
from billing_assets.metering.validation.series import (
    LOOK_AHEAD_DAYS,
    LOOK_BACK_DAYS,
    EditError,
    read_series,
    register_of,
    versions_of,
    write_versions,
    zone_of_point,
)
from billing_assets.metering.validation.validating import validate

EDITED = "F"
"""The quality of an edited value: a final substitute. The origin says that it is an edit."""

_MOST_DECIMALS = 9
_DAY = timedelta(days=1)


class FindingError(BillingError, LookupError):
    """A finding that is not there, or that cannot be cleared."""


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
        zone = zone_of_point(connection, point, min(starts))
        days = sorted(local_day(start, zone) for start in starts)
        known = read_series(connection, point, suffix, days[0], days[-1] + _DAY, back=_DAY, ahead=_DAY)
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
        write_versions(connection, known, integers, decimals, EDITED, "edit", "edit", None, decision)
        judge_again(connection, point, days[0], days[-1] + _DAY, today)
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
    profiles: Mapping[str, Profile] = MappingProxyType({}),
) -> Done:
    """Estimates what is missing from local day `begin` (inclusive) to `end` (exclusive); with `over` all of it,
    whatever is there. Where a register was read at both ends, the estimates meet what it counted. `profiles`: by class
    of customers, where no `profile` is named.

    Raises EditError for a stream that is not known, and where nothing is missing.
    """
    if end <= begin:
        raise EditError(f"There is no day from {begin} to {end}.")
    with connection.transaction():
        back, ahead = LOOK_BACK_DAYS * _DAY, LOOK_AHEAD_DAYS * _DAY
        known = read_series(connection, point, suffix, begin, end, back=back, ahead=ahead)
        series, grid = known.series, known.grid
        first, after = grid.part(begin).start, grid.part(end - _DAY).stop
        if over:
            series.qualities[first:after] = Quality.MISSING
        if not any(True for _ in gaps(series, first, after)):
            raise EditError(f"{point} {suffix} has a value for each interval from {begin} to {end}.")
        register, period = register_of(connection, known, begin, end)
        sources = Sources(series, country, subdivision, register, profile or profiles.get(known.customer_class))
        filled = fill(sources, *(period or (begin, end)))
        reference = f"{point} {suffix} {begin} to {end}"
        count = sum(len(one.values) for one in filled.estimates)
        decision = record(connection, Subject.METER_DATA, reference, f"estimated {count} intervals", by, why).id
        for one in filled.estimates:
            integers = dict(enumerate(one.values, one.first))
            inputs = one.inputs | {"versions": versions_of(known, one.inputs, one.first, one.first + len(one.values))}
            origin = "edit" if over else "estimate"
            write_versions(connection, known, integers, one.decimals, "E", origin, str(one.method), inputs, decision)
        judge_again(connection, point, begin, end, today)
    return Done(decision, count, tuple(dict.fromkeys(str(one.method) for one in filled.estimates)), _left(filled, grid))


def estimate_missing(
    connection: Connection,
    begin: date,
    end: date,
    by: str,
    why: str,
    *,
    today: date,
    country: str | None = None,
    subdivision: str | None = None,
    profiles: Mapping[str, Profile] = MappingProxyType({}),
) -> dict[tuple[str, str], Done]:
    """Estimates what is missing of every interval stream that is held for it, by point and suffix; each on its own, a
    decision of its own. `profiles`: by class of customers."""
    done: dict[tuple[str, str], Done] = {}
    for row in store.held_for(connection, "MISSING", begin, end):
        if row["register"]:
            continue
        first, after = max(begin, row["begins"]), min(end, row["ends"])
        key = row["point"], row["suffix"]
        known = done.get(key)
        try:
            its = estimate(
                connection,
                *key,
                first,
                after,
                by,
                why,
                today=today,
                country=country,
                subdivision=subdivision,
                profiles=profiles,
            )
        except EditError:  # filled by what was done for another period of it
            continue
        done[key] = its if known is None else _both(known, its)
    return done


def _both(one: Done, other: Done) -> Done:
    methods = tuple(dict.fromkeys((*one.methods, *other.methods)))
    return Done(other.decision, one.intervals + other.intervals, methods, (*one.left, *other.left))


def _left(filled: Filled, grid: Grid) -> tuple[tuple[datetime, int, str], ...]:
    return tuple((grid.start(gap.first), gap.after - gap.first, gap.why) for gap in filled.left)


def judge_again(connection: Connection, point: str, begin: date, end: date, today: date) -> None:
    """Judges the periods of a point that touch the days and were judged before."""
    for first, after in store.judged_periods(connection, point, begin, end):
        validate(connection, [point], first, after, today=today)
