"""The utility's own bill in a feed (UsageSummary): kept, and compared with the intervals of its period.

A summary never changes a quantity. Source: NAESB ESPI, ElectricPowerUsageSummary and UsageSummary.
"""

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal

from billing_assets.metering.import_engine.espi.code_lists import DELTA, FORWARD, UNITS
from billing_assets.metering.import_engine.espi.entries import Entry, Feed
from billing_assets.metering.import_engine.espi.espi_codes import ESPI
from billing_assets.metering.import_engine.espi.streams import Linked
from billing_assets.metering.import_engine.findings import note
from billing_assets.metering.import_engine.messages import EXACT, FileReport, IntervalBlock

_TOLERANCE = Decimal("0.01")
_MOST_KEPT = 50
_CENTS = 5
"""Decimals of a cost."""


@dataclass(slots=True)
class _Period:
    """A summary, and what the intervals of its period add up to."""

    entry: Entry
    point: str
    start: int
    end: int
    covered: int = 0  # seconds
    quantity: Decimal = Decimal(0)
    unit: str = ""
    cost: int = 0
    costs: bool = True  # all its intervals have a cost
    reading: str = ""
    ambiguous: bool = False  # intervals of more than one stream


class Summaries:
    """The summaries of a feed while its blocks go by."""

    def __init__(self, feed: Feed) -> None:
        points = _Points(feed)
        found = (_period(entry, points) for entry in feed.summaries)
        self._periods = [period for period in found if period is not None]
        self._of_point: dict[str, list[_Period]] = defaultdict(list)
        for period in self._periods:
            self._of_point[period.point].append(period)

    def add(self, block: IntervalBlock, one: Linked) -> None:
        """Counts the intervals of a block that are within the period of a summary."""
        length = block.stream.length_seconds
        if one.point is None or one.point.self not in self._of_point or not length or not _is_delivered(one):
            return
        start, rows = int(block.start.timestamp()), len(block.values)
        for period in self._of_point[one.point.self]:
            first = max(0, -((start - period.start) // length))
            last = min(rows, (period.end - start) // length)
            if first >= last:
                continue
            if period.reading not in {"", one.reading}:
                period.ambiguous = True
            period.reading = one.reading
            part = block.values[first:last]
            period.covered += length * (last - first)
            quantity = Decimal(sum(part.tolist())).scaleb(-block.decimals, EXACT)
            period.quantity = EXACT.add(period.quantity, quantity)
            period.unit = block.stream.unit
            if block.costs is None:
                period.costs = False
            else:
                period.cost += sum(block.costs[first:last].tolist())

    def compare(self, report: FileReport) -> None:
        """Keeps what the summaries say in the report's header; where they differ from the intervals, `W-SUMMARY`."""
        for number, period in enumerate(self._periods, 1):
            entry = period.entry
            if number <= _MOST_KEPT:
                facts = (f"{name}={text}" for name, text in entry.fields.items())
                report.header[f"usage_summary.{number}"] = "; ".join(facts)
            if period.ambiguous or period.covered != period.end - period.start:
                continue  # the intervals are not those of the bill
            billed = _quantity(entry, "overallConsumptionLastPeriod", period.unit)
            if billed is not None and _differ(billed, period.quantity):
                theirs, ours = f"{billed} {period.unit}", f"{period.quantity} {period.unit}"
                note(report, ESPI["W-SUMMARY"], entry.line, theirs=theirs, ours=ours)
            bill = entry.number("billLastPeriod")
            if bill is not None and period.costs:
                cost = period.cost + (entry.number("costAdditionalLastPeriod") or 0)
                if _differ(Decimal(bill), Decimal(cost)):
                    note(report, ESPI["W-SUMMARY"], entry.line, theirs=_money(bill), ours=_money(cost))


class _Points:
    """The points of a feed, by their paths and by those that they name."""

    def __init__(self, feed: Feed) -> None:
        self._by_path = {point.self: point for point in feed.points if point.self}
        self._by_related = {path: point for point in feed.points for path in point.related if path}
        self._only = feed.points[0] if len(feed.points) == 1 else None

    def of(self, entry: Entry) -> Entry | None:
        """The point of a summary."""
        for path in (entry.self, entry.up):
            parts = path.split("/")
            for length in range(len(parts), 0, -1):
                found = self._by_path.get("/".join(parts[:length]))
                if found is not None:
                    return found
        for path in (entry.self, entry.up, entry.self.rpartition("/")[0]):
            if path in self._by_related:
                return self._by_related[path]
        return self._only


def _period(entry: Entry, points: _Points) -> _Period | None:
    start, length = entry.number("billingPeriod/start"), entry.number("billingPeriod/duration")
    point = points.of(entry)
    if start is None or not length or length < 0 or point is None:
        return None
    return _Period(entry, point.self, start, start + length)


def _is_delivered(one: Linked) -> bool:
    kind = one.type
    return (
        kind is not None
        and (kind.number("accumulationBehaviour") or DELTA) == DELTA
        and (kind.number("flowDirection") or FORWARD) == FORWARD
    )


def _quantity(entry: Entry, name: str, unit: str) -> Decimal | None:
    value, power = entry.number(f"{name}/value"), entry.number(f"{name}/powerOfTenMultiplier") or 0
    if value is None or UNITS.get(entry.number(f"{name}/uom") or 0) != unit or abs(power) > 12:
        return None
    return Decimal(value).scaleb(power)


def _differ(one: Decimal, other: Decimal) -> bool:
    return abs(one - other) > _TOLERANCE * max(abs(one), abs(other))


def _money(hundred_thousandths: int) -> str:
    return f"{Decimal(hundred_thousandths).scaleb(-_CENTS):.2f}"
