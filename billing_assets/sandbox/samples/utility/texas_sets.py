"""The transaction sets of a point in Texas: usage and charges of each month, with their faults."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from billing_assets.sandbox.samples.utility.chance import pick
from billing_assets.sandbox.samples.utility.clock import following
from billing_assets.sandbox.samples.utility.outcomes import Outcome, Sending
from billing_assets.sandbox.samples.utility.points import UTILITIES, Point
from billing_assets.sandbox.samples.utility.rates import AFTER_BILLS, MONTHS
from billing_assets.sandbox.samples.utility.usage import MeterUse, Quarter, meters, period, quarter_hours

ORIGINAL, CANCEL, REPLACE = "00", "01", "05"


@dataclass
class UsageSet:
    """An 867. `names`: id of the usage that it cancels or replaces."""

    point: Point
    month: int
    id: str
    day: date
    begin: date
    end: date
    kwh: int
    meters: list[MeterUse] = field(default_factory=list)
    quarters: list[Quarter] = field(default_factory=list)
    purpose: str = ORIGINAL
    names: str = ""
    estimated: bool = False
    wrong_count: bool = False
    outcome: Outcome = Outcome.CURRENT
    code: str = ""
    type: str = "867"

    @property
    def unit(self) -> str:
        return "kWh"

    @property
    def quantity(self) -> int:
        return self.kwh * 1_000

    @property
    def readings(self) -> int:
        return len(self.quarters)


@dataclass
class ChargesSet:
    """An 810. `charges`: code, text and cents of each; `total`: cents; `original`: what it cancels or replaces."""

    point: Point
    month: int
    id: str
    usage: str
    day: date
    begin: date
    end: date
    charges: tuple[tuple[str, str, int], ...]
    total: int
    purpose: str = ORIGINAL
    original: str = ""
    outcome: Outcome = Outcome.CURRENT
    code: str = ""
    type: str = "810"
    unit: str = ""
    quantity: int = 0
    readings: int = 0


TexasSet = UsageSet | ChargesSet
Sent = tuple[date, TexasSet]


def set_sendings(seed: int, points: list[Point]) -> list[Sending[TexasSet]]:
    """Every interchange before its faults. Some utilities send usage and charges in one."""
    files: defaultdict[tuple[date, int, str], list[TexasSet]] = defaultdict(list)
    for point in points:
        for month in range(len(MONTHS)):
            for day, one in sets(seed, point, month):
                lane = "X12" if UTILITIES[point.sender].together else one.type
                files[day, point.sender, lane].append(one)
    return [
        Sending(day, sender, lane, sorted(items, key=lambda one: (one.point.number, one.month, one.id)))
        for (day, sender, lane), items in sorted(files.items())
    ]


def sets(seed: int, point: Point, month: int) -> Iterator[Sent]:
    """All sets of a point and month, each with the day on which it comes."""
    fault = point.fault.name if point.fault is not None and month == point.faulty_month else ""
    _, end = period(point, month)
    usage_day = following(end)
    wait = 0 if UTILITIES[point.sender].together else pick(1, 3, seed, "charges", point.number, month)
    charges_day = following(usage_day, wait)
    right = _usage(seed, point, month, usage_day)
    bill = charges(right, charges_day)
    if point.known == 2:
        for one in (right, bill):
            one.outcome, one.code = Outcome.HELD, "NO_SERVICE_POINT"
    if fault in _TWO_VERSIONS:
        yield from _versions(seed, fault, right, bill)
    elif fault in _ONE_SIDE:
        yield from _one_side(fault, right, bill)
    elif fault in _EXTRA:
        yield usage_day, right
        yield charges_day, bill
        yield _extra(fault, right)
    elif fault == "late":
        late = following(end, 15)
        yield late, replace(right, day=late)
        yield charges_day, bill
    elif fault == "doubled charges":
        yield usage_day, right
        yield charges_day, bill
        yield following(charges_day, 4), replace(bill, outcome=Outcome.DUPLICATE)
    else:
        yield usage_day, right
        yield charges_day, bill


def _usage(seed: int, point: Point, month: int, day: date, short: int = 0, letter: str = "A") -> UsageSet:
    begin, end = period(point, month)
    one = UsageSet(point, month, f"U{point.number:05}{month}{letter}", day, begin, end, point.monthly[month])
    if point.length:
        one.quarters = quarter_hours(seed, point, month)
        one.kwh = _whole(one.quarters)
    else:
        one.meters = meters(seed, point, month, short)
        one.kwh -= short * point.multiplier
    return one


def _whole(quarters: list[Quarter]) -> int:
    return (sum(quarter.thousandths for quarter in quarters) + 500) // 1_000


def charges(usage: UsageSet, day: date, letter: str = "A") -> ChargesSet:
    """The utility's charges for a usage."""
    point = usage.point
    lines = [
        ("BAS001", "Customer charge", 450 if point.klass == "residential" else 2_300),
        ("MSC038", "Metering", 217),
        ("DIS001", "Distribution", usage.kwh * 3_871 // 1_000),
        ("TRN001", "Transmission", usage.kwh * 1_423 // 1_000),
    ]
    id_ = f"I{usage.id[1:-1]}{letter}"
    total = sum(cents for *_, cents in lines)
    return ChargesSet(point, usage.month, id_, usage.id, day, usage.begin, usage.end, tuple(lines), total)


_TWO_VERSIONS = {
    "replaced",
    "replaced after the bill",
    "cancelled",
    "half cancelled",
    "estimated, then actual",
    "missing intervals, replaced",
}
_ONE_SIDE = {
    "doubled usage",
    "estimated",
    "usage without charges",
    "charges without usage",
    "set broken, sent again",
    "set broken",
    "period overlaps",
    "total is a cent off",
    "meters do not add up",
    "missing intervals",
}
_EXTRA = {"replacement without cancel", "cancel without original", "period twice"}


def _versions(seed: int, fault: str, right: UsageSet, bill: ChargesSet) -> Iterator[Sent]:
    """A pair that is taken back, and the one in its place if there is one."""
    short = max(right.kwh // right.point.multiplier // 15, 1)
    first = _usage(seed, right.point, right.month, right.day, 0 if right.point.length else short)
    first.estimated = fault.startswith("estimated")
    first.outcome = Outcome.SUPERSEDED
    if right.point.length:
        first = _without_a_quarter(first)
    first_bill = replace(charges(first, bill.day), outcome=Outcome.SUPERSEDED)
    gone = following(AFTER_BILLS if fault == "replaced after the bill" else bill.day, 6)
    cancel = replace(first, id=first.id[:-1] + "B", day=gone, purpose=CANCEL, names=first.id, outcome=Outcome.CANCEL)
    first.code = "MISSING_INTERVALS" if first.quarters else ""
    yield first.day, first
    yield gone, cancel
    if fault == "half cancelled":
        cancel.outcome, cancel.code = Outcome.WAITING, "HALF_CANCEL"
        yield first_bill.day, replace(first_bill, outcome=Outcome.HELD, code="HALF_CANCEL")
        return
    yield first_bill.day, first_bill
    number = first_bill.id[:-1] + "B"
    yield gone, replace(first_bill, id=number, day=gone, purpose=CANCEL, original=first_bill.id, outcome=Outcome.CANCEL)
    if fault == "cancelled":
        return
    again = following(gone, 2)
    second = replace(right, id=right.id[:-1] + "C", day=again, purpose=REPLACE, names=first.id)
    yield again, second
    yield again, replace(charges(second, again, "C"), purpose=REPLACE, original=first_bill.id)


def _without_a_quarter(usage: UsageSet) -> UsageSet:
    """The same with a quarter hour less, at midday in the middle of the period."""
    at = len(usage.quarters) // 2 // 96 * 96 + 50
    quarters = usage.quarters[:at] + usage.quarters[at + 1 :]
    return replace(usage, quarters=quarters, kwh=_whole(quarters))


def _one_side(fault: str, right: UsageSet, bill: ChargesSet) -> Iterator[Sent]:
    """Faults of the usage or of the charges alone, and what they do to the other."""
    held, waiting = Outcome.HELD, Outcome.WAITING
    match fault:
        case "doubled usage":
            yield following(right.day, 4), replace(right, outcome=Outcome.DUPLICATE)
        case "estimated":
            right.estimated = True
        case "usage without charges":
            right.outcome, right.code = waiting, "WAIT_CHARGES"
        case "charges without usage" | "set broken":
            bill.outcome, bill.code = waiting, "ORPHAN_CHARGES"
        case "period overlaps":
            begin = right.begin - timedelta(days=5)
            meters_then = [replace(meter, begin=begin) for meter in right.meters]
            right = replace(right, begin=begin, meters=meters_then, outcome=held, code="PERIOD_OVERLAP")
            bill = replace(bill, begin=begin, outcome=held, code="PERIOD_OVERLAP WAIT_USAGE")
        case "total is a cent off":
            bill = replace(bill, total=bill.total + 1, outcome=held, code="CHARGES_NOT_TOTAL")
            right.outcome, right.code = waiting, "WAIT_CHARGES"
        case "meters do not add up":
            right = replace(right, kwh=right.kwh + 7, outcome=held, code="SUM_CHECK")
            bill.outcome, bill.code = waiting, "WAIT_USAGE ORPHAN_CHARGES"
        case "missing intervals":
            right = replace(_without_a_quarter(right), outcome=held, code="MISSING_INTERVALS")
            bill = replace(charges(right, bill.day), outcome=waiting, code="WAIT_USAGE ORPHAN_CHARGES")
    if fault.startswith("set broken"):
        yield right.day, replace(right, wrong_count=True, outcome=Outcome.REFUSED)
        if fault == "set broken, sent again":
            yield following(right.day, 3), right
    elif fault != "charges without usage":
        yield right.day, right
    if fault != "usage without charges":
        yield bill.day, bill


def _extra(fault: str, right: UsageSet) -> Sent:
    """A set beside a pair that is as it should be."""
    day = following(right.day, 8)
    extra = replace(right, id=right.id[:-1] + "X", day=day)
    if fault == "replacement without cancel":
        return day, replace(
            extra, purpose=REPLACE, names=right.id, outcome=Outcome.WAITING, code="REPLACE_WITHOUT_CANCEL"
        )
    if fault == "period twice":
        return day, replace(extra, outcome=Outcome.HELD, code="DUP_PERIOD")
    begin, end = date(2025, 7, right.begin.day), date(2025, 8, right.begin.day)
    dated = [replace(meter, begin=begin, end=end, exchanged=None) for meter in right.meters]
    return day, replace(
        extra, purpose=CANCEL, names=f"U{right.point.number:05}SUMMER", meters=dated, begin=begin, end=end,
        outcome=Outcome.WAITING, code="CANCEL_WITHOUT_ORIGINAL",
    )  # fmt: skip
