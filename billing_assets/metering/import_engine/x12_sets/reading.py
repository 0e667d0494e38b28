"""A set of any type: its content, its keys, its quantities and its total, as people and other rooms ask for them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from billing_assets.foundation.money import canonical
from billing_assets.foundation.outside_text import code, visible
from billing_assets.foundation.x12.segments import Segment
from billing_assets.metering.import_engine.messages import Finding
from billing_assets.metering.import_engine.x12_sets.charges import FINAL, read_charges
from billing_assets.metering.import_engine.x12_sets.codes import finding
from billing_assets.metering.import_engine.x12_sets.enrolment import read_enrolment
from billing_assets.metering.import_engine.x12_sets.options import SetOptions
from billing_assets.metering.import_engine.x12_sets.remittance import read_remittance
from billing_assets.metering.import_engine.x12_sets.usage import read_usage


@dataclass(slots=True)
class SetRead:
    """What a set says. `keys`: those that it has. `quantities`: by unit (MEA04). `total`: money with two decimals."""

    content: Any = None
    findings: list[Finding] = field(default_factory=list)
    keys: dict[str, str] = field(default_factory=dict)
    quantities: dict[str, str] = field(default_factory=dict)
    total: str | None = None


def read_set(kind: str, segments: Sequence[Segment], options: SetOptions) -> SetRead:
    """Reads a set by its ST01, whatever its form. A type that is not known has no content, and a warning."""
    if kind == "867":
        return _usage(segments, options)
    if kind == "810":
        return _charges(segments, options)
    if kind == "814":
        return _enrolment(segments, options)
    if kind == "820":
        return _remittance(segments)
    if kind in {"824", "997"}:
        return SetRead(keys=_answer_keys(segments))
    sentence = f"Sets {kind[:10]!r} are stored and shown, and have no effect here."
    return SetRead(findings=[finding("UNKNOWN_SET", segments[0].position, sentence)])


def _usage(segments: Sequence[Segment], options: SetOptions) -> SetRead:
    usage, found = read_usage(segments, options)
    keys = _keys(
        point=usage.point,
        id=usage.id,
        purpose=usage.purpose,
        refers_to=usage.refers_to,
        start=usage.start,
        end=usage.end,
        due=usage.due_on,
        report_type=usage.report_type,
        estimated=_flag(usage.is_estimated),
        final=_flag(usage.is_final),
        utility=usage.utility,
    )
    quantities = {_text(unit): canonical(quantity) for unit, quantity in usage.quantities.items()}
    return SetRead(usage, found, keys, quantities)


def _charges(segments: Sequence[Segment], options: SetOptions) -> SetRead:
    charges, found = read_charges(segments, options)
    keys = _keys(
        point=charges.point,
        id=charges.id,
        purpose=charges.purpose,
        kind=charges.kind,
        cross_reference=charges.cross_reference,
        refers_to=charges.refers_to,
        start=charges.start,
        end=charges.end,
        due=charges.due_on,
        final=_flag(charges.kind == FINAL),
        utility=charges.utility,
    )
    return SetRead(charges, found, keys, {}, None if charges.amount is None else f"{charges.amount:.2f}")


def _enrolment(segments: Sequence[Segment], options: SetOptions) -> SetRead:
    read, found = read_enrolment(segments, options)
    keys = _keys(
        point=read.point,
        id=read.id,
        purpose=read.purpose,
        refers_to=read.refers_to,
        start=read.starts_on,
        utility=read.utility,
    )
    return SetRead(read, found, keys)


def _remittance(segments: Sequence[Segment]) -> SetRead:
    read, found = read_remittance(segments)
    keys = _keys(id=read.trace, paid=read.paid_on)
    return SetRead(read, found, keys, {}, None if read.total is None else f"{read.total:f}")


def _answer_keys(segments: Sequence[Segment]) -> dict[str, str]:
    """What a 997 or an 824 is about; the answer itself is for the one who waits for it."""
    keys: dict[str, str] = {}
    for segment in segments:
        if segment.id == "AK1":
            keys |= _keys(group_type=segment.at(1), group=segment.at(2))
        elif segment.id == "AK9":
            keys |= _keys(acknowledgement=segment.at(1))
        elif segment.id == "BGN":
            keys |= _keys(id=segment.at(2), purpose=segment.at(1), refers_to=segment.at(6))
    return keys


def _flag(found: bool) -> str:
    return "true" if found else "false"


def _keys(**found: str | date | None) -> dict[str, str]:
    return {name: _text(value) for name, value in found.items() if value}


def _text(value: str | date) -> str:
    """A key as a table, a log and a terminal can have it."""
    if isinstance(value, date):
        return value.isoformat()
    return value if value.isprintable() else visible(value).replace("\n", code("\n"))
