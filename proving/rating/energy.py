"""Quantities: which energy lies in which version, season and window. Minute by minute."""

from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from typing import Any

from proving.rating import clock
from proving.rating.bill import Bill, Json, versions
from proving.rating.money import half_up, number

KINDS = ("usage", "tou", "green", "rate_table", "feed_in")


Key = tuple[int, str | None, str | None]


@dataclass
class Cell:
    """The energy of one (version, season, window): by local day where intervals give it, else under None."""

    n: int
    season: Json | None
    window: str | None
    days: list[date]
    by_day: dict[date | None, Fraction] = field(default_factory=dict)
    estimated: bool = False
    estimated_on: set[date | None] = field(default_factory=set)

    @property
    def total(self) -> Fraction:
        return sum(self.by_day.values(), Fraction(0))


def stream(source: Json) -> list[tuple[int, int, str | None, str]]:
    """(start, minutes, value, quality) of each interval of a source."""
    quality = source.get("quality", "A")
    letters = (
        [quality] * len(source["values"])
        if isinstance(quality, str)
        else [x for count, x in quality for _ in range(count)]
    )
    start, minutes = clock.instant(source["start"]), source["minutes"]
    return [(start + n * minutes, minutes, value, letters[n]) for n, value in enumerate(source["values"])]


def of_channels(bill: Bill, kind: str, channels: list[str]) -> list[Json]:
    return [source for source in bill.usage.get(kind, []) if source.get("channel", "general") in channels]


def loss(bill: Bill, charge: Json, point: str, when: date) -> Fraction:
    if not charge.get("loss"):
        return Fraction(1)
    for row in bill.context.get("loss_factors", []):
        if row.get("service_point", "") == point and clock.day(row["from"]) <= when < clock.day(row["to"]):
            return number(row["dlf"]) * number(row.get("mlf", "1"))
    return Fraction(1)


class Places:
    """Where an instant lies for a charge: its version, season and window."""

    def __init__(self, bill: Bill, charge: Json) -> None:
        self.bill, self.charge, self.zone = bill, charge, bill.zone(charge)
        self.holidays = {clock.day(text) for text in bill.context.get("holidays", [])}
        self.tables: dict[Any, list[Key | None]] = {}
        self.rows: dict[date, list[Key | None]] = {}
        self.parts = bill.parts(charge)
        self.of_day = {when: part for part in self.parts for when in part["days"]}

    def windows(self, part: Json) -> list[Json]:
        node = part["season"] or part["version"]
        return list(node.get("windows", []))

    def day_type(self, version: Json, when: date) -> str:
        return "holiday" if when in self.holidays and clock.names_holiday(version) else clock.WEEK[when.weekday()]

    def at(self, minute: int) -> tuple[Key, date] | None:
        """None outside the bill, and outside every window of a demand charge."""
        when, of_day = clock.local(self.zone, minute)
        row = self.rows.get(when)
        if row is None:
            row = self.rows[when] = self._row(when)
        key = row[of_day]
        return None if key is None else (key, when)

    def during(self, start: int, minutes: int) -> list[tuple[Key, date] | None]:
        """The place of each minute of an interval; a clock changes at a quarter hour at the earliest."""
        found: list[tuple[Key, date] | None] = []
        while minutes > 0:
            run = min(minutes, 15 - start % 15)
            when, of_day = clock.local(self.zone, start)
            self.at(start)
            found.extend(None if key is None else (key, when) for key in self.rows[when][of_day : of_day + run])
            start, minutes = start + run, minutes - run
        return found

    def _row(self, when: date) -> list[Key | None]:
        """For each minute of the wall clock of a day its place."""
        part = self.of_day.get(when)
        if part is None:
            return [None] * 1440
        season = part["season"]["name"] if part["season"] else None
        windows = self.windows(part)
        if not windows:
            return [(part["n"], season, None)] * 1440
        day_type = self.day_type(part["version"], when)
        mark = (part["n"], season, day_type)
        if mark not in self.tables:
            table = clock.window_table(windows, day_type)
            self.tables[mark] = [(part["n"], season, windows[held[0]]["name"]) if held else None for held in table]
        return self.tables[mark]


def cells(bill: Bill, charge: Json) -> list[Cell]:
    """The energy that a charge prices, loss included, net metering not yet."""
    places = Places(bill, charge)
    found: dict[Key, Cell] = {}
    for part in places.parts:
        season = part["season"]["name"] if part["season"] else None
        for window in list(dict.fromkeys(w["name"] for w in places.windows(part))) or [None]:
            key = (part["n"], season, window)
            cell = found.setdefault(key, Cell(part["n"], part["season"], window, []))
            cell.days.extend(part["days"])
    channels = charge.get("channels", ["feed_in"] if charge["kind"] == "feed_in" else ["general"])
    named = charge.get("registers")
    sources = [] if named else of_channels(bill, "intervals", channels)
    registers = [r for r in of_channels(bill, "registers", channels) if not named or r.get("register") in named]
    for source in (*sources, *registers):
        if source.get("unit", "kWh") != charge.get("unit", "kWh"):
            bill.found("UNIT_MISMATCH")
    if sources:
        _intervals(bill, charge, places, sources, found)
        _same_sum(bill, places, sources, registers)
    else:
        for register in registers:
            _register(bill, charge, places, register, found)
    return list(found.values())


