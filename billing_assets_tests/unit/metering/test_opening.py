"""A file is opened by what is in it, within limits; whatever is wrong with it is a sentence, never an error."""

import gzip
import hashlib
import io
import struct
import zipfile
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_assets.metering.import_engine.formats import read_file
from billing_assets.metering.import_engine.messages import FileReport, Verdict
from billing_assets.metering.import_engine.opening import HEAD_BYTES, LIMITS, Limits, open_content

TEXT = b"100,NEM12,200405011135,MDA1,Ret1\r\n900\r\n"


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of these members."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return made.getvalue()


def opened(data: bytes, limits: Limits = LIMITS) -> tuple[bytes, list[str], str | None]:
    """The content of a file, the codes of what is wrong with it, and its hash."""
    report = FileReport()
    content = open_content(io.BytesIO(data), report, limits)
    text = content.readall() if content else None
    assert (report.worst is Verdict.REFUSE) == bool(report.counts)
    assert all(one.sentence for one in report.findings)
    return text or b"", list(report.counts), content.sha256() if content else None


def codes(data: bytes) -> list[str]:
    """What reading a file finds."""
    report = FileReport()
    assert not list(read_file(io.BytesIO(data), report))
    return list(report.counts)


@pytest.mark.parametrize("name", ["a.csv", "nem12#1#A#B.V01", "no ending", "x.zip", "folder/a.csv", "ä.CSV"])
def test_a_zip_is_read_whatever_its_member_is_called(name: str) -> None:
    assert opened(zipped((name, TEXT))) == (TEXT, [], hashlib.sha256(TEXT).hexdigest())


def test_the_same_content_has_one_hash_zipped_or_not() -> None:
    long = b"".join(b"%d,%d\n" % (n, n * n % 7919) for n in range(30_000))
    hashes = {opened(one)[2] for one in (long, zipped(("a", long)), zipped(("b", long), method=zipfile.ZIP_STORED))}
    assert hashes == {hashlib.sha256(long).hexdigest()}
    report = FileReport()
    content = open_content(io.BytesIO(zipped(("a", long))), report)
    assert content is not None
    assert content.head == long[:HEAD_BYTES]
    assert content.sha256() in hashes, "also when no reader has read it"


def encrypted() -> bytes:
    """A zip that says its member is encrypted."""
    data = bytearray(zipped(("a", TEXT)))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.index(mark) + offset
        struct.pack_into("<H", data, at, struct.unpack_from("<H", data, at)[0] | 1)
    return bytes(data)


def lying(size: int) -> bytes:
    """A zip that says that its member has so many bytes."""
    data = bytearray(zipped(("a", b"1" * 100_000)))
    for mark, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", data, data.index(mark) + offset, size)
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (zipped(), "R-ZIP-MEMBERS"),
        (zipped(("a", TEXT), ("b", TEXT)), "R-ZIP-MEMBERS"),
        (zipped(("folder/", b"")), "R-ZIP-MEMBERS"),
        (encrypted(), "R-ZIP-ENCRYPTED"),
        (zipped(("../a", TEXT)), "R-ZIP-PATH"),
        (zipped(("x/../../a", TEXT)), "R-ZIP-PATH"),
        (zipped(("..\\a", TEXT)), "R-ZIP-PATH"),
        (zipped(("/etc/a", TEXT)), "R-ZIP-PATH"),
        (zipped(("XYZ", TEXT)).replace(b"XYZ", b"\0YZ"), "R-ZIP-PATH"),
        (zipped(("C:\\a", TEXT)), "R-ZIP-PATH"),
        (zipped(("\\\\host\\a", TEXT)), "R-ZIP-PATH"),
        (zipped(("a", b"0" * 1_000_000)), "R-ZIP-RATIO"),
        (lying(2_000_000_000), "R-ZIP-SIZE"),
        (lying(100), "R-ZIP-BROKEN"),
        (zipped(("a", zipped(("b", TEXT)))), "R-ZIP-NESTED"),
        (zipped(("a", TEXT), method=zipfile.ZIP_LZMA), "R-ZIP-BROKEN"),
        (zipped(("a", TEXT))[:-30], "R-ZIP-BROKEN"),
        (zipped(("a", TEXT))[:9], "R-ZIP-BROKEN"),
        (zipped(*((f"{n:0200}", b"") for n in range(5_000))), "R-ZIP-BROKEN"),
    ],
)
def test_a_zip_that_is_not_one_plain_file_is_refused(data: bytes, code: str) -> None:
    assert opened(data)[1] == [code]
    assert codes(data) == [code]


