"""NEM13: register reads with the quantity between two of them. Source: AEMO Meter Data File Format.

Records: `100 (250 550*)+ 900`. A 250 has both reads and the quantity, a 550 what people did at the meter.
"""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import BinaryIO

from billing_assets.metering.import_engine.findings import note
from billing_assets.metering.import_engine.messages import FileReport, RegisterRead, Stream, Verdict
from billing_assets.metering.import_engine.nem import fields as checks
from billing_assets.metering.import_engine.nem.codes import NEM
from billing_assets.metering.import_engine.nem.fields import Found
from billing_assets.metering.import_engine.nem.frame import Frame, fit, note_all, starts_as
from billing_assets.metering.import_engine.nem.lines import Lines
from billing_assets.metering.import_engine.nem.quantity import EQUAL, explained
from billing_assets.metering.import_engine.options import ReadOptions

FIELDS = (
    *("NMI", "NMIConfiguration", "RegisterID", "NMISuffix", "MDMDataStreamIdentifier", "MeterSerialNumber"),
    *("DirectionIndicator", "PreviousRegisterRead", "PreviousRegisterReadDateTime", "PreviousQualityMethod"),
    *("PreviousReasonCode", "PreviousReasonDescription", "CurrentRegisterRead", "CurrentRegisterReadDateTime"),
    *("CurrentQualityMethod", "CurrentReasonCode", "CurrentReasonDescription", "Quantity", "UOM"),
    *("NextScheduledReadDate", "UpdateDateTime", "MSATSLoadDateTime"),
)
"""The fields of a 250 after its indicator."""

_READ = re.compile(r"[0-9]+(\.[0-9]*)?")
_QUANTITY = re.compile(r"-?[0-9]+(\.[0-9]*)?")
_LONGEST_NUMBER = 30
_Key = tuple[str, ...]


def recognises(head: bytes) -> bool:
    """Whether a file begins as NEM13, or as one whose header is missing."""
    return starts_as(head) == "NEM13"


def read(source: BinaryIO, options: ReadOptions, report: FileReport) -> Iterator[RegisterRead]:
    """The reads of a file. What is wrong with it is in the report, all of it after one pass; from a refused file on
    nothing more is yielded. Memory: a chunk of the file, and some bytes for each read that it has."""
    report.format = "NEM13"
    frame = Frame("NEM13", report)
    lines = Lines(source, report)
    known: dict[_Key, int] = {}
    before: RegisterRead | None = None
    named = False
    for number, line in lines:
        fields = frame.admit(number, line)
        if fields is None:
            continue
        if fields[0] == "250":
            if before is not None and report.worst is not Verdict.REFUSE:
                yield before
            named = True
            before = _taken(number, fields, options.nem_offset, report, known)
        elif not named:
            note(report, NEM["R-550-BEFORE-250"], number)
        else:
            _take_visit(number, fields, before, report)
    if before is not None and report.worst is not Verdict.REFUSE:
        yield before
    frame.finish(lines.number, has_data=named)


def _taken(
    number: int, fields: list[str], offset: timedelta, report: FileReport, known: dict[_Key, int]
) -> RegisterRead | None:
    """The read of a 250; None where it is refused."""
    facts = dict(zip(FIELDS, fit(fields, 22, 23, report, number)[1:], strict=True))
    found: list[Found] = []
    if len(fields) == 22:
        found.append(("W-FIELDS", {}))
    point = checks.point(facts["NMI"], found)
    checks.suffix(facts["NMISuffix"], facts["NMIConfiguration"], found)
    if checks.usual_unit(facts["UOM"]) is None:
        found.append(("R-UOM", {"unit": facts["UOM"]}))
    if facts["DirectionIndicator"] not in {"E", "I"}:
        found.append(("R-DIRECTION", {"value": facts["DirectionIndicator"]}))
    begin, end = _period(facts, offset, found)
    _check_qualities(facts, found)
    updated = checks.version_stamp("UpdateDateTime", facts["UpdateDateTime"], offset, found)
    loaded = checks.version_stamp("MSATSLoadDateTime", facts["MSATSLoadDateTime"], offset, found)
    if not facts["UpdateDateTime"]:
        found.append(("W-UPDATE", {"field": "UpdateDateTime", "value": ""}))
    next_read = facts["NextScheduledReadDate"]
    if next_read and checks.day_of(next_read) is None:
        found.append(("R-DATE", {"field": "NextScheduledReadDate", "value": next_read}))
    for name in ("PreviousRegisterRead", "CurrentRegisterRead"):
        _check_number(name, facts[name], _READ, found)
    _check_number("Quantity", facts["Quantity"], _QUANTITY, found)
    _check_lengths(facts, found)
    _check_repeated(number, (point, facts["NMISuffix"], *(facts[name] for name in _SAME)), known, found)
    if note_all(report, number, found) or len(fields) < 22 or end is None:
        return None
    stream = Stream(point, facts["NMISuffix"], facts["MeterSerialNumber"], facts["UOM"], 0)
    return _judged(number, stream, facts, (begin, end, updated, loaded), offset, report)


