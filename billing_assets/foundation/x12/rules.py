"""What the form of a transaction set asks for, as plain tables: segments that must be there, and the types of elements.

The caller has a table for each type of set that it reads (`SetRules`); a type without one passes, checked by its
envelope only. A breach of a rule refuses the set in the 997 (AK5*R*5); what a set means, and whether it is
plausible, is judged elsewhere and later. So ask here only for what no set of the type can do without.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class ElementKind(StrEnum):
    """The type of an element, as X12 names it. An empty element breaks no type, and it is not a zero."""

    N0 = "N0"  # a whole number: digits only
    N2 = "N2"  # two implied decimals, such as cents: digits only, a decimal point is an error
    R = "R"  # a decimal number: digits, one point or none, a minus sign or none
    DT = "DT"  # a date, CCYYMMDD
    TM = "TM"  # a time of day, HHMM, HHMMSS, or with decimals of the second; 2400 is midnight at the end of a day
    ID = "ID"  # a code: one of `codes`, any if there are none
    AN = "AN"  # text


@dataclass(frozen=True, slots=True)
class ElementRule:
    """An element that is checked. `index`: its place in the standard, from 1 (SAC05: 5)."""

    index: int
    kind: ElementKind
    codes: frozenset[str] = frozenset()
    mandatory: bool = False  # in every segment of its id
    signed: bool = False  # of N0 and N2: a minus sign may stand before the digits
    warn: bool = False  # a breach is noted and the set accepted (AK5*E), not refused
    longest: int | None = None  # characters of AN


class SegmentRule(NamedTuple):
    """A segment of a set, for every place where it is. `mandatory`: the set has at least one."""

    id: str
    elements: tuple[ElementRule, ...] = ()
    mandatory: bool = False
    at_most: int | None = None  # in the whole set


class SetRules(NamedTuple):
    """The form of a type of set. `type`: ST01, such as 867. `group`: the GS01 that it travels in, such as PT."""

    type: str
    group: str
    segments: tuple[SegmentRule, ...] = ()