def test_a_zip_with_a_thousand_members_is_not_taken_into_memory() -> None:
    report = FileReport()
    assert open_content(io.BytesIO(zipped(*((f"{n:0200}", b"") for n in range(5_000)))), report) is None
    assert "its list of members is longer than that of one file" in report.findings[0].sentence


def test_the_limits_are_options() -> None:
    bomb = zipped(("a", b"0" * 1_000_000))
    assert opened(bomb, Limits(max_ratio=2000))[1] == []
    assert opened(TEXT, Limits(max_bytes=len(TEXT)))[:2] == (TEXT, [])
    assert opened(TEXT, Limits(max_bytes=len(TEXT) - 1))[1] == ["R-SIZE"]
    assert opened(zipped(("a", TEXT)), Limits(max_bytes=len(TEXT) - 1))[1] == ["R-ZIP-SIZE"]


@given(st.binary(max_size=300), st.integers(0, 200), st.binary(min_size=1, max_size=4))
@settings(max_examples=300, deadline=None)
def test_no_damage_to_a_zip_raises(text: bytes, at: int, other: bytes) -> None:
    data = bytearray(zipped(("a.csv", text)))
    at %= len(data)
    data[at : at + len(other)] = other
    found, said, _ = opened(bytes(data))
    assert said or found == text or bytes(data[:4]) not in (b"PK\3\4", b"PK\5\6")
    codes(bytes(data))


def utf16(text: bytes) -> Iterable[bytes]:
    """A text in both orders of bytes."""
    return (text.decode().encode("utf-16"), b"\xfe\xff" + text.decode().encode("utf-16-be"))


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        (b"", "R-EMPTY", "empty"),
        (b" \r\n\t\n", "R-EMPTY", "empty"),
        (b"\n" * 200_000, "R-EMPTY", "empty"),
        (b"\xef\xbb\xbf", "R-EMPTY", "empty"),
        (zipped(("a", b"")), "R-EMPTY", "empty"),
        (b"\n" * 200_000 + TEXT, "R-FORMAT", "blank"),
        (b"STX=ANA:1+5000000000000:X'", "R-FORMAT", "TRADACOMS"),
        (b"UNA:+.? 'UNB+UNOC:3'", "R-FORMAT", "EDIFACT"),
        (b"UNB+UNOC:3+X'", "R-FORMAT", "EDIFACT"),
        (gzip.compress(TEXT, mtime=0), "R-FORMAT", "gzip"),
        *((one, "R-FORMAT", "UTF-16") for one in utf16(TEXT)),
        (b"%PDF-1.7", "R-FORMAT", "PDF"),
        (b"\x00\x01\x02", "R-FORMAT", "not known"),
        (b"hello", "R-FORMAT", "starts with “hello”"),
        (b"\x1b[31mred", "R-FORMAT", "[U+001B][31mred"),
    ],
)
def test_what_is_no_market_format_is_refused_with_what_it_is(data: bytes, code: str, words: str) -> None:
    report = FileReport()
    assert not list(read_file(io.BytesIO(data), report))
    assert [one.code for one in report.findings] == [code]
    assert words in report.findings[0].sentence
    assert report.worst is Verdict.REFUSE
    assert not report.format
