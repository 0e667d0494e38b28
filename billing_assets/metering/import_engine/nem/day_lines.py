"""Which days of a stream a file has, and on which line: four bytes a day where they follow one another."""

from array import array

_LARGEST_GAP = 40


class DayLines:
    """Lines by days. `put` is all that there is to it."""

    __slots__ = ("_far", "_first", "_lines")

    def __init__(self) -> None:
        self._first = 0
        self._lines = array("I")
        self._far: dict[int, int] = {}  # of days far from the others

    def put(self, day: int, line: int) -> int:
        """Notes the line of a day (its ordinal); gives the line that has it already, or 0."""
        lines = self._lines
        if not lines:
            self._first = day
        place = day - self._first
        if place == len(lines):
            lines.append(line)
            return 0
        if -_LARGEST_GAP <= place < 0:
            lines[:0] = array("I", bytes(lines.itemsize * _LARGEST_GAP))
            self._first -= _LARGEST_GAP
            place += _LARGEST_GAP
        elif len(lines) < place <= len(lines) + _LARGEST_GAP:
            lines.frombytes(bytes(lines.itemsize * (place - len(lines) + 1)))
        if not 0 <= place < len(lines):
            other = self._far.setdefault(day, line)
            return other if other != line else 0
        other = lines[place] or self._far.get(day, 0)
        if not other:
            lines[place] = line
        return other
