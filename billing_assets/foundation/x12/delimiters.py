"""The ISA: the one segment of fixed width, from which the delimiters of all others are read."""

import re
from typing import NamedTuple

ISA_WIDTH = 106
"""Characters of an ISA, with its terminator."""

WIDTHS = (2, 10, 2, 10, 2, 15, 2, 15, 6, 4, 1, 5, 9, 1, 1, 1)
"""Of its sixteen elements."""

_ELEMENTS = len(WIDTHS)
_SEPARATORS = tuple(3 + sum(WIDTHS[:index]) + index for index in range(_ELEMENTS))
LONGEST_ISA = 400
"""Characters in which a badly padded ISA must end."""


_NEVER = " \t\x1a\0"


class Delimiters(NamedTuple):
    """What divides elements, components of elements, and segments: one character each."""

    element: str
    component: str
    segment: str

    @property
    def usable(self) -> bool:
        """Whether they can be told from one another, from text, and from what may stand between segments."""
        between = any(one in "\r\n" for one in (self.element, self.component))
        return len(set(self)) == len(self) and not between and not any(one.isalnum() or one in _NEVER for one in self)


class Isa(NamedTuple):
    """An ISA. Identifiers are without their padding; all else is as written. `text`: with the terminator."""

    sender_qualifier: str
    sender: str
    receiver_qualifier: str
    receiver: str
    date: str  # yymmdd
    time: str  # hhmm
    version: str
    control: str  # ISA13, nine digits
    wants_ta1: bool
    usage: str  # T or P
    delimiters: Delimiters
    elements: tuple[str, ...]
    has_width: bool  # 106 characters, every element at its place
    text: str


def read_isa(text: str) -> Isa | None:
    """The ISA that a text begins with; None when sixteen elements cannot be found. Its delimiters may be unusable.

    One that is not 106 characters wide is read by counting separators, so that the rest of the file can be reported.
    """
    separator = text[3:4]
    if len(text) >= ISA_WIDTH and all(text[place] == separator for place in _SEPARATORS):
        has_width = text.count(separator, 0, ISA_WIDTH - 2) == _ELEMENTS
    else:
        has_width = False
    if has_width:
        end = ISA_WIDTH - 2
    else:
        places = [found.start() for found in re.finditer(re.escape(separator), text[:LONGEST_ISA])] if separator else []
        if len(places) < _ELEMENTS:
            return None
        end = places[_ELEMENTS - 1] + 1
    if not end + 2 <= min(len(text), LONGEST_ISA):  # how much of the rest is in the text depends on how it arrived
        return None
    elements = (*text[4 : end - 1].split(separator), text[end])
    return Isa(
        elements[4],
        elements[5].strip(" "),
        elements[6],
        elements[7].strip(" "),
        elements[8],
        elements[9],
        elements[11],
        elements[12],
        elements[13] == "1",
        elements[14],
        Delimiters(separator, text[end], text[end + 1]),
        elements,
        has_width,
        text[: end + 2],
    )
