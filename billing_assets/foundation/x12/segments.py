"""A segment of X12, as everything else here uses it."""

from typing import NamedTuple


class Segment(NamedTuple):
    """`id`: `BIG`. `elements`: from BIG01 on, trailing empty ones dropped. `number`: in its set, ST is 1; 0 outside of
    a set. `position`: in the file, ISA is 1.
    """

    id: str
    elements: tuple[str, ...]
    number: int
    position: int

    def at(self, index: int) -> str:
        """The element at its place in the standard, from 1; empty where the segment ends before it."""
        return self.elements[index - 1] if index <= len(self.elements) else ""