_SAME = ("RegisterID", "MeterSerialNumber", "PreviousRegisterReadDateTime", "CurrentRegisterReadDateTime")


def _judged(
    number: int,
    stream: Stream,
    facts: dict[str, str],
    times: tuple[datetime | None, datetime, datetime | None, datetime | None],
    offset: timedelta,
    report: FileReport,
) -> RegisterRead:
    """A read whose form is right, with what its reads say about its quantity; the report counts it."""
    begin, end, updated, loaded = times
    previous, current = facts["PreviousRegisterRead"], facts["CurrentRegisterRead"]
    written = Decimal(facts["Quantity"])
    why = explained(previous, current, written, stream.unit)
    held = ""
    if not why:
        held = "QTY_NOT_READS"
        note(report, NEM[held], number, previous=previous, current=current, quantity=facts["Quantity"])
    elif why != EQUAL:
        note(report, NEM["W-QUANTITY-NOT-DIFFERENCE"], number, quantity=facts["Quantity"], why=why)
    if written < 0:
        note(report, NEM["W-NEGATIVE-QUANTITY"], number, quantity=facts["Quantity"])
    report.totals(stream).add(1, written, (end + offset).date())
    report.quality[facts["CurrentQualityMethod"]] += 1
    is_sign = facts["DirectionIndicator"] == "I" or why == "sign"
    return RegisterRead(
        stream=stream,
        line=number,
        begin=begin,
        end=end,
        begin_read=previous,
        end_read=current,
        begin_quality=facts["PreviousQualityMethod"],
        end_quality=facts["CurrentQualityMethod"],
        quantity=abs(written) if is_sign else written,
        direction=facts["DirectionIndicator"],
        explained=why,
        updated_at=updated,
        loaded_at=loaded,
        facts=facts,
        hold=held,
    )


def _take_visit(number: int, fields: list[str], before: RegisterRead | None, report: FileReport) -> None:
    names = ("PrevTransCode", "PrevRetServiceOrder", "CurrTransCode", "CurrRetServiceOrder")
    facts = dict(zip(names, fit(fields, 4, 5, report, number)[1:], strict=True))
    found: list[Found] = []
    for name, value in facts.items():
        if name.endswith("TransCode"):
            if value and value not in checks.TRANSACTIONS:
                found.append(("W-TRANS-CODE", {"value": value}))
        else:
            checks.too_long(name, value, 15, found)
    note_all(report, number, found)
    if before is not None:
        before.visits = (*before.visits, facts)


def _period(facts: dict[str, str], offset: timedelta, found: list[Found]) -> tuple[datetime | None, datetime | None]:
    """Begin and end in UTC; None where one is refused."""
    names = ("PreviousRegisterReadDateTime", "CurrentRegisterReadDateTime")
    begin, end = (checks.moment(facts[name], 14, offset) for name in names)
    found += [
        ("R-DATE", {"field": name, "value": facts[name]})
        for name, one in zip(names, (begin, end), strict=True)
        if one is None
    ]
    if begin and end and end < begin:
        found.append(("R-PERIOD", {"current": facts[names[1]], "previous": facts[names[0]]}))
    return begin, end


def _check_qualities(facts: dict[str, str], found: list[Found]) -> None:
    for when in ("Previous", "Current"):
        quality = facts[f"{when}QualityMethod"]
        if checks.quality(quality, may_vary=False, found=found):
            checks.reason(facts[f"{when}ReasonCode"], facts[f"{when}ReasonDescription"], quality[:1], found)
            if when == "Previous" and quality.startswith("E"):
                found.append(("W-PREVIOUS-ESTIMATE", {"quality": quality}))


def _check_number(name: str, text: str, form: re.Pattern[str], found: list[Found]) -> None:
    if not form.fullmatch(text) or len(text) > _LONGEST_NUMBER:
        code = "R-NEGATIVE" if form.fullmatch(text.removeprefix("-")) else "R-VALUE"
        found.append((code, {"where": name, "value": text, "more": ""}))


def _check_lengths(facts: dict[str, str], found: list[Found]) -> None:
    limits = {"RegisterID": 10, "MDMDataStreamIdentifier": 2, "MeterSerialNumber": 12}
    limits |= dict.fromkeys(("PreviousRegisterRead", "CurrentRegisterRead", "Quantity"), 15)
    for name, limit in limits.items():
        checks.too_long(name, facts[name], limit, found)


def _check_repeated(number: int, key: _Key, known: dict[_Key, int], found: list[Found]) -> None:
    """Notes a period of a register that is in the file already."""
    if (other := known.setdefault(key, number)) != number:
        found.append(("R-DUP-DAY", {"nmi": key[0], "suffix": key[1], "day": key[-1], "other": other}))
