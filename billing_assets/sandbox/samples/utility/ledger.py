"""The ledger: what must come out of the files, as CSV. Quantities are exact."""

import csv
import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from billing_assets.sandbox.samples.utility.clock import read_day
from billing_assets.sandbox.samples.utility.day_blocks import DayBlock, billed, suffixes
from billing_assets.sandbox.samples.utility.outcomes import Item, Outcome, Sending, decimal
from billing_assets.sandbox.samples.utility.points import Point
from billing_assets.sandbox.samples.utility.rates import AFTER, MONTHS, Ends, Pool
from billing_assets.sandbox.samples.utility.register_reads import Read, register_suffixes
from billing_assets.sandbox.samples.utility.texas_sets import TexasSet, UsageSet

SENT, DOUBLED = "sent", "doubled"


class FileRow(NamedTuple):
    """A file as written. `messages`: blocks, records or sets. Quantities by outcome add up to `kwh` and `kvarh`."""

    day: str
    folder: str
    name: str
    sha256: str
    content_sha256: str
    format: str
    fault: str
    verdict: str
    code: str
    messages: int
    readings: int
    kwh: Decimal
    kvarh: Decimal
    qualities: str
    current: Decimal
    superseded: Decimal
    held: Decimal
    waiting: Decimal
    cancel: Decimal
    duplicate: Decimal
    refused: Decimal


class SetRow(NamedTuple):
    """A transaction set. `original`: id of what it cancels or replaces. Of a broken file its sets are not here."""

    day: str
    name: str
    type: str
    id: str
    purpose: str
    original: str
    point: str
    begin: str
    end: str
    kwh: Decimal
    cents: int
    outcome: str
    code: str


class MonthRow(NamedTuple):
    """A point's stream in a month, from `begin` to `end` (exclusive). `kwh`: what may be billed; `codes`: one of these;
    `charges`: the utility's cents."""

    market: str
    point: str
    suffix: str
    month: str
    begin: str
    end: str
    state: str
    codes: str
    kwh: Decimal
    quality: str
    charges: int
    fault: str


class TotalRow(NamedTuple):
    """Quantity of a market in a unit, by what becomes of it."""

    market: str
    unit: str
    outcome: str
    messages: int
    quantity: Decimal


def file_row(folder: str, format_: str, sending: Sending[Item]) -> FileRow:
    """The ledger's row of a file that was written."""
    units: Counter[str] = Counter()
    ends: Counter[Outcome] = Counter()
    for item in sending.items:
        units[item.unit] += item.quantity
        ends[sending.outcome(item)] += item.quantity
    qualities = " ".join(f"{quality}:{number}" for quality, number in sorted(_qualities(sending).items()))
    return FileRow(
        f"{sending.day}",
        folder,
        sending.name,
        hashlib.sha256(sending.written).hexdigest(),
        hashlib.sha256(sending.content).hexdigest(),
        format_,
        sending.fault,
        _verdict(sending),
        sending.code,
        len(sending.items),
        sum(item.readings for item in sending.items),
        decimal(units["kWh"]),
        decimal(units["kVArh"]),
        qualities,
        *(decimal(ends[outcome]) for outcome in Outcome),
    )


def _verdict(sending: Sending[Any]) -> str:
    """An interchange is held if a set of it is, by what is in that set; not by master data or other messages."""
    own = {"SUM_CHECK", "MISSING_INTERVALS", "CHARGES_NOT_TOTAL"}
    if sending.verdict != "accept":
        return sending.verdict
    if sending.items and all(item.outcome is Outcome.REFUSED for item in sending.items):
        return "refuse"  # none of its sets is sound
    return "hold" if any(item.code in own for item in sending.items) else "accept"


def _qualities(sending: Sending[Item]) -> Counter[str]:
    found: Counter[str] = Counter()
    for item in sending.items:
        if isinstance(item, DayBlock):
            for quality, number in item.qualities():
                found[quality] += number
        elif isinstance(item, Read):
            found[item.quality] += 1
    return found


def set_rows(sending: Sending[TexasSet]) -> Iterator[SetRow]:
    """The rows of the sets of an interchange that is not refused."""
    if sending.verdict != "accept" or _verdict(sending) == "refuse":
        return
    for one in sending.items:
        usage = isinstance(one, UsageSet)
        yield SetRow(
            f"{sending.day}",
            sending.name,
            one.type,
            one.id,
            one.purpose,
            one.names if isinstance(one, UsageSet) else one.original,
            one.point.name,
            f"{one.begin}",
            f"{one.end}",
            decimal(one.quantity),
            0 if usage else getattr(one, "total", 0),
            one.outcome,
            one.code,
        )


