"""Rows of interval data on their way from a file to its blocks: kept in a temporary file, so that memory stays flat.

A file may say what its rows are after them, and may have them in any order; what they are is known at its end.
"""

from array import array
from collections.abc import Hashable
from tempfile import SpooledTemporaryFile
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

ROW = np.dtype(
    [
        ("start", "<i8"),  # seconds since 1970; NO_START: not readable
        ("duration", "<i8"),  # seconds; NO_DURATION: the length of the stream's intervals
        ("ordinal", "<i8"),  # of a row without a time of its own: its place in a block that begins at `start`; else -1
        ("value", "<i8"),
        ("cost", "<i8"),
        ("updated", "<i8"),  # seconds since 1970; NO_TIME: not said; a batch has one
        ("sequence", "<i8"),  # the place in the file
        ("line", "<i4"),
        ("quality", "<u2"),  # index in `Qualities`
        ("costs", "?"),  # whether the row has a cost
        ("decimals", "u1"),  # of `value`
        ("cost_decimals", "u1"),  # of `cost`
    ]
)
NO_START = NO_TIME = -(2**63)
NO_DURATION = -1
LONGEST = 10 * 366 * 86_400
"""Seconds. A row that is longer says nothing of its days."""
LATEST = 2**33
"""Seconds since 1970: the year 2242."""

_IN_MEMORY = 8 * 2**20

Rows = NDArray[Any]


class Batch(NamedTuple):
    """Rows that were read together. `low`: none of them starts earlier. `updated`: their version, or NO_TIME."""

    low: int
    offset: int
    rows: int
    updated: int


class RowSpool:
    """Rows by the key of what they belong to. A context manager: its file goes when it ends."""

    def __init__(self) -> None:
        self._file = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 (closed by __exit__)
        self._end = 0
        self._batches: dict[Hashable, array[int]] = {}
        self._with_cost: set[Hashable] = set()
        self._without_duration: set[Hashable] = set()
        self._without_cost: set[Hashable] = set()

    def __enter__(self) -> "RowSpool":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def keys(self) -> list[Hashable]:
        """The keys, in the order in which the file has them."""
        return list(self._batches)

    def add(self, key: Hashable, rows: Rows) -> None:
        """Keeps rows."""
        if not len(rows):
            return
        rows["sequence"] = np.arange(self._end, self._end + len(rows))
        rows["updated"] = NO_TIME
        starts = rows["start"][rows["start"] != NO_START]
        self._file.write(rows.tobytes())
        low = int(starts.min()) if len(starts) else NO_START
        self._batches.setdefault(key, array("q")).extend((low, self._end, len(rows), NO_TIME))
        self._end += len(rows)
        if rows["costs"].any():
            self._with_cost.add(key)
        if not rows["costs"].all():
            self._without_cost.add(key)
        if (rows["duration"] == NO_DURATION).any():
            self._without_duration.add(key)

    def rename(self, key: Hashable, to: Hashable, updated: int = NO_TIME) -> None:
        """Puts the rows of a key to those of another one, as of a version: what they belong to is known now."""
        numbers = self._batches.pop(key, None)
        if numbers is None:
            return
        numbers[3::4] = array("q", [updated] * (len(numbers) // 4))
        self._batches.setdefault(to, array("q")).extend(numbers)
        for keys in (self._with_cost, self._without_cost, self._without_duration):
            if key in keys:
                keys.remove(key)
                keys.add(to)

    def mixed_costs(self, keys: list[Hashable]) -> bool:
        """Whether some rows of keys have a cost, and some have none."""
        return not (self._with_cost.isdisjoint(keys) or self._without_cost.isdisjoint(keys))

    def lacks_duration(self, keys: list[Hashable]) -> bool:
        """Whether some rows of keys do not say how long they last."""
        return not self._without_duration.isdisjoint(keys)

    def batches(self, keys: list[Hashable]) -> list[Batch]:
        """What there is of keys, rising by the earliest start."""
        found = [
            Batch(*numbers[at : at + 4])
            for numbers in (self._batches[key] for key in keys)
            for at in range(0, len(numbers), 4)
        ]
        return sorted(found)

    def rows(self, batch: Batch) -> Rows:
        """The rows of a batch."""
        self._file.seek(batch.offset * ROW.itemsize)
        found = self._file.read(batch.rows * ROW.itemsize)
        rows = np.frombuffer(found, ROW).copy()
        rows["updated"] = batch.updated
        return rows


class Qualities:
    """Qualities with the code that the file has for each, by small numbers."""

    NOT_SAID = 0
    """The number of a row that says none: the stream's default is its quality."""
    _MOST = 60_000

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, str], int] = {}
        self.all: list[tuple[str, str]] = []
        self.number("", "")

    def number(self, quality: str, reason: str) -> int:
        """The number of a quality and its reason."""
        pair = (quality, reason)
        found = self._numbers.get(pair)
        if found is None:
            if len(self.all) >= self._MOST:  # a file of nonsense: its reasons are not worth the memory
                return self.number(quality, "")
            found = self._numbers[pair] = len(self.all)
            self.all.append(pair)
        return found
