"""867: usage of a service point over a period. Texas 867_03, eastern 867MU and 867IU, and the reads of an 867_04.

The usage is the summary, once; detail is compared with it and never added to it (`usage_sums.py`).
Source: Texas SET 867_03; EDI guides of PA, NJ, DE, MD (867MU, 867IU) and of New York.
"""

from collections.abc import Sequence
from decimal import Decimal

from billing_assets.foundation.x12.segments import Segment
from billing_assets.metering.import_engine.messages import Finding
from billing_assets.metering.import_engine.x12_sets.codes import finding, of_a_cancel
from billing_assets.metering.import_engine.x12_sets.elements import day, number
from billing_assets.metering.import_engine.x12_sets.options import SetOptions
from billing_assets.metering.import_engine.x12_sets.parties import POINTS, check_parties, note_point, point_of
from billing_assets.metering.import_engine.x12_sets.usage_content import (
    CANCEL,
    LOOPS,
    MEASURES,
    ORIGINAL,
    STATUS,
    TOTAL,
    UNITS,
    WHOLE,
    IntervalRow,
    Loop,
    Row,
    Usage,
)
from billing_assets.metering.import_engine.x12_sets.usage_sums import check_sums

__all__ = ["Usage", "read_usage"]

_ONE = Decimal(1)
_NONE = ("",) * 7
_REQUIRED = frozenset({"NO_SUMMARY", "NO_DETAIL", "NO_QUANTITY"})


def read_usage(segments: Sequence[Segment], options: SetOptions) -> tuple[Usage, list[Finding]]:
    """What an 867 says, from its ST to its SE, and the findings. It never raises for what is in the set."""
    found: list[Finding] = []
    usage = _parse(segments, options, found)
    check_parties(usage.point, usage.utility, usage.retailer, segments[0].position, found)
    if usage.kind == "reads":
        return usage, found
    if usage.purpose != ORIGINAL and not usage.refers_to:
        found.append(
            finding(
                "NO_REFERENCE", segments[0].position, "BPT09 does not name the usage that this one cancels or replaces."
            )
        )
    check_sums(usage, options, found)
    if usage.purpose != CANCEL:
        return usage, found
    if usage.due_on:
        found.append(finding("DUE_ON_CANCEL", segments[0].position, "This cancel has a due date (DTM 649)."))
    return usage, of_a_cancel([one for one in found if one.code not in _REQUIRED])


class _Open:
    """What is read and not closed yet: a loop, a QTY, what follows it."""

    __slots__ = ("end", "loop", "measures", "quantity")

    def __init__(self) -> None:
        self.loop: Loop | None = None
        self.quantity: Segment | None = None
        self.measures: list[Segment] = []
        self.end: Segment | None = None


def _parse(segments: Sequence[Segment], options: SetOptions, found: list[Finding]) -> Usage:
    usage, opened, ends = Usage("", ""), _Open(), options.interval_ends
    for segment in segments:
        name = segment.id
        if name == "QTY":
            _close_quantity(opened, options, found)
            opened.quantity = segment
        elif name == "DTM":
            if opened.quantity is not None and segment.at(1) in ends:
                opened.end = segment
            else:
                _date(usage, opened.loop, segment)
        elif name == "MEA" and opened.loop is not None:
            opened.measures.append(segment)
        elif name == "REF":
            _reference(usage, opened.loop, segment, options, found)
        elif name in {"PTD", "SE"}:
            _close_quantity(opened, options, found)
            if opened.loop is not None:
                _close_loop(opened.loop, options, found)
            if name == "PTD":
                meter = segment.at(5) if segment.at(4) == "MG" else ""
                opened.loop = Loop(segment.at(1), segment.position, meter)
                usage.loops.append(opened.loop)
        else:
            _header(usage, segment)
    usage.point = point_of(usage.references)
    if usage.purpose == STATUS or (usage.loops and all(one.type == "BJ" for one in usage.loops)):
        usage.kind = "reads"
    return usage


def _header(usage: Usage, segment: Segment) -> None:
    name, kind = segment.id, segment.at(1)
    if name == "BPT":
        usage.id, usage.purpose, usage.issued_on = segment.at(2), kind, day(segment.at(3))
        usage.report_type, usage.is_final, usage.refers_to = segment.at(4), segment.at(7) == "F", segment.at(9)
    elif name == "N1":
        if kind == "8S":
            usage.utility = segment.at(4) or segment.at(2)
        elif kind == "SJ":
            usage.retailer = segment.at(4) or segment.at(2)
    elif name == "MEA" and segment.at(2) == "NP":
        usage.share = number(segment.at(3))


def _date(usage: Usage, loop: Loop | None, segment: Segment) -> None:
    kind, value = segment.at(1), day(segment.at(2))
    if kind == "649":
        usage.due_on = value
    elif loop is None:
        return
    elif kind == "150":
        loop.start = value
    elif kind == "151":
        loop.end = value
    elif kind == "140":
        loop.read_on = value
    elif kind == "514":
        loop.exchanged_on = value


