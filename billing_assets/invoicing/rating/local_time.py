"""Local days and times: time zones, seasons, day types, and which price each minute has.

Everything that depends on the clock is computed for a whole series at once and kept by value, so that a thousand meters
with one tariff ask once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from billing_assets.invoicing.rating.tariff import DAY_TYPES, Season, TableTerms, Version, Window

OUTSIDE = -1
"""The cell of what is not in the bill's period."""

UNMEASURED = -2
"""The cell of what is in the period, but in no window."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = date(1970, 1, 1)
_DAY = 1440
_STEP = 15  # time zones change their offset at quarter hours


@lru_cache(maxsize=128)
def zone_of(charge_zone: str, context_zone: str) -> tzinfo:
    """The zone of a charge: the context's for `local`, else a fixed offset such as `UTC+10`."""
    if charge_zone == "local":
        return ZoneInfo(context_zone)
    hours, _, minutes = charge_zone[4:].partition(":")
    offset = timedelta(hours=int(hours), minutes=int(minutes or 0))
    return timezone(-offset if charge_zone[3] == "-" else offset)


@lru_cache(maxsize=1024)
def instant_of(day: date, zone: tzinfo) -> datetime:
    """The first instant of a local day, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def minutes_since_epoch(instant: datetime) -> int:
    """Whole minutes since 1970 (UTC)."""
    return (instant - _EPOCH) // timedelta(minutes=1)


def at_minute(minute: int) -> datetime:
    """The instant of a minute since 1970."""
    return _EPOCH + timedelta(minutes=minute)


def in_season(season: Season, day: date) -> bool:
    """Whether the season has the day; 29 February belongs with the 28th."""
    now = (day.month, 28) if (day.month, day.day) == (2, 29) else (day.month, day.day)
    first, last = (one if one != (2, 29) else (2, 28) for one in (season.first, season.last))
    return first <= now <= last if first <= last else now >= first or now <= last


@lru_cache(maxsize=256)
def local_minutes(zone: tzinfo, start: datetime, count: int) -> NDArray[np.int64]:
    """The local minute since 1970 of so many minutes from an instant on."""
    first = minutes_since_epoch(start)
    begin = first - first % _STEP
    steps = (first + count - begin + _STEP - 1) // _STEP
    offsets = [
        (at_minute(begin + step * _STEP).astimezone(zone).utcoffset() or timedelta(0)) // timedelta(minutes=1)
        for step in range(steps)
    ]
    every = np.repeat(np.array(offsets, np.int64), _STEP)[first - begin : first - begin + count]
    return np.arange(first, first + count, dtype=np.int64) + every


@dataclass(frozen=True, slots=True)
class Slot:
    """Days of a version that are priced alike: a season, or a row of a table of prices."""

    name: str | None
    windows: tuple[Window, ...]


class DayKey(NamedTuple):
    """Where a day belongs: places of the version, of its slot (season or row) and of the loss factors."""

    version: int
    slot: int
    loss: int


class Cell(NamedTuple):
    """Where a minute belongs: a day's key and a window (-1: there are none)."""

    key: DayKey
    window: int


@dataclass(frozen=True, slots=True, eq=False)
class CellMap:
    """The cell of each interval of a series, as a place in `cells`, or OUTSIDE or UNMEASURED.

    `order` sorts the intervals by cell; `starts` says where each of `places` begins in it, `counts` how many there are.
    `days` are local days since 1970. `across` are the intervals in more than one cell: their place, and (cell, minutes)
    of each part. `runs` are the places where the cell changes, `run_order` and `run_starts` sort the runs by cell.
    """

    cells: tuple[Cell, ...]
    of: NDArray[np.int64]
    days: NDArray[np.int64]
    local: NDArray[np.int64]
    order: NDArray[np.int64]
    starts: NDArray[np.int64]
    counts: tuple[int, ...]
    places: tuple[int, ...]
    across: tuple[tuple[int, tuple[tuple[int, int], ...]], ...]
    runs: NDArray[np.int64]
    run_order: NDArray[np.int64]
    run_starts: NDArray[np.int64]

    def by_cell(self, values: NDArray[Any], combine: np.ufunc = np.add) -> NDArray[Any]:
        """One value for each of `places`: what its intervals are together. Runs in time first, which is quicker."""
        of_runs = combine.reduceat(values, self.runs)
        return np.asarray(combine.reduceat(of_runs[self.run_order], self.run_starts))


def slot_at(version: Version, day: date) -> int:
    """The place of the season, or of the row of a table by days, that the day is in; 0 where there are none."""
    terms = version.terms
    if isinstance(terms, TableTerms):
        if not terms.by_days:
            return 0
        places = [p for p, row in enumerate(terms.rows) if is_in(day, row.valid_from, row.valid_to)]
        return places[0] if places else -1
    seasons: tuple[Season, ...] = getattr(terms, "seasons", ())
    return next((place for place, one in enumerate(seasons) if in_season(one, day)), 0)


def is_in(day: date, begins: date, ends: date | None) -> bool:
    """Whether a day is in a half-open span; None is open."""
    return begins <= day and (ends is None or day < ends)


def version_at(versions: Sequence[Version], day: date) -> int | None:
    """The place of the version that is valid on a day."""
    return next((p for p, one in enumerate(versions) if is_in(day, one.valid_from, one.valid_to)), None)


def windows_of(version: Version, slot: int) -> tuple[Window, ...]:
    """The windows of a season; none where prices have none."""
    seasons: tuple[Season, ...] = getattr(version.terms, "seasons", ())
    return seasons[slot].windows if seasons else ()


