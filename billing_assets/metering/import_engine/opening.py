"""A file as the stream of its content, zipped or not, within limits. What is wrong with it is noted, never raised."""

import hashlib
import io
import struct
import zipfile
import zlib
from dataclasses import dataclass
from typing import IO, BinaryIO

from billing_assets.metering.import_engine.findings import note
from billing_assets.metering.import_engine.messages import FileReport
from billing_assets.metering.import_engine.opening_codes import OPENING

HEAD_BYTES = 65_536
_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_MOST_AT_ONCE = 1_048_576
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    ValueError,
)
"""What the standard library raises for a zip that is none."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a file's content may be: in bytes, and as a multiple of its zip."""

    max_bytes: int = 500_000_000
    max_ratio: int = 200


LIMITS = Limits()


class Content(io.RawIOBase):
    """A file's content. `head`: its first 64 KB, which are still to be read. `member`: its name in the zip."""

    def __init__(self, source: IO[bytes], report: FileReport, limits: Limits, member: str | None = None) -> None:
        super().__init__()
        self.member = member
        self.size = 0
        self._source = source
        self._report = report
        self._limits = limits
        self._hash = hashlib.sha256()
        self._ended = False
        self.head = b""
        while len(self.head) < HEAD_BYTES and (chunk := self._next(HEAD_BYTES - len(self.head))):
            self.head += chunk
        self._left = memoryview(self.head)

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]  # typeshed names no common buffer
        """Reads on; ends early where the zip is broken or the file too large, which the report then says."""
        chunk = self._left[: len(buffer)] if self._left else self._next(len(buffer))
        if self._left:
            self._left = self._left[len(chunk) :]
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def sha256(self) -> str:
        """The content's hash; reads it to its end."""
        while self._next(HEAD_BYTES):
            pass
        return self._hash.hexdigest()

    def _next(self, most: int) -> bytes:
        if self._ended:
            return b""
        try:
            chunk = self._source.read(min(most, _MOST_AT_ONCE))
        except _BROKEN as error:
            note(self._report, OPENING["R-ZIP-BROKEN"], why=str(error) or type(error).__name__)
            chunk = b""
        if self.size + len(chunk) > self._limits.max_bytes:
            note(self._report, OPENING["R-SIZE"], limit=f"{self._limits.max_bytes:,}")
            chunk = b""
        self._ended = not chunk
        self.size += len(chunk)
        self._hash.update(chunk)
        return chunk


def open_content(file: BinaryIO, report: FileReport, limits: Limits = LIMITS) -> Content | None:
    """The content of a seekable file; None where the report now says why there is none to be read.

    A zip has one file in it, whatever its name: not encrypted, not under a path that leads elsewhere, no zip itself.
    """
    is_zip = file.read(4) in _ZIP
    file.seek(0)
    if not is_zip:
        return Content(file, report, limits)
    try:
        content = _unzipped(file, report, limits)
    except _BROKEN as error:
        note(report, OPENING["R-ZIP-BROKEN"], why=str(error) or type(error).__name__)
        return None
    if content is not None and content.head.startswith(_ZIP):
        note(report, OPENING["R-ZIP-NESTED"])
        return None
    return content


def _unzipped(file: BinaryIO, report: FileReport, limits: Limits) -> Content | None:
    archive = zipfile.ZipFile(_Sips(file))
    members = archive.infolist()
    if len(members) != 1 or members[0].orig_filename.endswith("/"):
        note(report, OPENING["R-ZIP-MEMBERS"], members=len(members))
        return None
    (member,) = members
    if member.flag_bits & 0x41:  # either way of encryption
        note(report, OPENING["R-ZIP-ENCRYPTED"])
        return None
    if _leads_elsewhere(member.orig_filename):
        note(report, OPENING["R-ZIP-PATH"], name=member.orig_filename)
        return None
    if member.file_size > limits.max_bytes:
        note(report, OPENING["R-ZIP-SIZE"], size=f"{member.file_size:,}", limit=f"{limits.max_bytes:,}")
        return None
    ratio = -(-member.file_size // max(member.compress_size, 1))
    if ratio > limits.max_ratio:
        note(report, OPENING["R-ZIP-RATIO"], ratio=f"{ratio:,}", limit=limits.max_ratio)
        return None
    if member.compress_type not in _METHODS:
        raise NotImplementedError(f"compression method {member.compress_type} is not one of zip's usual two")
    return Content(archive.open(member), report, limits, member.filename)


def _leads_elsewhere(name: str) -> bool:
    parts = name.replace("\\", "/").split("/")
    return not parts[0] or ".." in parts or ":" in parts[0] or "\0" in name


class _Sips:
    """A file that is read in small amounts only: a list of a million members is not taken into memory."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.tell = file.tell

    def seek(self, offset: int, whence: int = 0) -> int:
        if offset < 0 and whence == io.SEEK_SET:
            raise zipfile.BadZipFile("it points before its beginning")
        return self._file.seek(offset, whence)

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        chunk = self._file.read(_MOST_AT_ONCE + 1 if size < 0 else min(size, _MOST_AT_ONCE + 1))
        if len(chunk) > _MOST_AT_ONCE:
            raise zipfile.BadZipFile("its list of members is longer than that of one file")
        return chunk
