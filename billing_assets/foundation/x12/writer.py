"""An interchange from its sets: padding, counts, control numbers. A pure function: the same input, the same bytes."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from billing_assets.foundation.errors import BillingError
from billing_assets.foundation.x12.delimiters import WIDTHS, Delimiters
from billing_assets.foundation.x12.findings import quoted

USUAL = Delimiters("*", ">", "~")
"""The delimiters of nearly everyone."""

IN_VALUES = " .,-/"
"""What numbers, dates and names have in them: never a delimiter of ours."""

LAST_CONTROL = 999_999_999

Elements = tuple[str, ...]
"""A segment as it is to be written: its id and its elements. Empty ones at the end are not written."""


class UnwritableX12Error(BillingError):
    """A text cannot be written: it has a delimiter or a control character in it, is no Latin-1, or is too long."""

    to_do = "Correct it where it comes from, or give the partner other delimiters."

    def __init__(self, what: str, text: str, why: str) -> None:
        super().__init__(f"{what} {quoted(text)} cannot be written as X12: it {why}.")


class SetToWrite(NamedTuple):
    """A set. `segments`: those between ST and SE."""

    type: str
    control: str
    segments: Sequence[Elements]


class GroupToWrite(NamedTuple):
    """A group. `type`: GS01."""

    type: str
    sender: str
    receiver: str
    control: int
    sets: Sequence[SetToWrite]
    version: str = "004010"


class InterchangeToWrite(NamedTuple):
    """An interchange. `written_at`: date and time in its ISA and in every GS, on the clock that the partner wants."""

    sender_qualifier: str
    sender: str
    receiver_qualifier: str
    receiver: str
    control: int
    usage: str
    written_at: datetime
    groups: Sequence[GroupToWrite]
    acknowledged: Sequence[Elements] = ()  # TA1
    delimiters: Delimiters = USUAL
    version: str = "00401"
    wants_ta1: bool = False


def write(interchange: InterchangeToWrite) -> bytes:
    """The bytes, without line ends. Raises UnwritableX12Error."""
    one, at = interchange, interchange.written_at
    control = f"{_numbered(one.control):09}"
    isa = ["00", "", "00", "", one.sender_qualifier, one.sender, one.receiver_qualifier, one.receiver]
    isa += [f"{at:%y%m%d}", f"{at:%H%M}", "U", one.version, control, "01"[one.wants_ta1], one.usage]
    for index, (text, width) in enumerate(zip(isa, WIDTHS, strict=False), 1):
        if len(text) > width:
            raise UnwritableX12Error(f"ISA{index:02}", text, f"has more than {width} characters")
    padded = [text.ljust(width) for text, width in zip(isa, WIDTHS, strict=False)]
    segments: list[Elements] = [*one.acknowledged]
    for group in one.groups:
        segments += _group(group, at)
    segments.append(("IEA", str(len(one.groups)), control))
    head = _joined(("ISA", *padded), one.delimiters)
    text = f"{head}{one.delimiters.element}{one.delimiters.component}{one.delimiters.segment}"
    return _encoded(text + "".join(_joined(segment, one.delimiters) + one.delimiters.segment for segment in segments))


def write_set(one: SetToWrite, delimiters: Delimiters = USUAL) -> str:
    """A set as text, from ST to the terminator of SE. Raises UnwritableX12Error."""
    return "".join(_joined(segment, delimiters) + delimiters.segment for segment in _set(one))


def _group(group: GroupToWrite, at: datetime) -> Iterable[Elements]:
    control = str(_numbered(group.control))
    yield "GS", group.type, group.sender, group.receiver, f"{at:%Y%m%d}", f"{at:%H%M}", control, "X", group.version
    for one in group.sets:
        yield from _set(one)
    yield "GE", str(len(group.sets)), control


def _numbered(control: int) -> int:
    if not 0 < control <= LAST_CONTROL:
        raise UnwritableX12Error("The control number", str(control), "is not of one to nine digits")
    return control


def _set(one: SetToWrite) -> Iterable[Elements]:
    yield "ST", one.type, one.control
    yield from one.segments
    yield "SE", str(len(one.segments) + 2), one.control


def _joined(segment: Elements, delimiters: Delimiters) -> str:
    for index, text in enumerate(segment):
        if any(one in text for one in (delimiters.element, delimiters.segment)):
            raise UnwritableX12Error(f"{segment[0]}{index:02}", text, "has a delimiter in it")
        if any(one < " " for one in text):
            raise UnwritableX12Error(f"{segment[0]}{index:02}", text, "has a control character in it")
    last = len(segment)
    while last > 1 and not segment[last - 1]:
        last -= 1
    return delimiters.element.join(segment[:last])


def _encoded(text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError as error:
        raise UnwritableX12Error("The text", text[error.start : error.end], "is not in Latin-1") from None