def days_between(begins: date, ends: date) -> list[date]:
    """The days of a half-open span."""
    return [begins + timedelta(days=n) for n in range((ends - begins).days)]


@lru_cache(maxsize=1024)
def names_holiday(version: Version) -> bool:
    """Whether any window of the version has holidays as days of their own."""
    seasons: tuple[Season, ...] = getattr(version.terms, "seasons", ())
    return any("holiday" in window.days for season in seasons for window in season.windows)


def day_type(version: Version, day: date, holidays: frozenset[date]) -> str:
    """The day that windows name: `holiday` and no weekday, if the version has windows for holidays."""
    return "holiday" if day in holidays and names_holiday(version) else DAY_TYPES[day.weekday()]


def minutes_of(window: Window) -> list[tuple[int, int]]:
    """The parts of a day, half-open, that a window has; two where it crosses midnight."""
    if window.start < window.end:
        return [(window.start, window.end)]
    return [part for part in ((window.start, _DAY), (0, window.end)) if part[0] < part[1]]


def window_place(windows: Sequence[Window], place: int) -> int:
    """The place of the first window of the same name: several of one name are one window in pieces."""
    return next(p for p, one in enumerate(windows) if one.name == windows[place].name)


@lru_cache(maxsize=512)
def day_keys(
    versions: tuple[Version, ...], begins: date, ends: date, losses: tuple[tuple[date, date | None], ...]
) -> tuple[DayKey | None, ...]:
    """The key of every day of a span; None where no version is valid."""
    found: list[DayKey | None] = []
    for day in days_between(begins, ends):
        version = version_at(versions, day)
        loss = next((place for place, span in enumerate(losses) if is_in(day, *span)), 0)
        found.append(None if version is None else DayKey(version, slot_at(versions[version], day), loss))
    return tuple(found)


@lru_cache(maxsize=512)
def days_of_parts(
    versions: tuple[Version, ...], begins: date, ends: date
) -> Mapping[tuple[int, int], tuple[date, ...]]:
    """The days of a span by place of version and slot, in order; days without a version are left out."""
    found: dict[tuple[int, int], list[date]] = {}
    for day, key in zip(days_between(begins, ends), day_keys(versions, begins, ends, ()), strict=True):
        if key is not None:
            found.setdefault((key.version, key.slot), []).append(day)
    return {key: tuple(days) for key, days in found.items()}


@lru_cache(maxsize=256)
def cell_map(
    versions: tuple[Version, ...],
    zone: tzinfo,
    holidays: tuple[date, ...],
    begins: date,
    ends: date,
    losses: tuple[tuple[date, date | None], ...],
    start: datetime,
    minutes: int,
    count: int,
) -> CellMap:
    """Which cell each of `count` intervals of `minutes` from `start` on is in, for a bill of [begins, ends)."""
    local = local_minutes(zone, start, minutes * count)
    first_day, days = (begins - _EPOCH_DAY).days, (ends - begins).days
    cells: dict[Cell, int] = {}
    table = _table(versions, frozenset(holidays), begins, ends, losses, cells)
    day, minute = local // _DAY - first_day, local % _DAY
    inside = (day >= 0) & (day < days)
    by_minute = np.where(inside, table[np.clip(day, 0, days - 1), minute], OUTSIDE).reshape(count, minutes)
    of = by_minute[:, 0]
    across = []
    for place in np.nonzero((by_minute != of[:, None]).any(axis=1))[0].tolist():
        runs: list[tuple[int, int]] = []
        for cell in by_minute[place].tolist():
            if runs and runs[-1][0] == cell:
                runs[-1] = (cell, runs[-1][1] + 1)
            else:
                runs.append((cell, 1))
        across.append((place, tuple(runs)))
    order = np.argsort(of, kind="stable")
    places, starts = np.unique(of[order], return_index=True)
    local_starts = local[::minutes]
    changes = np.flatnonzero(np.append(True, of[1:] != of[:-1]))
    run_order = np.argsort(of[changes], kind="stable")
    _, run_starts = np.unique(of[changes][run_order], return_index=True)
    return CellMap(
        tuple(cells),
        of,
        local_starts // _DAY,
        local_starts,
        order,
        starts,
        tuple(np.diff(np.append(starts, count)).tolist()),
        tuple(places.tolist()),
        tuple(across),
        changes,
        run_order,
        run_starts,
    )


def _table(
    versions: tuple[Version, ...],
    holidays: frozenset[date],
    begins: date,
    ends: date,
    losses: tuple[tuple[date, date | None], ...],
    cells: dict[Cell, int],
) -> NDArray[np.int64]:
    """The cell of each minute of each local day; fills `cells`."""
    keys = day_keys(versions, begins, ends, losses)
    table = np.full((len(keys), _DAY), UNMEASURED, np.int64)
    for row, key in enumerate(keys):
        if key is None:
            continue
        windows = windows_of(versions[key.version], key.slot)
        if not windows:
            seasons: tuple[Season, ...] = getattr(versions[key.version].terms, "seasons", ())
            if not seasons or seasons[key.slot].blocks:
                table[row] = cells.setdefault(Cell(key, -1), len(cells))
            continue
        kind = day_type(versions[key.version], begins + timedelta(days=row), holidays)
        for place, window in enumerate(windows):
            if kind in window.days:
                cell = cells.setdefault(Cell(key, window_place(windows, place)), len(cells))
                for begin, end in minutes_of(window):
                    table[row, begin:end] = cell
    return table