def _put(cell: Cell, when: date | None, energy: Fraction, quality: str) -> None:
    cell.by_day[when] = cell.by_day.get(when, Fraction(0)) + energy
    if quality != "A":
        cell.estimated = True
        cell.estimated_on.add(when)


def _intervals(bill: Bill, charge: Json, places: Places, sources: list[Json], found: dict[Key, Cell]) -> None:
    missing = 0
    for source in sources:
        point = source.get("service_point", "")
        for start, minutes, value, quality in stream(source):
            where = places.during(start, minutes)
            keys = list(dict.fromkeys(None if w is None else w[0] for w in where))
            if keys == [None] or value is None:
                continue
            if number(value) < 0 and not charge.get("allow_negative"):
                bill.found("NEGATIVE_USAGE")
            if len(keys) > 1 and charge.get("straddle", "refuse") == "refuse":
                bill.found("INTERVAL_STRADDLES")
                continue
            left = number(value)
            for key in keys:
                at = [w for w in where if (None if w is None else w[0]) == key]
                energy = left if key == keys[-1] else half_up(number(value) * len(at) / minutes, 6)
                left -= energy
                if key is not None and at[0] is not None:
                    when = at[0][1]
                    _put(found[key], when, energy * loss(bill, charge, point, when), quality)
        missing += gaps(places.zone, bill, [source])
    if missing > charge.get("gap_tolerance", 0):
        bill.found("USAGE_GAP")


def gaps(zone: str, bill: Bill, sources: list[Json]) -> int:
    """How many intervals of the period are missing or null in a stream."""
    there = {start for source in sources for start, _, value, _ in stream(source) if value is not None}
    start, end = clock.midnight(zone, bill.first), clock.midnight(zone, bill.end)
    return sum(minute not in there for minute in range(start, end, sources[0]["minutes"]))


def _same_sum(bill: Bill, places: Places, sources: list[Json], registers: list[Json]) -> None:
    for register in registers:
        first, end = clock.day(register["from"]), clock.day(register["to"])
        total = sum(
            number(value)
            for source in sources
            if source.get("service_point", "") == register.get("service_point", "")
            and source.get("channel", "general") == register.get("channel", "general")
            for start, _, value, _ in stream(source)
            if value is not None and first <= clock.local(places.zone, start)[0] < end
        )
        if total != number(register["quantity"]):
            bill.found("INTERVAL_SUM")


def weights(bill: Bill, name: str, zone: str, first: date, end: date) -> list[tuple[int, Fraction]] | None:
    """(start, weight) of a profile within local days; None if one is missing."""
    profile = bill.context.get("profiles", {}).get(name)
    if profile is None:
        return None
    start, step = clock.instant(profile["start"]), profile["minutes"]
    known = {start + n * step: weight for n, weight in enumerate(profile["weights"])}
    wanted = range(clock.midnight(zone, first), clock.midnight(zone, end), step)
    found = [(minute, known.get(minute)) for minute in wanted]
    if any(weight is None for _, weight in found):
        return None
    return [(minute, number(weight)) for minute, weight in found]


def split(total: Fraction, shares: list[Fraction]) -> list[Fraction]:
    """First parts rounded half up to 3 decimals, the last takes the remainder."""
    whole = sum(shares)
    first = [half_up(total * share / whole, 3) for share in shares[:-1]]
    return [*first, total - sum(first)]


def _register(bill: Bill, charge: Json, places: Places, register: Json, found: dict[Key, Cell]) -> None:
    if number(register["quantity"]) < 0 and not charge.get("allow_negative"):
        bill.found("NEGATIVE_USAGE")
    first, end = clock.day(register["from"]), clock.day(register["to"])
    runs = bill.parts(charge, first, end)
    days = [Fraction(len(run["days"])) for run in runs]
    if charge.get("on_change", "split") == "end_minus_one_day":
        runs, days = runs[-1:], days[-1:]
    elif charge.get("on_change") == "majority":
        best = max(range(len(runs)), key=lambda n: (days[n], n))
        runs, days = [runs[best]], [days[best]]
    elif len(runs) > 1 and charge.get("split_by"):
        profile = weights(bill, charge["split_by"], places.zone, first, end)
        if profile is None:
            bill.found("PROFILE_MISSING")
            return
        days = [
            sum((w for minute, w in profile if clock.local(places.zone, minute)[0] in run["days"]), Fraction(0))
            for run in runs
        ]
    factor = loss(bill, charge, register.get("service_point", ""), first)
    for run, part in zip(runs, split(number(register["quantity"]), days), strict=True):
        energy = part * factor
        windows = places.windows(run)
        names = [w["name"] for w in windows if w.get("register") and w["register"] == register.get("register")]
        if windows and not names:
            bill.found("USAGE_NOT_INTERVAL")
            continue
        season = run["season"]["name"] if run["season"] else None
        cell = found[(run["n"], season, names[0] if windows else None)]
        if charge.get("on_change", "split") != "split":
            cell.days = sorted({*(cell.days if cell.by_day else ()), *clock.days(first, end)})
        _put(cell, None, energy, register.get("quality", "A"))


def holder(charge: Json, cell: Cell) -> Json:
    """What gives the price or the blocks of a cell."""
    node = cell.season or versions(charge)[cell.n]
    if cell.window is None:
        return node
    return next(window for window in node["windows"] if window["name"] == cell.window)
