"""The lines of a file in bounded memory, numbered; what is no text is noted, and left out."""

import codecs
from collections.abc import Iterator
from typing import BinaryIO

from billing_assets.metering.import_engine.findings import note
from billing_assets.metering.import_engine.messages import FileReport
from billing_assets.metering.import_engine.nem.codes import NEM

CHUNK_BYTES = 262_144
LONGEST_LINE = 65_536
"""A day of minutes with the longest numbers has 26,000 bytes."""


class Lines:
    """Iterates over (number, line without its end). `number`: of the last line so far."""

    def __init__(self, source: BinaryIO, report: FileReport) -> None:
        self.number = 0
        self._source = source
        self._report = report

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        for block in self._blocks():
            plain = block.isascii() and b"\0" not in block and block.count(b"\r") == block.count(b"\r\n")
            lines = block.split(b"\n")
            if not lines[-1]:
                del lines[-1]  # what is after the last line's end
            for line in lines:
                self.number += 1
                text = line.removesuffix(b"\r")
                if (plain and len(line) <= LONGEST_LINE) or self._is_text(text):
                    yield self.number, text

    def _blocks(self) -> Iterator[bytes]:
        """Whole lines, many at a time. Of a line that is too long only the beginning is kept."""
        rest = b""
        for chunk in self._chunks():
            end = chunk.rfind(b"\n") + 1
            if end:
                yield rest + chunk[:end]
                rest = chunk[end:]
            else:
                rest = _beginning(rest + chunk)
        if rest:
            yield rest

    def _chunks(self) -> Iterator[bytes]:
        """The bytes of the file behind a byte order mark, which may come in pieces itself."""
        begin = b""
        while len(begin) < len(codecs.BOM_UTF8) and (chunk := self._source.read(CHUNK_BYTES)):
            begin += chunk
        if begin.startswith(codecs.BOM_UTF8):
            note(self._report, NEM["W-BOM"])
            begin = begin[len(codecs.BOM_UTF8) :]
        yield begin
        while chunk := self._source.read(CHUNK_BYTES):
            yield chunk

    def _is_text(self, line: bytes) -> bool:
        what = "NUL character" if b"\0" in line else "carriage return" if b"\r" in line else ""
        if what:
            note(self._report, NEM["R-TEXT"], self.number, what=what)
            return False
        if len(line) > LONGEST_LINE:
            note(self._report, NEM["R-LINE-LENGTH"], self.number, limit=f"{LONGEST_LINE:,}")
            return False
        try:
            line.decode()
        except UnicodeDecodeError as error:
            note(self._report, NEM["R-ENCODING"], self.number, value=line[max(0, error.start - 20) : error.end + 1])
            return False
        return True


def _beginning(line: bytes) -> bytes:
    """What is kept of a line that has not ended: if it is too long, its beginning, and what it must not have."""
    kept, left = line[: LONGEST_LINE + 1], line[LONGEST_LINE + 1 :]
    return kept + (b"\0" if b"\0" in left else b"") + (b"\r" if b"\r" in left else b"")
