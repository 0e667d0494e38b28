"""From the entries of a feed to its streams: the type of each meter reading, its point, its clock.

Source: NAESB ESPI; entries are joined by the links `self`, `up` and `related` only.
"""

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from billing_assets.metering.import_engine.espi.code_lists import CURRENCIES, DELTA, POWERS_OF_TEN, QUALITIES, UNITS
from billing_assets.metering.import_engine.espi.entries import Entry, Feed
from billing_assets.metering.import_engine.espi.espi_codes import ESPI
from billing_assets.metering.import_engine.findings import note
from billing_assets.metering.import_engine.interval_rows import LONGEST
from billing_assets.metering.import_engine.local_days import ClockRules, LocalDays
from billing_assets.metering.import_engine.messages import FileReport


@dataclass(slots=True)
class Linked:
    """The keys of the rows of one meter reading, with what its entries say. None: the links lead nowhere."""

    keys: list[Hashable]
    reading: str  # the path of the meter reading
    point: Entry | None
    type: Entry | None
    clock: Entry | None
    suffix: str = ""
    facts: dict[str, int] = field(default_factory=dict)


class _Links:
    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.readings = {entry.self: entry for entry in feed.meter_readings}
        self.types = {entry.self: entry for entry in feed.reading_types}
        self.clocks = {entry.self: entry for entry in feed.clocks}
        self.points = {entry.self: entry for entry in feed.points}
        self.reading_of_block = {path: entry for entry in feed.meter_readings for path in entry.related}
        self.point_of_reading = {path: entry for entry in feed.points for path in entry.related}

    def reading(self, key: Hashable) -> Entry | None:
        """The meter reading of a block's entry, by its paths without `IntervalBlock`, or as the reading names it."""
        paths = [path for path in key if path] if isinstance(key, tuple) else []
        for path in paths:
            if path in self.readings:
                return self.readings[path]
        for path in paths:
            for named in (path, f"{path}/intervalblock"):
                if named in self.reading_of_block:
                    return self.reading_of_block[named]
        return self.feed.meter_readings[0] if len(self.feed.meter_readings) == 1 and self._is_alone() else None

    def _is_alone(self) -> bool:
        """Whether there is nothing to choose from: one type and one point."""
        return len(self.feed.reading_types) == 1 and len(self.feed.points) == 1

    def type(self, reading: Entry | None) -> Entry | None:
        if reading is not None:
            for path in reading.related:
                if path in self.types:
                    return self.types[path]
            own = {
                name.partition("/")[2]: text for name, text in reading.fields.items() if name.startswith("ReadingType/")
            }
            if own:
                return Entry("ReadingType", reading.line, fields=own)
        return self.feed.reading_types[0] if self._is_alone() else None

    def point(self, reading: Entry | None) -> Entry | None:
        if reading is not None:
            collection = reading.self.rpartition("/")[0]
            for path in (reading.self, collection, reading.up):
                if path and path in self.point_of_reading:
                    return self.point_of_reading[path]
            for path in (reading.self.partition("/meterreading")[0], *reading.related):
                if path in self.points:
                    return self.points[path]
        return self.feed.points[0] if len(self.feed.points) == 1 else None

    def clock(self, point: Entry | None) -> Entry | None:
        for path in point.related if point else ():
            if path in self.clocks:
                return self.clocks[path]
        return self.feed.clocks[0] if len(self.feed.clocks) == 1 else None


def linked(feed: Feed, keys: list[Hashable]) -> list[Linked]:
    """The meter readings of the rows under `keys`, in their order, each with the name of its stream."""
    links = _Links(feed)
    found: dict[str, Linked] = {}
    for key in keys:
        reading = links.reading(key)
        path = reading.self if reading else next((part for part in key if part), "") if isinstance(key, tuple) else ""
        if path in found:
            found[path].keys.append(key)
            continue
        point = links.point(reading)
        found[path] = Linked([key], path, point, links.type(reading), links.clock(point))
    for one in found.values():
        one.suffix = _suffix(one.type)
    doubled = Counter((one.point.self if one.point else "", one.suffix) for one in found.values())
    for one in found.values():
        if doubled[one.point.self if one.point else "", one.suffix] > 1:
            one.suffix = f"{one.suffix}.{one.reading.rpartition('/')[2]}"
    return list(found.values())


