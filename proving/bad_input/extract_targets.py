"""The reader of extracts as a target of the fuzzer: whatever a metering system gave, it raises nothing, and what it
counts is what it gives."""

import io
import json
from decimal import Decimal
from typing import Any

from billing_assets.metering.import_engine.formats import read_file
from billing_assets.metering.import_engine.messages import (
    EXACT,
    FINDINGS_KEPT,
    FileReport,
    IntervalBlock,
    RegisterRead,
    Verdict,
)
from billing_assets.metering.import_engine.options import ReadOptions
from proving.bad_input.answers import storable

_READ = {
    "reading_id": "1",
    "nmi": "NMI0000001",
    "device_id": "D1",
    "serial_number": "M1",
    "register": "1",
    "suffix": "11",
    "read_at": "2026-07-01T00:00:00Z",
    "value": "250",
    "unit": "kWh",
    "quality": "A",
    "previous_at": "2026-06-01T00:00:00Z",
    "previous_value": "99950.5",
    "previous_quality": "A",
    "multiplier": "10",
    "digits": "5",
    "updated_at": "2026-07-01T06:00:00Z",
}
_ROW = {
    "nmi": "NMI0000001",
    "suffix": "E1",
    "serial_number": "M1",
    "unit": "kWh",
    "day": "2026-07-01",
    "length_seconds": "1800",
    "value": "0.125",
    "quality": "A",
    "updated_at": "2026-07-02T00:00:00Z",
}
_PRICE = {
    "tariff": "T",
    "component": "energy",
    "valid_from": "2026-07-01",
    "price": "0.3",
    "unit": "kWh",
    "currency": "AUD",
}
_OPTIONS = ReadOptions(extracts=True)


def seeds() -> list[bytes]:
    """Extracts of each resource, with rows that are odd, twice, and cut."""
    rows = [_ROW | {"starts_at": f"2026-06-30T{14 + n // 2}:{30 * (n % 2):02}:00Z"} for n in range(6)]
    whole = [
        _extract("meter_readings", _READ, _READ | {"read_at": "2026-08-01T00:00:00Z", "previous_at": _READ["read_at"]}),
        _extract("consumption", *rows, zone="Australia/Brisbane"),
        _extract("consumption", *rows, rows[0], rows[1] | {"value": "7"}, zone="Europe/Berlin"),
        _extract("tariffs", _PRICE),
        _extract("meter_readings", _READ | {"value": "1e400"}, {"nmi": None}, {"digits": [1]}),
    ]
    return [
        *whole,
        *(one[:-20] for one in whole),
        whole[0].replace(b'"records": 2', b'"records": 9'),
        b'{"extract": 1}\n',
    ]


def one_input(data: bytes) -> None:
    """Reads one input. Raises where it goes wrong."""
    report = FileReport()
    quantity, count = Decimal(0), 0
    for one in read_file(io.BytesIO(data), report, _OPTIONS):
        if isinstance(one, IntervalBlock):
            assert len(one.values) > 0
            assert one.start.tzinfo is not None
            count += len(one.values)
            quantity = EXACT.add(quantity, Decimal(sum(one.values.tolist())).scaleb(-one.decimals, EXACT))
        else:
            assert isinstance(one, RegisterRead)
            assert one.begin is not None
            assert one.end is not None
            assert one.begin < one.end
            count += 1
            quantity = EXACT.add(quantity, one.quantity)
    assert len(report.findings) == min(report.counts.total(), FINDINGS_KEPT)
    assert all(storable(one.sentence) and one.sentence for one in report.findings)
    if report.worst is Verdict.REFUSE:
        assert report.counts
        return
    totals = list(report.streams.values())
    assert count == sum(one.readings - one.repeated for one in totals), report
    for total in totals:
        quantity = EXACT.subtract(quantity, EXACT.subtract(total.sum, total.repeated_sum))
    assert quantity == 0, report


def _extract(resource: str, *records: dict[str, Any], **head: Any) -> bytes:
    first = {"extract": resource, "source": "metering", "version": 1, "records": len(records), **head}
    return b"".join(json.dumps(one).encode() + b"\n" for one in (first, *records))
