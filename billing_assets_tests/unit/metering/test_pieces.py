"""What is found in a file does not depend on the pieces in which it arrives: on no buffer's end, on no short read."""

import dataclasses
import io
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_assets.metering.import_engine import csv_exports, espi, extracts, x12_reader
from billing_assets.metering.import_engine.csv_mapping import load_mapping
from billing_assets.metering.import_engine.messages import FileReport, Message
from billing_assets.metering.import_engine.nem import nem12, nem13
from billing_assets.metering.import_engine.options import DEFAULT, ReadOptions
from billing_assets_tests.unit.foundation.x12.samples import PAIR
from billing_assets_tests.unit.metering import nem_files, test_extracts
from billing_assets_tests.unit.metering.espi_writer import Reading, Row, Style, entries, feed

Read = Callable[[BinaryIO, FileReport], Iterator[Message]]


class Pieces(io.RawIOBase):
    """A file that is given in pieces, in turn as long as these, whatever is asked for."""

    def __init__(self, content: bytes, sizes: list[int]) -> None:
        super().__init__()
        self._content, self._sizes, self._at, self._number = content, sizes, 0, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        size = min(self._sizes[self._number % len(self._sizes)], len(buffer))
        self._number += 1
        found = self._content[self._at : self._at + size]
        buffer[: len(found)] = found
        self._at += len(found)
        return len(found)


def said(source: BinaryIO, read: Read) -> tuple[Any, ...]:
    """All that a reader makes of a file."""
    report = FileReport()
    messages = []
    for one in read(source, report):
        facts = {field.name: getattr(one, field.name) for field in dataclasses.fields(one)}
        messages.append({name: value.tolist() if hasattr(value, "tolist") else value for name, value in facts.items()})
    totals = {
        stream: (one.readings, one.sum, one.repeated, one.repeated_sum, one.first, one.last)
        for stream, one in report.streams.items()
    }
    return messages, report.findings, report.counts, report.worst, totals, report.quality, report.header


_STREAM = nem_files.STREAM
_READ = (
    "250,VABD000163,1141,1,11,11,METER1,E,099900,20240101080000,A,,,000150,20240401080000,E64,77,Text,250.5,kWh,20240701,"
    "20240402010000,20240402020000"
)
_EVENTS = ("400,1,20,S14,76,Comms", "400,21,48,A,,", "500,N,S1,20240317000001,001234.5")
_VARIES = nem_files.day("20050316", tail="V,,,20050317014209,")
_ROWS: list[Row] = [(1_330_578_000 + 3600 * hour, 3600, hour * 10, None, None) for hour in range(12)]
_START_AND_VALUE = "start,value\n" + "".join(f"2015-11-{day:02}T00:00:00-06:00,{day}.5\n" for day in range(1, 20))
_SPOT = (
    "Start Time,End Time,NEM Time,Day,Channel Type,Channel Identifier,Price,Usage,Cost,Read Quality\n"
    ",,2026-04-12 00:30:00,,general,X1,9.4,1.0,9.4,ACTUAL\n,,2026-04-12 00:35:00,,general,X1,9.4,2.0,18.8,ACTUAL\n"
)
_EXTRACT_OPTIONS = ReadOptions(extracts=True)

FORMATS: dict[str, tuple[Read, list[bytes]]] = {
    "NEM12": (
        lambda source, report: nem12.read(source, DEFAULT, report),
        [
            nem_files.nem12(_STREAM, nem_files.day(), _VARIES, *_EVENTS),
            nem_files.nem12(_STREAM, nem_files.day(), _STREAM.replace("E1,N1", "B1,N2"), nem_files.day()),
        ],
    ),
    "NEM13": (
        lambda source, report: nem13.read(source, DEFAULT, report),
        [nem_files.nem13(_READ, "550,N,S1,A,S2", _READ.replace(",11,11,", ",41,41,"))],
    ),
    "Green Button": (
        lambda source, report: espi.read(source, DEFAULT, report),
        [feed(entries([Reading("1", "1", blocks=[_ROWS[:7], _ROWS[7:]])], Style(prefix="e:")))],
    ),
    "X12": (lambda source, report: x12_reader.read(source, DEFAULT, report), [PAIR.encode(), (PAIR + PAIR).encode()]),
    "CSV": (
        lambda source, report: csv_exports.read(source, load_mapping("start-and-value"), report),
        [_START_AND_VALUE.encode()],
    ),
    "CSV of a retailer": (
        lambda source, report: csv_exports.read(source, load_mapping("au-retailer-spot"), report),
        [_SPOT.encode()],
    ),
    "extract": (
        lambda source, report: extracts.read(source, _EXTRACT_OPTIONS, report),
        [
            test_extracts.extract("meter_readings", test_extracts.READ, test_extracts.READ),
            test_extracts.extract("consumption", *test_extracts.day("1", "2", "3")),
        ],
    ),
}
ODD = [b"\0", b"\r", b"\n", b"\r\n", b"\xef\xbb\xbf", b"\xff", "\u00fc".encode(), b",", b"<", b">", b"&", b"~", b" "]
ODD += [b"-", b'"', b"9" * 100, b"1" * 70_000, b"</e:value>", b"<!DOCTYPE a>", b"ISA*", b"x" * 140_000]


@st.composite
def files(draw: st.DrawFn, whole: list[bytes]) -> tuple[bytes, list[int]]:
    """A file in which some bytes may be odd, and the sizes of the pieces that it comes in."""
    content = draw(st.sampled_from(whole))
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(content)))
        content = content[:at] + draw(st.sampled_from(ODD)) + content[at + draw(st.integers(0, 3)) :]
    return content, draw(st.lists(st.integers(1, 3_000), min_size=1, max_size=5))


@pytest.mark.parametrize("name", FORMATS)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_messages_and_findings_are_the_same_in_any_pieces(name: str, data: st.DataObject) -> None:
    read, whole = FORMATS[name]
    content, sizes = data.draw(files(whole))
    assert said(cast("BinaryIO", Pieces(content, sizes)), read) == said(io.BytesIO(content), read)
