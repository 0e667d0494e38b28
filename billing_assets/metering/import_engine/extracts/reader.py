"""Reads an extract: a head line, then a record a line. Reads and intervals become messages; master data and prices are
checked here, and loaded by who reads the file."""

import json
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple
from zoneinfo import ZoneInfo

from billing_assets.foundation.calendar.business_days import parse_zone
from billing_assets.metering.import_engine.extracts.codes import EXTRACTS
from billing_assets.metering.import_engine.extracts.contract import (
    RESOURCES,
    VERSION,
    FieldError,
    Resource,
    values_of,
)
from billing_assets.metering.import_engine.extracts.intervals import interval_blocks
from billing_assets.metering.import_engine.extracts.reads import register_reads
from billing_assets.metering.import_engine.findings import note
from billing_assets.metering.import_engine.messages import FileReport, Message
from billing_assets.metering.import_engine.options import ReadOptions

FORMAT = "extract"
_LONGEST_LINE = 100_000
Record = tuple[int, dict[str, Any]]
"""A record's line, and its values."""


class Head(NamedTuple):
    """What the first line says. `zone`: of the days of interval data. `records`: how many follow."""

    resource: Resource
    zone: ZoneInfo
    records: int


def recognises(head: bytes) -> bool:
    """Whether a file begins as an extract."""
    return head.startswith(b'{"extract":')


def read(source: BinaryIO, options: ReadOptions, report: FileReport) -> Iterator[Message]:
    """The messages of an extract, in bounded memory; what is wrong with it is in the report."""
    report.format = FORMAT
    if not options.extracts:
        note(report, EXTRACTS["R-EXTRACT-FOLDER"])
        return
    head = _head(source, report)
    if head is None:
        return
    found = records(source, head, report)
    if head.resource.name == "consumption":
        yield from interval_blocks(found, head.zone, report)
    elif head.resource.name == "meter_readings":
        yield from register_reads(found, report)
    else:
        for _ in found:
            pass


def extract_of(source: BinaryIO) -> tuple[Resource, Iterator[Record]] | None:
    """The resource and the records of an accepted extract; None where it is none."""
    report = FileReport()
    head = _head(source, report)
    return (head.resource, records(source, head, report)) if head else None


def records(source: BinaryIO, head: Head, report: FileReport) -> Iterator[Record]:
    """The records that can be read, by their lines; notes what is wrong with the others."""
    line = 1
    while text := source.readline(_LONGEST_LINE):
        line += 1
        try:
            found = _object(text)
            yield line, values_of(head.resource, found)
        except FieldError as error:
            note(report, EXTRACTS["R-EXTRACT-FIELD"], line, field=error.field, why=error.why)
        except ValueError as error:
            note(report, EXTRACTS["R-EXTRACT-LINE"], line, why=error)
            if not text.endswith(b"\n"):
                break  # the rest of a line that is too long says no more
    if line - 1 != head.records:
        note(report, EXTRACTS["R-EXTRACT-COUNT"], got=line - 1, want=head.records)


def _head(source: BinaryIO, report: FileReport) -> Head | None:
    try:
        found = _object(source.readline(_LONGEST_LINE))
        head = _head_of(found)
    except ValueError as error:
        note(report, EXTRACTS["R-EXTRACT-HEAD"], why=error)
        return None
    report.header |= {name: str(value) for name, value in found.items()}
    return head


def _head_of(found: dict[str, Any]) -> Head:
    resource, many = RESOURCES.get(str(found.get("extract"))), str(found.get("records"))
    if resource is None:
        raise ValueError(f"there is no resource “{found.get('extract')}”")
    if found.get("version") != VERSION:
        raise ValueError(f"version {found.get('version')} of extracts is not read here, {VERSION} is")
    if not (many.isascii() and many.isdigit() and len(many) <= 18):
        raise ValueError("it does not say how many records follow")
    return Head(resource, parse_zone(str(found.get("zone") or "UTC")), int(many))


def _object(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict):
        return found
    raise ValueError("it is not a JSON object")
