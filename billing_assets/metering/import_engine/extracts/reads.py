"""Register reads of an extract: a read with the one before it, and the quantity between them."""

from collections.abc import Iterable, Iterator
from decimal import Decimal, localcontext
from typing import Any

from billing_assets.metering.import_engine.extracts.codes import EXTRACTS
from billing_assets.metering.import_engine.findings import note
from billing_assets.metering.import_engine.messages import EXACT, FileReport, RegisterRead, Stream
from billing_assets.metering.import_engine.nem.fields import DEMAND, usual_unit
from billing_assets.metering.import_engine.nem.quantity import EQUAL

_NEARLY_FULL = Decimal("0.9")
"""A register rolls over only from a read that is at least this part of what its dials can show."""


def register_reads(records: Iterable[tuple[int, dict[str, Any]]], report: FileReport) -> Iterator[RegisterRead]:
    """The reads that have one before them, each counted in `report`."""
    for line, one in records:
        if one["previous_at"] is None or one["previous_value"] is None:
            note(report, EXTRACTS["W-FIRST-READ"], line)
            continue
        if one["previous_at"] >= one["read_at"]:
            note(report, EXTRACTS["R-EXTRACT-PERIOD"], line, begin=one["previous_at"], end=one["read_at"])
            continue
        yield _read(line, one, report)


def _read(line: int, one: dict[str, Any], report: FileReport) -> RegisterRead:
    before, after = one["previous_value"], one["value"]
    quantity, why = counted(before, after, one["multiplier"] or Decimal(1), one["digits"], one["unit"])
    hold = ""
    if not why:
        hold = "H-NEGATIVE-USE"
        note(report, EXTRACTS[hold], line, before=before, after=after)
    stream = Stream(one["nmi"], one["suffix"], one["serial_number"], one["unit"], 0)
    report.totals(stream).add(1, quantity, one["read_at"].date())
    report.quality[one["quality"]] += 1
    facts = {
        "RegisterID": one["register"],
        "Quantity": f"{quantity:f}",
        "ReadingID": one["reading_id"],
        "DeviceID": one["device_id"],
        "Reason": one["reason"] or "",
        "Version": one["version"] or "",
    }
    return RegisterRead(
        stream=stream,
        line=line,
        begin=one["previous_at"],
        end=one["read_at"],
        begin_read=_dials(before, one["digits"]),
        end_read=_dials(after, one["digits"]),
        begin_quality=one["previous_quality"] or "A",
        end_quality=one["quality"],
        quantity=quantity,
        explained=why,
        updated_at=one["updated_at"],
        facts=facts,
        hold=hold,
    )


def counted(before: Decimal, after: Decimal, multiplier: Decimal, digits: int | None, unit: str) -> tuple[Decimal, str]:
    """The quantity between two reads, after multiplier and rollover, and what explains it; empty where the register
    fell and was not nearly full. A demand register shows the demand itself."""
    with localcontext(EXACT):
        times = "" if multiplier == 1 else f"multiplier {multiplier:f}"
        if usual_unit(unit) in DEMAND:
            return after * multiplier, f"demand {times}".strip()
        difference = after - before
        if difference >= 0:
            return difference * multiplier, times or EQUAL
        full = Decimal(10) ** digits if digits else None
        if full is not None and after < full and _NEARLY_FULL * full <= before < full:
            return (difference + full) * multiplier, f"rollover {times}".strip()
        return difference * multiplier, ""


def _dials(value: Decimal, digits: int | None) -> str:
    """A read as on the dials, with leading zeros where it is known how many there are."""
    whole, point, part = f"{value:f}".partition(".")
    return whole.zfill(digits or 0) + point + part
