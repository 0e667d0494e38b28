"""The readers of Green Button feeds and of CSV exports as targets of the fuzzer: one input goes to one of them.

Whatever a file is, the reader says what is wrong with it and raises nothing; and what it counts is what it gives.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal
from io import BytesIO
from xml.sax.saxutils import escape

from billing_assets.foundation.shipped import shipped
from billing_assets.metering.import_engine import csv_exports, espi
from billing_assets.metering.import_engine.csv_mapping import ColumnMapping, load_mapping
from billing_assets.metering.import_engine.messages import EXACT, FileReport, IntervalBlock, Message, Verdict
from billing_assets.metering.import_engine.options import DEFAULT

_MAPPINGS = [load_mapping(path.stem) for path in sorted(shipped("config/metering_mappings").glob("*.yaml"))]
_HEAD = '<feed xmlns="http://www.w3.org/2005/Atom" xmlns:e="http://naesb.org/espi">'
_POINT = (
    '<entry><link rel="self" href="/U/UsagePoint/1"/><link rel="related" href="/U/UsagePoint/1/MeterReading"/>'
    "<content><e:UsagePoint/></content></entry>"
    '<entry><link rel="self" href="/U/UsagePoint/1/MeterReading/1"/><link rel="related" href="/ReadingType/1"/>'
    "<content><e:MeterReading/></content></entry>"
)
_TYPE = (
    '<entry><link rel="self" href="/ReadingType/1"/><content><e:ReadingType><e:intervalLength>900</e:intervalLength>'
    "<e:powerOfTenMultiplier>{power}</e:powerOfTenMultiplier><e:uom>72</e:uom></e:ReadingType></content></entry>"
)
_CLOCK = (
    '<entry><link rel="self" href="/LocalTimeParameters/1"/><content><e:LocalTimeParameters>'
    "<e:dstEndRule>{end}</e:dstEndRule><e:dstOffset>3600</e:dstOffset><e:dstStartRule>{start}</e:dstStartRule>"
    "<e:tzOffset>{offset}</e:tzOffset></e:LocalTimeParameters></content></entry>"
)
_WORDS = (
    "",
    "0",
    "-1",
    "1.5",
    "1e3",
    " 7 ",
    "99999999999999999999",
    "x",
    "\u0664",
    "140737488355328",
)

WORDS = (
    "<entry>",
    "</entry>",
    "<e:IntervalBlock>",
    "</e:IntervalBlock>",
    "<e:IntervalReading>",
    "</e:IntervalReading>",
    "<e:timePeriod>",
    "<e:start>1330578000</e:start>",
    "<e:duration>900</e:duration>",
    "<e:value>1</e:value>",
    "<e:cost>1</e:cost>",
    "<e:quality>8</e:quality>",
    "<e:ReadingQuality>",
    "<!DOCTYPE a [<!ENTITY b 'c'>]>",
    "&amp;",
    "&#0;",
    "<![CDATA[",
    "]]>",
    "<!--",
    "-->",
    "xmlns:e='x'",
    "/IntervalBlock/1",
)
"""Pieces that the fuzzer puts together."""


def seeds() -> list[bytes]:
    """One input of each sort that comes far; the first byte chooses the target."""
    rows = b"".join(bytes([at, 10, at, 0, 0]) for at in range(12))
    feed = _feed(list(_rows(rows)), power="0")
    made = [b"\0" + feed, b"\0" + feed[: len(feed) // 2], b"\1" + rows, b"\1" + rows[::-1]]
    texts = [
        "NMI,METER SERIAL NUMBER,CON/GEN,DATE,ESTIMATED?,00:00 - 00:30"
        + ",x" * 47
        + "\n1,2,Consumption,01/Dec/2013,N"
        + ",0.1" * 48,
        "Start Time,End Time,NEM Time,Day,Channel Type,Channel Identifier,Price,Usage,Cost,Read Quality\n"
        ",,2026-04-12 00:30:00,,general,X1,9.4,1.0,9.4,ACTUAL\n",
        ",Januar,Januar\n[kWh],SA,FT\n00:00-00:15,1,2\n",
        ",period,weekday,h0\n2007-01-01 00:00:00,summer,1,0.08\n",
        ",GC,GG\n2011-07-01 00:00:00,0.392,0.0\n",
        "MPRN,Meter Serial Number,Read Value,Read Type,Read Date and End Time\n"
        "X,X,0.1,Active Import Interval (kWh),29-10-2023 01:30\n"
        "X,X,0.2,Active Import Interval (kWh),29-10-2023 01:30\n",
        "1e-5\n0.1\n",
        "start,value\n2015-11-22T00:00:00-06:00,1.5\n2015-11-23T00:00:00-06:00,nan\n",
    ]
    return made + [bytes([2, number]) + text.encode() for number in range(len(_MAPPINGS)) for text in texts]


def one_input(data: bytes) -> None:
    """Tries one input. Raises where it goes wrong."""
    if len(data) < 2:
        return
    _TARGETS[data[0] % len(_TARGETS)](data[1:])


def _raw(data: bytes) -> None:
    _check(data, _espi)


def _built(data: bytes) -> None:
    """A feed that is well-formed XML, with rows of odd numbers at odd times."""
    power = ("0", "-3", "3", "12", "-12", "4", "")[data[0] % 7]
    clock = ""
    if data[0] & 0x40:
        words = (data[:4].hex(), data[4:8].hex(), str(int.from_bytes(data[:3], "big", signed=True) % 86_400))
        clock = _CLOCK.format(end=words[0], start=words[1], offset=words[2])
    _check(_feed(list(_rows(data[1:])), power, clock), _espi)


def _rows(data: bytes) -> Iterator[str]:
    """A row of each five bytes: place, length, value, cost or quality, oddity."""
    for at in range(0, len(data) - 4, 5):
        place, length, value, more, odd = data[at : at + 5]
        start: object = 1_300_000_000 + place * 900 + (odd & 7) * 3600
        duration: object = (0, 900, 3600, 86_400, 2_592_000)[length % 5]
        texts = [str(start), str(duration), str((value - 100) * 10 ** (odd % 9))]
        if odd >= 240:
            texts[odd % 3] = _WORDS[more % len(_WORDS)]
        cost = f"<e:cost>{more}</e:cost>" if more & 1 else ""
        quality = f"<e:ReadingQuality><e:quality>{more // 8}</e:quality></e:ReadingQuality>" if more & 2 else ""
        time = f"<e:timePeriod><e:duration>{texts[1]}</e:duration><e:start>{texts[0]}</e:start></e:timePeriod>"
        parts = cost + quality + (time if odd & 8 == 0 else "")
        yield f"<e:IntervalReading>{parts}<e:value>{escape(texts[2])}</e:value></e:IntervalReading>"


def _feed(rows: list[str], power: str, clock: str = "") -> bytes:
    blocks = []
    for number in range(0, len(rows), 5):
        interval = f"<e:interval><e:start>{1_300_000_000 + number * 450}</e:start></e:interval>"
        link = f'<link rel="self" href="/U/UsagePoint/1/MeterReading/1/IntervalBlock/{number}"/>'
        content = f"<e:IntervalBlock>{interval}{''.join(rows[number : number + 5])}</e:IntervalBlock>"
        blocks.append(f"<entry>{link}<content>{content}</content><updated>2024-07-16T10:26:24Z</updated></entry>")
    return f"{_HEAD}{_POINT}{''.join(blocks)}{_TYPE.format(power=power)}{clock}</feed>".encode()


def _export(data: bytes) -> None:
    mapping = _MAPPINGS[data[0] % len(_MAPPINGS)]
    _check(data[1:], lambda source, report: _csv(source, mapping, report))


def _espi(source: BytesIO, report: FileReport) -> Iterator[Message]:
    return espi.read(source, DEFAULT, report)


def _csv(source: BytesIO, mapping: ColumnMapping, report: FileReport) -> Iterator[Message]:
    return csv_exports.read(source, mapping, report)


def _check(data: bytes, reader: Callable[[BytesIO, FileReport], Iterator[Message]]) -> None:
    report = FileReport()
    count, quantity = 0, Decimal(0)
    for block in reader(BytesIO(data), report):
        assert isinstance(block, IntervalBlock)
        count += len(block.values)
        quantity = EXACT.add(quantity, Decimal(sum(block.values.tolist())).scaleb(-block.decimals, EXACT))
        assert len(block.values) > 0
        assert 0 <= block.decimals <= 30
        assert block.costs is None or len(block.costs) == len(block.values)
        assert block.start.tzinfo is not None
        assert block.quality != "V" or block.runs[-1].last == len(block.values)
    assert all(finding.sentence for finding in report.findings)
    if report.worst is Verdict.REFUSE:
        assert report.counts
        return
    totals = list(report.streams.values())
    assert count == sum(one.readings - one.repeated for one in totals), report
    for one in totals:
        quantity = EXACT.subtract(quantity, EXACT.subtract(one.sum, one.repeated_sum))
    assert quantity == 0, report
    assert sum(report.quality.values()) == sum(one.readings for one in totals)


_TARGETS: tuple[Callable[[bytes], None], ...] = (_raw, _built, _export)
