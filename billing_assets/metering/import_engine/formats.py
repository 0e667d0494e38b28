"""The registry of formats. A new one is a module with `recognises` and `read`, and a line in `FORMATS`."""

import codecs
import io
from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple

from billing_assets.metering.import_engine import csv_exports, espi, extracts, x12_reader
from billing_assets.metering.import_engine.findings import note
from billing_assets.metering.import_engine.messages import FileReport, Message, Verdict
from billing_assets.metering.import_engine.nem import nem12, nem13
from billing_assets.metering.import_engine.opening import HEAD_BYTES, LIMITS, Content, Limits, open_content
from billing_assets.metering.import_engine.opening_codes import OPENING
from billing_assets.metering.import_engine.options import DEFAULT, ReadOptions

BLANKS = b" \t\r\n"


class Format(NamedTuple):
    """A format. `recognises`: by a file's first 64 KB, without byte order mark and blanks before; never by a name."""

    name: str
    recognises: Callable[[bytes], bool]
    read: Callable[[BinaryIO, ReadOptions, FileReport], Iterator[Message]]


FORMATS: tuple[Format, ...] = (
    Format("NEM12", nem12.recognises, nem12.read),
    Format("NEM13", nem13.recognises, nem13.read),
    Format(espi.FORMAT, espi.recognises, espi.read),
    Format("X12", x12_reader.recognises, x12_reader.read),
    Format(extracts.FORMAT, extracts.recognises, extracts.read),
)
"""Every format that is read, in the order of asking."""

_OTHERS = (
    (b"STX=", "TRADACOMS, which is not read here: ask for the format of your market"),
    (b"UNA", "EDIFACT, which is not read here: ask for the format of your market"),
    (b"UNB", "EDIFACT, which is not read here: ask for the format of your market"),
    (b"\x1f\x8b", "compressed with gzip, which no market uses: ask for it plain or zipped"),
    (codecs.BOM_UTF16_LE, "text in UTF-16: ask for it in UTF-8"),
    (codecs.BOM_UTF16_BE, "text in UTF-16: ask for it in UTF-8"),
    (b"%PDF", "a PDF: ask for the data that it was made of"),
)


def read_file(
    file: BinaryIO, report: FileReport, options: ReadOptions = DEFAULT, limits: Limits = LIMITS
) -> Iterator[Message]:
    """The messages of a seekable file, whatever it is; what is wrong with it is in the report, never raised."""
    content = open_content(file, report, limits)
    if content is None:
        return
    if options.mapping is not None:
        yield from csv_exports.read(io.BufferedReader(content, 262_144), options.mapping, report)
        return
    found = recognised(content, report)
    if found is not None:
        yield from found.read(io.BufferedReader(content, 262_144), options, report)


def recognised(content: Content, report: FileReport) -> Format | None:
    """The format of a content, by what is in it; None where the report now says what it is instead."""
    if report.worst is Verdict.REFUSE:  # its zip is broken
        return None
    head = content.head.removeprefix(codecs.BOM_UTF8).lstrip(BLANKS)
    if not head:
        blank = all(not chunk.strip(BLANKS + codecs.BOM_UTF8) for chunk in iter(lambda: content.read(HEAD_BYTES), b""))
        late = f"blank for its first {HEAD_BYTES:,} bytes"
        note(report, OPENING["R-EMPTY"]) if blank else note(report, OPENING["R-FORMAT"], what=late)
        return None
    for one in FORMATS:
        if one.recognises(head):
            report.format = one.name
            return one
    what = next((what for start, what in _OTHERS if head.startswith(start)), None)
    note(report, OPENING["R-FORMAT"], what=what or f"of a kind that is not known: it starts with “{_start(head)}”")
    return None


def _start(head: bytes) -> str:
    return head[:16].split(b"\n")[0].decode("latin-1")
