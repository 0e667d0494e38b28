"""Green Button feeds: read and checked against a bare walk over the same rows by lxml; and the memory that it takes.

The walk is the usual loop: `iterparse`, value and start of each row as numbers, what was read is freed. It checks
nothing, joins no entries and makes no blocks.
"""

import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from lxml import etree

from billing_assets.metering.import_engine import espi
from billing_assets.metering.import_engine.messages import FileReport, IntervalBlock, Verdict
from billing_assets.metering.import_engine.options import DEFAULT
from proving.benchmarks.measure import Mark, Measure, Place, Round
from proving.benchmarks.world import alone

_ESPI = "{http://naesb.org/espi}"
_START = 1_325_394_000  # 2012-01-01 in New York
_A_DAY = 96
_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom">
 <entry><link rel="self" href="RetailCustomer/1/UsagePoint/1"/>
  <link rel="related" href="RetailCustomer/1/UsagePoint/1/MeterReading"/>
  <link rel="related" href="LocalTimeParameters/1"/>
  <content><UsagePoint xmlns="http://naesb.org/espi"><ServiceCategory><kind>0</kind></ServiceCategory></UsagePoint></content>
 </entry>
 <entry><link rel="self" href="LocalTimeParameters/1"/>
  <content><LocalTimeParameters xmlns="http://naesb.org/espi"><dstEndRule>B40E2000</dstEndRule>
   <dstOffset>3600</dstOffset><dstStartRule>360E2000</dstStartRule><tzOffset>-18000</tzOffset></LocalTimeParameters></content>
 </entry>
 <entry><link rel="self" href="RetailCustomer/1/UsagePoint/1/MeterReading/1"/><link rel="related" href="ReadingType/1"/>
  <content><MeterReading xmlns="http://naesb.org/espi"/></content>
 </entry>
"""
_TAIL = """ <entry><link rel="self" href="ReadingType/1"/>
  <content><ReadingType xmlns="http://naesb.org/espi"><accumulationBehaviour>4</accumulationBehaviour>
   <currency>840</currency><flowDirection>1</flowDirection><intervalLength>900</intervalLength><kind>12</kind>
   <powerOfTenMultiplier>-3</powerOfTenMultiplier><uom>72</uom></ReadingType></content>
 </entry>
</feed>
"""
_ROW = """    <IntervalReading>
     <cost>{cost}</cost>
     <timePeriod>
      <duration>900</duration>
      <start>{start}</start>
     </timePeriod>
     <value>{value}</value>
    </IntervalReading>
"""


def write_feed(file: BinaryIO, days: int) -> int:
    """Writes a feed of quarter hours with costs, an entry a day and the reading type last. Gives the number of rows."""
    file.write(_HEAD.encode())
    for day in range(days):
        rows = "".join(
            _ROW.format(cost=row % 977, start=_START + row * 900, value=row * 7919 % 100_003)
            for row in range(day * _A_DAY, (day + 1) * _A_DAY)
        )
        block = f"RetailCustomer/1/UsagePoint/1/MeterReading/1/IntervalBlock/{day}"
        head = f' <entry><link rel="self" href="{block}"/>\n  <content><IntervalBlock xmlns="http://naesb.org/espi">\n'
        end = "  </IntervalBlock></content>\n  <updated>2012-10-24T00:00:00Z</updated>\n </entry>\n"
        file.write(f"{head}{rows}{end}".encode())
    file.write(_TAIL.encode())
    return days * _A_DAY


def walked(source: BinaryIO) -> int:
    """Rows of a feed, by the walk."""
    count = total = 0
    start, value = f"{_ESPI}timePeriod/{_ESPI}start", f"{_ESPI}value"
    for _, row in etree.iterparse(source, tag=f"{_ESPI}IntervalReading"):
        total += int(row.findtext(value) or 0) + int(row.findtext(start) or 0)
        count += 1
        row.clear()
        parent = row.getparent()
        while parent is not None and row.getprevious() is not None:
            del parent[0]
    return count


def read(source: BinaryIO) -> int:
    """Rows of a feed, by our reader. Raises RuntimeError unless it accepts them without a finding."""
    report = FileReport()
    count = sum(len(one.values) for one in espi.read(source, DEFAULT, report) if isinstance(one, IntervalBlock))
    if report.worst is not Verdict.ACCEPT or report.counts:
        raise RuntimeError(f"the feed is not accepted as it is: {report.findings[:3]}")
    return count


def _speed(here: Place, small: bool) -> Iterator[Round]:
    content = BytesIO()
    rows = write_feed(content, 3 if small else 730)
    for _ in range(2 if small else 7):
        yield Round(_seconds(read, content, rows), _seconds(walked, content, rows), rows)


def _seconds(reader: Callable[[BinaryIO], int], content: BytesIO, rows: int) -> float:
    content.seek(0)
    began = time.process_time()
    found = reader(content)
    seconds = time.process_time() - began
    if found != rows:
        raise RuntimeError(f"{found} of {rows} rows were read")
    return seconds


def _memory(here: Place, small: bool) -> Iterator[Round]:
    few, many = (1, 10) if small else (1_000, 20_000)
    peaks, rows = [], 0
    for days in (few, many):
        path = here.folder / f"feed-{days}.xml"
        with path.open("wb") as file:
            rows = write_feed(file, days)
        peaks.append(alone(_read_file, str(path)).megabytes)
        path.unlink()
    yield Round(peaks[1], peaks[0], rows)


def _read_file(path: str) -> int:
    with Path(path).open("rb") as file:
        return read(file)


MEASURES = [
    Measure(
        "metering_espi",
        "a Green Button feed of two years of quarter hours, read and fully checked (CPU time)",
        "lxml's iterparse over its rows",
        "s",
        Mark(faster=0.5),
        0.2,
        _speed,
    ),
    Measure(
        "metering_espi_memory",
        "peak memory while a Green Button feed of 1,920,000 rows is read",
        "one of 96,000 rows",
        "MB",
        Mark(at_most=1.1, most=300),
        0.5,
        _memory,
    ),
]
