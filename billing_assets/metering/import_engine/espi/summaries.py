"""The utility's own bill in a feed (UsageSummary): kept, and compared with the intervals of its period.

A summary never changes a quantity. Source: NAESB ESPI, ElectricPowerUsageSummary and UsageSummary.
"""

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
    ambiguous: bool = False  # intervals of more than one stream


class Summaries:
    """The summaries of a feed while its blocks go by."""

    def __init__(self, feed: Feed) -> None:
        self._periods = [period for entry in feed.summaries if (period := _period(entry, feed))][:_MOST_KEPT]
        self._streams: dict[int, str] = {}

    def add(self, block: IntervalBlock, one: Linked) -> None:
        """Counts the intervals of a block that are within the period of a summary."""
        if not self._periods or one.point is None or not _is_delivered(one):
            return
        start, length = int(block.start.timestamp()), block.stream.length_seconds
        for number, period in enumerate(self._periods):
            if one.point.self != period.point:
                continue
            # Whole blocks are nearly always in or out; a block over an edge is counted row by row.
            rows = [at for at in range(len(block.values)) if period.start <= start + at * length < period.end]
            if not rows or start + (rows[-1] + 1) * length > period.end:
                continue
            if self._streams.setdefault(number, one.reading) != one.reading:
                period.ambiguous = True
            part = block.values[rows[0] : rows[-1] + 1]
            period.covered += length * len(rows)
            quantity = Decimal(sum(part.tolist())).scaleb(-block.decimals, EXACT)
            period.quantity = EXACT.add(period.quantity, quantity)
            period.unit = block.stream.unit
            if block.costs is None:
                period.costs = False
            else:
                period.cost += sum(block.costs[rows[0] : rows[-1] + 1].tolist())

    def compare(self, report: FileReport) -> None:
        """Keeps what the summaries say in the report's header; where they differ from the intervals, `W-SUMMARY`."""
        for number, period in enumerate(self._periods, 1):
            entry = period.entry
            report.header[f"usage_summary.{number}"] = "; ".join(
                f"{name}={text}" for name, text in entry.fields.items() if name.partition("/")[0] in _KEPT
            )
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


_KEPT = frozenset(
    {"billingPeriod", "billLastPeriod", "costAdditionalLastPeriod", "currency", "overallConsumptionLastPeriod"}
)


def _period(entry: Entry, feed: Feed) -> _Period | None:
    start, length = entry.number("billingPeriod/start"), entry.number("billingPeriod/duration")
    point = _point(entry, feed)
    if start is None or not length or length < 0 or point is None:
        return None
    return _Period(entry, point.self, start, start + length)


def _point(entry: Entry, feed: Feed) -> Entry | None:
    collection = entry.self.rpartition("/")[0]
    for point in feed.points:
        if point.self and any(
            path == point.self or path.startswith(f"{point.self}/") for path in (entry.self, entry.up)
        ):
            return point
    for point in feed.points:
        if any(path and path in point.related for path in (entry.self, entry.up, collection)):
            return point
    return feed.points[0] if len(feed.points) == 1 else None


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