def _suffix(kind: Entry | None) -> str:
    """Flow direction and kind, such as `1-12`; then what is not a quantity of an interval, and time of use or tier."""
    if kind is None:
        return ""
    flow, what = kind.fields.get("flowDirection", ""), kind.fields.get("kind", "")
    parts = [f"{flow or '1'}-{what or '12'}"]
    for name, letter, usual in (
        ("accumulationBehaviour", "a", str(DELTA)),
        ("tou", "t", "0"),
        ("cpp", "p", "0"),
        ("consumptionTier", "c", "0"),
    ):
        if kind.fields.get(name, usual) != usual:
            parts.append(f"{letter}{kind.fields[name][:10]}")
    return "-".join(parts)


def days_of(one: Linked, zone: ZoneInfo | None, first: int | None, report: FileReport) -> LocalDays:
    """The local days of a stream: of the zone that is set for the point, else of the feed's clock, else of UTC.

    `first`: an instant of the stream, for a comparison of zone and clock (`W-ZONE`).
    """
    rules = _rules(one.clock)
    if zone is None:
        return LocalDays.of_rules(rules) if rules else LocalDays.of_offset(0)
    days = LocalDays.of_zone(zone)
    if rules and one.clock and first is not None:
        day = days.ordinal(first)
        if LocalDays.of_rules(rules).midnight(day) != days.midnight(day):
            note(report, ESPI["W-ZONE"], one.clock.line, seconds=rules.offset, zone=zone.key)
    return days


def _rules(clock: Entry | None) -> ClockRules | None:
    if clock is None:
        return None
    offset = clock.number("tzOffset")
    if offset is None or abs(offset) > 64_800:
        return None
    saving = clock.number("dstOffset") or 0
    begins, ends = (_coded(clock.fields.get(name)) for name in ("dstStartRule", "dstEndRule"))
    if begins is None or ends is None or abs(saving) > 10_800:
        return ClockRules(offset, 0, 0, 0)
    return ClockRules(offset, saving, begins, ends)


def _coded(text: str | None) -> int | None:
    try:
        return int(text or "", 16) & 0xFFFFFFFF
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Measure:
    """What one unit of a row's value is: 10 to the `power` of `unit`; and the quality of a row that says none."""

    unit: str
    power: int
    currency: str
    length: int
    quality: tuple[str, str]


def measure(one: Linked, report: FileReport) -> Measure:
    """What the type of a stream says; what is missing or wrong in it is a finding."""
    kind = one.type
    if kind is None:
        return Measure("", 0, "", 0, ("A", ""))
    uom = kind.number("uom")
    unit = UNITS.get(uom, "") if uom is not None else ""
    if not unit and (kind.number("accumulationBehaviour") or DELTA) == DELTA:
        if uom:
            unit = f"uom {uom}"
            note(report, ESPI["W-UOM"], kind.line, text=uom)
        else:
            note(report, ESPI["R-NO-UOM"], kind.line)
    power = kind.number("powerOfTenMultiplier") if kind.fields.get("powerOfTenMultiplier") else 0
    if power not in POWERS_OF_TEN:
        note(report, ESPI["R-POWER"], kind.line, text=kind.fields.get("powerOfTenMultiplier", ""))
        power = 0
    currency = kind.number("currency") or 0
    length = kind.number("intervalLength") or 0
    if not 0 <= length <= LONGEST:
        length = 0
    default = kind.fields.get("defaultQuality", "")
    number = kind.number("defaultQuality")
    quality = (QUALITIES.get(number, "N") if number is not None else "A", default)
    name = CURRENCIES.get(currency, str(currency) if currency else "")
    return Measure(unit, power or 0, name, length, quality)
