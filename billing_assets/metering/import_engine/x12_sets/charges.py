"""810: charges of a utility for a service point. Texas 810_02, eastern 810 (LDC and ESP), New York's utility bill.

How charges are grouped under SLN differs by utility and is ignored: the SACs of the set are its lines. Amounts are
whole cents, two implied decimals as X12 writes them (N2); taxes and balances have a decimal point (R).
Source: Texas SET 810_02; EDI guides of PA, NJ, DE, MD (810 LDC, 810 ESP) and of New York.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from billing_assets.foundation.x12.segments import Segment
from billing_assets.metering.import_engine.messages import Finding
from billing_assets.metering.import_engine.x12_sets.codes import finding, of_a_cancel
from billing_assets.metering.import_engine.x12_sets.elements import cents, day, number
from billing_assets.metering.import_engine.x12_sets.options import SetOptions
from billing_assets.metering.import_engine.x12_sets.parties import POINTS, check_parties, note_point, point_of
from billing_assets.metering.import_engine.x12_sets.usage_content import CANCEL, ORIGINAL
from billing_assets.metering.import_engine.x12_sets.usage_sums import bad_period

MONTHLY, FINAL, MISCELLANEOUS = "ME", "FB", "26"
"""BIG07. Miscellaneous charges need no usage."""

CHARGE, ALLOWANCE, INFORMATION = "C", "A", "N"
"""SAC01: added, deducted, not counted."""

LEVELS = frozenset({"ACCOUNT", "METER", "RATE", "UNMET", ""})
"""IT109."""

_CODE = re.compile(r"[A-Z]{3}\d{3}", re.ASCII)


@dataclass(slots=True)
class Line:
    """A charge, an allowance or information. `amount`: cents, never negative; None where it has none."""

    position: int
    indicator: str
    code: str
    amount: int | None
    rate: Decimal | None
    unit: str
    quantity: Decimal | None
    text: str
    level: str
    start: date | None
    end: date | None


@dataclass(slots=True)
class Tax:
    """A tax of its own segment. `amount`: cents, exact; `relation`: added, deducted or information, by the options."""

    position: int
    type: str
    amount: Decimal | None
    relation: str


@dataclass(slots=True)
class Charges:
    """An 810. `total`: cents, TDS01. `start`, `end`: days, the end exclusive. `balances`: by BAL01 and BAL02."""

    id: str = ""
    purpose: str = ""  # 00 original, 01 cancel, 05 replace
    issued_on: date | None = None
    cross_reference: str = ""  # id of the usage
    refers_to: str = ""  # id of the invoice that is cancelled or replaced
    kind: str = ""
    point: str = ""
    utility: str = ""
    retailer: str = ""
    start: date | None = None
    end: date | None = None
    due_on: date | None = None
    lines: list[Line] = field(default_factory=list)
    taxes: list[Tax] = field(default_factory=list)
    balances: dict[str, Decimal] = field(default_factory=dict)
    references: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    total: int | None = None

    @property
    def amount(self) -> Decimal | None:
        """The total in the unit of the currency, such as 43.21."""
        return None if self.total is None else Decimal(self.total).scaleb(-2)


@dataclass(slots=True)
class _Loop:
    """An IT1 loop while it is read."""

    position: int
    level: str
    start: date | None = None
    end: date | None = None
    first_line: int = 0  # of the lines of the set


def read_charges(segments: Sequence[Segment], options: SetOptions) -> tuple[Charges, list[Finding]]:
    """What an 810 says, from its ST to its SE, and the findings. It never raises for what is in the set."""
    found: list[Finding] = []
    charges = Charges()
    loops: list[_Loop] = []
    count: Segment | None = None
    for segment in segments:
        name = segment.id
        if name == "SAC":
            charges.lines.append(_line(segment, loops[-1].level if loops else ""))
        elif name == "DTM":
            _date(charges, loops, segment)
        elif name == "IT1":
            loops.append(_Loop(segment.position, segment.at(9), first_line=len(charges.lines)))
        elif name == "REF":
            _reference(charges, segment, options, found)
        elif name == "TDS":
            charges.total = cents(segment.at(1))
        elif name == "CTT":
            count = segment
        else:
            _header(charges, segment, options)
    charges.point = point_of(charges.references)
    _periods(charges, loops, found)
    _check(charges, loops, count, segments[0].position, options, found)
    return charges, of_a_cancel(found) if charges.purpose == CANCEL else found


def _header(charges: Charges, segment: Segment, options: SetOptions) -> None:
    name, kind = segment.id, segment.at(1)
    if name == "BIG":
        charges.issued_on, charges.id = day(kind), segment.at(2)
        charges.cross_reference = segment.at(int(options.cross_reference.removeprefix("BIG")))
        charges.kind, charges.purpose = segment.at(7), segment.at(8)
    elif name == "N1":
        if kind == "8S":
            charges.utility = segment.at(4) or segment.at(2)
        elif kind == "SJ":
            charges.retailer = segment.at(4) or segment.at(2)
    elif name == "ITD":
        charges.due_on = day(segment.at(6))
    elif name == "TXI":
        amount = number(segment.at(2))
        exact = None if amount is None else amount.scaleb(2)
        charges.taxes.append(Tax(segment.position, kind, exact, segment.at(7)))
    elif name == "BAL":
        balance = number(segment.at(3))
        if balance is not None:
            charges.balances[f"{kind} {segment.at(2)}"] = balance
    elif name == "NTE":
        charges.notes.append(segment.at(2))


def _reference(charges: Charges, segment: Segment, options: SetOptions, found: list[Finding]) -> None:
    kind = segment.at(1)
    if kind in POINTS:
        note_point(charges.references, segment, options, found)
        return
    value = segment.at(2) or segment.at(3)
    if kind == "OI":
        charges.refers_to = charges.refers_to or value
    charges.references.setdefault(kind, value)


def _line(segment: Segment, level: str) -> Line:
    at = segment.at
    return Line(
        segment.position,
        at(1),
        at(4),
        cents(at(5)),
        number(at(8)),
        at(9),
        number(at(10)),
        at(15),
        level,
        None,
        None,
    )


def _date(charges: Charges, loops: list[_Loop], segment: Segment) -> None:
    kind = segment.at(1)
    if kind not in {"150", "151"}:
        return
    value = day(segment.at(2))
    if loops:
        if kind == "150":
            loops[-1].start = value
        else:
            loops[-1].end = value
    elif kind == "150":
        charges.start = value
    else:
        charges.end = value


def _periods(charges: Charges, loops: list[_Loop], found: list[Finding]) -> None:
    """The period of the set is that of its loops; each line has its loop's."""
    told: set[tuple[date, date]] = set()
    for at, loop in enumerate(loops):
        start, end = loop.start or charges.start, loop.end or charges.end
        last = loops[at + 1].first_line if at + 1 < len(loops) else len(charges.lines)
        for line in charges.lines[loop.first_line : last]:
            line.start, line.end = start, end
        if not start or not end or (start, end) in told:
            continue
        told.add((start, end))
        if start > end or (start == end and charges.kind != MISCELLANEOUS):
            found.append(finding("BAD_PERIOD", loop.position, bad_period(start, end)))
    if told:
        charges.start = min(start for start, _ in told)
        charges.end = max(end for _, end in told)


