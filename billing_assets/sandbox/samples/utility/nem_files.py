"""NEM12 and NEM13 files as providers write them: CSV with CRLF, one member in a zip."""

import io
import zipfile
from collections.abc import Iterator
from datetime import date
from typing import TypeVar

from billing_assets.sandbox.samples.utility.chance import draw
from billing_assets.sandbox.samples.utility.clock import following, stamp
from billing_assets.sandbox.samples.utility.day_blocks import DayBlock, suffixes
from billing_assets.sandbox.samples.utility.outcomes import Item, Sending
from billing_assets.sandbox.samples.utility.points import PROVIDERS, US_NEM
from billing_assets.sandbox.samples.utility.register_reads import Read, register_suffixes

_QUALITY_REASON = {"S": ("76", "Communications"), "F": ("77", "Estimation forecast"), "N": ("78", "Null data")}
_Message = TypeVar("_Message", bound=Item)


def nem12(sending: Sending[DayBlock]) -> bytes:
    """The content of an interval file."""
    lines = [_header("NEM12", sending)]
    stream = None
    for block in sending.items:
        if stream != (named := (block.point.name, block.suffix, block.serial)):
            stream = named
            lines.append(_details(block))
        lines.extend(_day(block))
    return _closed(lines)


def nem13(sending: Sending[Read]) -> bytes:
    """The content of a file of reads."""
    lines = [_header("NEM13", sending)]
    for read in sending.items:
        lines.extend(_record(read))
    return _closed(lines)


def zipped(name: str, content: bytes, day: date) -> bytes:
    """A zip with the content alone; the same for the same day."""
    stored = io.BytesIO()
    with zipfile.ZipFile(stored, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(name, (day.year, day.month, day.day, 3, 0, 0)), content, zipfile.ZIP_DEFLATED)
    return stored.getvalue()


def _closed(lines: list[str]) -> bytes:
    return "\r\n".join([*lines, "900", ""]).encode()


def _header(version: str, sending: Sending[_Message]) -> str:
    return f"100,{version},{sending.day:%Y%m%d}0300,{PROVIDERS[sending.sender].name},{US_NEM}"


def _details(block: DayBlock) -> str:
    point = block.point
    unit = PROVIDERS[point.sender].unit if block.unit == "kWh" else "KVARH"
    configuration = "".join(suffixes(point))
    return f"200,{point.name},{configuration},{block.suffix},{block.suffix},N1,{block.serial},{unit},{point.length},"


def _day(block: DayBlock) -> Iterator[str]:
    values = ",".join(["%d.%03d" % divmod(value, 1_000) for value in block.values.tolist()])  # noqa: UP031  (fastest)
    reason, text = ("", "") if block.quality == "V" else _reason(block.quality)
    yield f"300,{block.day:%Y%m%d},{values},{block.quality},{reason},{text},{stamp(block.updated)},"
    for first, last, quality in block.events:
        reason, text = _reason(quality)
        yield f"400,{first},{last},{quality},{reason},{text}"


def _reason(quality: str) -> tuple[str, str]:
    return _QUALITY_REASON.get(quality[0], ("", ""))


def _record(read: Read) -> Iterator[str]:
    point = read.point
    reason, text = _reason(read.quality)
    yield ",".join((
        "250", point.name, "".join(register_suffixes(point)), "1" if read.suffix == "11" else "2", read.suffix,
        read.suffix, read.serial, "E", f"{read.begin_read:05}", stamp(read.begin), "A", "", "",
        f"{read.end_read:05}", stamp(read.end), read.quality, reason, text, str(read.kwh),
        PROVIDERS[point.sender].unit, f"{following(read.end.date(), 20):%Y%m%d}", stamp(read.updated), "",
    ))  # fmt: skip
    if read.alteration:
        yield "550,N,,A,"


# --- faults of whole files ------------------------------------------------------------------------------------------


def broken(fault: str, content: bytes) -> bytes:
    """What is there instead of a good file."""
    lines = content.split(b"\r\n")
    row = next((number for number, line in enumerate(lines) if line.startswith(b"300,")), 0)
    match fault:
        case "cut off":
            return b"\r\n".join(lines[: len(lines) * 2 // 3]) + b"\r\n"
        case "a value short":
            fields = lines[row].split(b",")
            lines[row] = b",".join(fields[:10] + fields[11:])
        case "quality without method":
            fields = lines[row].split(b",")
            lines[row] = b",".join([*fields[:-5], b"S", *fields[-4:]])
        case "joined":
            return content + content.replace(b",A,", b",F14,")
        case _:  # empty
            return b""
    return b"\r\n".join(lines)


def nem_name(sending: Sending[_Message], number: int) -> str:
    """The name of a file in the manner of the market, without its ending."""
    provider = PROVIDERS[sending.sender].name
    return f"{sending.lane.lower()}#{sending.day:%Y%m%d}{number:07}#{provider}#{US_NEM}"


def fitting(fault: str, sending: Sending[_Message]) -> bool:
    """Whether a file can have a fault."""
    return sending.lane == "NEM12" or fault in {"zipped twice", "cut off", "joined", "empty"}


def order(seed: int, sending: Sending[_Message]) -> int:
    """The order in which files are dealt to faults."""
    return draw(seed, "file", sending.lane, sending.day, sending.sender)