def texas_months(points: Iterable[Point], sets: Iterable[TexasSet]) -> Iterator[MonthRow]:
    """What a point's months of usage and charges are in the end."""
    found: defaultdict[tuple[str, int], list[TexasSet]] = defaultdict(list)
    for one in sets:
        found[one.point.name, one.month].append(one)
    for point in points:
        for month in range(len(MONTHS)):
            yield _texas_month(point, month, found[point.name, month])


def _texas_month(point: Point, month: int, sets: Sequence[TexasSet]) -> MonthRow:
    fault = point.fault if point.known == 2 or month == point.faulty_month else None
    current = [one for one in sets if one.outcome is Outcome.CURRENT]
    usage = next((one for one in current if isinstance(one, UsageSet)), None)
    cents = sum(one.total for one in current if not isinstance(one, UsageSet))
    state = fault.ends if fault is not None else Ends.BILLABLE
    ready = state is Ends.BILLABLE and usage is not None
    return MonthRow(
        "Texas", point.name, "", f"{MONTHS[month]:%Y-%m}", *_between_reads(point, month), state,
        fault.code if fault is not None else "", decimal(usage.quantity) if ready and usage else Decimal(0),
        "estimated" if ready and usage and usage.estimated else "actual" if ready else "",
        cents if ready else 0, fault.name if fault is not None else "",
    )  # fmt: skip


def stream_months(points: Iterable[Point], months: dict[tuple[str, str], list[int]]) -> Iterator[MonthRow]:
    """What the months of Australian streams are in the end: by read period, or by the month of the point's clock."""
    for point in points:
        intervals = point.pool is Pool.AUSTRALIA_INTERVALS
        for suffix in suffixes(point) if intervals else register_suffixes(point):
            if intervals and not billed(suffix):
                continue
            for month, quantity in enumerate(months[point.name, suffix]):
                yield _stream_month(point, suffix, month, quantity)


def _stream_month(point: Point, suffix: str, month: int, quantity: int) -> MonthRow:
    fault = point.fault if point.known == 2 or month == point.faulty_month else None
    state, codes, quality = Ends.BILLABLE, "", "actual"
    if fault is not None:
        state, codes = fault.ends, fault.code
        if fault.name in {"estimated", "substituted", "qualities vary"}:
            quality = "estimated"
        if fault.name == "sibling missing" and suffix == "B1":
            codes = "SIBLING MISSING"
    elif month > 1 and point.has_in(month - 1, "quantity is not the reads"):
        # Without that read, days are missing between this one and the one before it.
        state, codes = Ends.HELD, "PERIOD"
    billable = state is Ends.BILLABLE
    days = _calendar(month) if point.pool is Pool.AUSTRALIA_INTERVALS else _between_reads(point, month)
    return MonthRow(
        "Australia", point.name, suffix, f"{MONTHS[month]:%Y-%m}", *days, state, codes,
        decimal(quantity if billable else 0), quality if billable else "", 0, fault.name if fault is not None else "",
    )  # fmt: skip


def _between_reads(point: Point, month: int) -> tuple[str, str]:
    return f"{read_day(month, point.cycle)}", f"{read_day(month + 1, point.cycle)}"


def _calendar(month: int) -> tuple[str, str]:
    first, last = (*MONTHS, AFTER)[month : month + 2]
    return f"{first}", f"{last}"


def totals(market: str, sendings: Iterable[Sending[Any]]) -> list[TotalRow]:
    """Sums of a market's files by what becomes of each message; `doubled`: in files that came before; `sent`: all."""
    counts: Counter[tuple[str, str]] = Counter()
    sums: Counter[tuple[str, str]] = Counter()
    for sending in sendings:
        for item in sending.items:
            if not item.unit:
                continue
            of_item = DOUBLED if sending.verdict == "duplicate" else sending.outcome(item).value
            for outcome in (of_item, SENT):
                counts[item.unit, outcome] += 1
                sums[item.unit, outcome] += item.quantity
    return [TotalRow(market, *key, number, decimal(sums[key])) for key, number in sorted(counts.items())]


def write_rows(path: Path, kind: type[NamedTuple], rows: Iterable[NamedTuple]) -> None:
    """A CSV file of rows of a kind."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(kind._fields)
        writer.writerows(rows)