def _reference(usage: Usage, loop: Loop | None, segment: Segment, options: SetOptions, found: list[Finding]) -> None:
    kind = segment.at(1)
    if kind in POINTS:
        note_point(usage.references, segment, options, found)
    elif kind == "5I":
        usage.estimate_reason = usage.estimate_reason or segment.at(2) or segment.at(3)
    elif loop is None:
        usage.references[kind] = segment.at(2) or segment.at(3)
    elif kind == "MT":
        loop.meter_type = segment.at(2)
    elif kind == "JH":
        loop.role = segment.at(2)
    elif kind == "LO":
        loop.profile = segment.at(2)


def _close_quantity(opened: _Open, options: SetOptions, found: list[Finding]) -> None:
    """The QTY that is open and the MEAs after it, as an interval or as rows."""
    loop, quantity, measures, end = opened.loop, opened.quantity, opened.measures, opened.end
    opened.quantity, opened.end = None, None
    if measures:
        opened.measures = []
    if loop is None or (quantity is None and not measures):
        return
    kind, stated, unit = (quantity.elements + _NONE)[:3] if quantity is not None else _NONE[:3]
    is_estimated = kind == "KA"
    if quantity is not None and end is not None:
        if measures:
            unit = next((one.at(4) for one in measures if one.at(4)), unit)
        _, day_of_end, time, time_code = (end.elements + _NONE)[:4]
        loop.intervals.append(IntervalRow(day_of_end, time, time_code, stated, is_estimated, unit, quantity.position))
        return
    multiplier: Decimal | None = None
    rows: list[Row] = []
    for segment in measures:
        measure, kind, value, its_unit, begin, ended, time_of_use = (segment.elements + _NONE)[:7]
        if kind == "MU":
            multiplier = number(value)
        elif kind == "ZA":
            loop.power_factor = number(value)
        elif kind in {"PRQ", ""}:
            rows.append(
                Row(
                    its_unit or unit or "KH",
                    time_of_use,
                    number(value),
                    is_estimated,
                    measure,
                    begin,
                    ended,
                    None,
                    segment.position,
                )
            )
    if quantity is not None:
        _match_quantity(rows, quantity, options, found)
    for row in rows:
        row.multiplier = multiplier
    if multiplier is not None:
        loop.multiplier = multiplier if loop.multiplier in {None, multiplier} else _ONE
    loop.rows += rows


def _match_quantity(rows: list[Row], quantity: Segment, options: SetOptions, found: list[Finding]) -> None:
    """QTY02 is the quantity of its only MEA, or of the total among them (MEA07 `51`), or the only one that says it."""
    stated = number(quantity.at(2))
    is_estimated = quantity.at(1) == "KA"
    if not rows:
        rows.append(Row(quantity.at(3) or "KH", "", stated, is_estimated, "", "", "", None, quantity.position))
    if stated is None:
        return
    totals = rows if len(rows) == 1 else [row for row in rows if row.time_of_use in WHOLE]
    if not totals:
        unit = rows[0].unit
        rows.append(Row(unit, TOTAL, stated, is_estimated, "", "", "", None, quantity.position))
        return
    for row in totals:
        if row.quantity is None:
            row.quantity = stated
    if all(abs(row.quantity - stated) > options.sum_tolerance for row in totals if row.quantity is not None):
        sentence = f"QTY02 is {stated}, the MEA after it {totals[0].quantity}."
        found.append(finding("SUM_CHECK", quantity.position, sentence))


def _close_loop(loop: Loop, options: SetOptions, found: list[Finding]) -> None:
    """What only the whole loop tells: the multiplier of rows that name none, and codes that are not known."""
    line = loop.position
    multiplier = loop.multiplier or _ONE
    for row in loop.rows:
        if row.multiplier is None:
            row.multiplier = multiplier
        if row.unit not in UNITS:
            found.append(
                finding(
                    "UNKNOWN_UNIT", row.position, f"The unit {row.unit[:10]!r} is not known; its sums are not checked."
                )
            )
        if row.measure not in MEASURES:
            found.append(finding("UNKNOWN_MEASURE", row.position, f"MEA01 {row.measure[:10]!r} is not known."))
    if loop.type not in LOOPS:
        found.append(
            finding("UNKNOWN_LOOP", line, f"PTD01 {loop.type[:10]!r} is not known; the loop is kept and not used.")
        )
    if loop.role and loop.role not in (options.additive, options.subtractive, options.ignored):
        found.append(
            finding("UNKNOWN_ROLE", line, f"The role {loop.role[:10]!r} is not known; the meter counts as additive.")
        )
    if loop.type == "BC" and options.no_time_of_use_when_unmetered and any(row.time_of_use for row in loop.rows):
        found.append(finding("MEA07_UNUSED", line, "An unmetered summary has a time of use (MEA07)."))