def _check(
    charges: Charges,
    loops: list[_Loop],
    count: Segment | None,
    line: int,
    options: SetOptions,
    found: list[Finding],
) -> None:
    check_parties(charges.point, charges.utility, charges.retailer, line, found)
    if charges.purpose != ORIGINAL and not charges.refers_to:
        found.append(
            finding("NO_REFERENCE", line, "REF*OI does not name the invoice that this one cancels or replaces.")
        )
    elif charges.purpose == ORIGINAL and not charges.cross_reference and charges.kind != MISCELLANEOUS:
        found.append(
            finding("NO_REFERENCE", line, f"{options.cross_reference} does not name the usage of these charges.")
        )
    if not charges.due_on and charges.purpose != CANCEL:
        found.append(finding("NO_DUE_DATE", line, "The invoice has no due date: ITD06 is missing."))
    if count is not None and count.at(1) != str(len(loops)):
        said = count.at(1)[:10]
        found.append(finding("LINE_COUNT", count.position, f"CTT01 says {said!r} loops, the set has {len(loops)} IT1."))
    for loop in loops:
        if loop.level not in LEVELS:
            found.append(finding("UNKNOWN_LOOP", loop.position, f"IT109 {loop.level[:10]!r} is not known."))
    for one in charges.lines:
        _check_code(one, options, found)
    _check_total(charges, line, options, found)


def _check_code(line: Line, options: SetOptions, found: list[Finding]) -> None:
    known = options.charge_codes
    if (line.code not in known) if known is not None else not _CODE.fullmatch(line.code):
        sentence = f"The charge code {line.code[:10]!r} is not in the matrix."
        found.append(finding("UNKNOWN_CHARGE", line.position, sentence))


def _check_total(charges: Charges, line: int, options: SetOptions, found: list[Finding]) -> None:
    """Charges less allowances, and taxes, = TDS01, to the cent. Source: 810_02, TDS."""
    summed = 0
    for one in charges.lines:
        if one.indicator == INFORMATION:
            continue
        if one.amount is None:
            found.append(finding("NO_AMOUNT", one.position, "A charge or allowance has no amount (SAC05)."))
            continue
        summed += -one.amount if one.indicator == ALLOWANCE else one.amount
    exact = Decimal(summed)
    for tax in charges.taxes:
        added, deducted = tax.relation in options.taxes_added, tax.relation in options.taxes_deducted
        if not added and not deducted:
            continue
        if tax.amount is None:
            found.append(finding("NO_AMOUNT", tax.position, "A tax has no amount (TXI02)."))
        else:
            exact += tax.amount if added else -tax.amount
    if charges.total is not None and exact != charges.total:
        said = Decimal(charges.total).scaleb(-2)
        sentence = f"Charges, allowances and taxes are {exact.scaleb(-2)}, the total (TDS01) says {said}."
        found.append(finding("CHARGES_NOT_TOTAL", line, sentence))
