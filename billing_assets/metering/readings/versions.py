"""Which version of a reading counts: a pure function of all versions of one stream and day.

Versions count in the order in which their messages were made, not in which they arrived: the end is the same whatever
came first. Source: AEMO MDFF for the meaning of stamps and qualities; the ranks are ours.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

RANKS = {"A": 4, "F": 3, "S": 2, "E": 1}
"""By the first letter of a quality; all others, N above all, are no value that could be billed: 0."""
REVISIONS = ("53", "66", "72", "73")
"""Methods by which a provider says that it revises: of lower rank, they replace all the same when they are newer."""
VARIES = "V"
VERSION_CONFLICT = "VERSION_CONFLICT"
QUALITY_DOWNGRADE = "QUALITY_DOWNGRADE"

_NEVER = datetime.min.replace(tzinfo=UTC)
_Stamp = tuple[datetime, datetime]


class State(StrEnum):
    """What a version is among its like."""

    CURRENT = "current"
    SUPERSEDED = "superseded"
    HELD = "held"
    REJECTED = "rejected"


class Version(NamedTuple):
    """A version as far as it decides which counts.

    `id`: anything that tells it from the others. `starts`: seconds since the epoch, of the first interval. `runs`:
    where `quality` is V: (first, last, quality), from 1, inclusive. `held`: why it is held whatever the others are.
    `ruling`: what a person decided: `accepted`, `rejected`.
    """

    id: int
    starts: int
    length_seconds: int
    intervals: int
    quality: str
    runs: tuple[tuple[int, int, str], ...] = ()
    made_at: datetime | None = None
    updated_at: datetime | None = None
    loaded_at: datetime | None = None
    content_hash: bytes = b""
    newest_wins: bool = False
    is_edit: bool = False
    ruling: str | None = None
    held: str | None = None

    @property
    def stamp(self) -> _Stamp:
        """The provider's version; where it names none, when the message was made."""
        return self.updated_at or self.made_at or _NEVER, self.loaded_at or _NEVER

    @property
    def identity(self) -> tuple[datetime | None, datetime | None, bytes]:
        """Two of the same identity are one message that came twice."""
        return self.updated_at, self.loaded_at, self.content_hash

    @property
    def ends(self) -> int:
        """Seconds since the epoch."""
        return self.starts + self.intervals * self.length_seconds


class Outcome(NamedTuple):
    """What became of a version. `parts`: the intervals for which it counts (first, last; from 1, inclusive), where not
    for all of its own."""

    state: State
    code: str | None = None
    parts: tuple[tuple[int, int], ...] | None = None


def rank(quality: str) -> int:
    """The rank of a quality such as `S14`."""
    return RANKS.get(quality[:1], 0)


def is_revision(quality: str) -> bool:
    """Whether the quality says that its provider revises what it sent."""
    return quality[1:] in REVISIONS


def resolve(versions: Iterable[Version]) -> dict[int, Outcome]:
    """What becomes of each version of one stream and day, by id. The order in which they are given does not matter."""
    found: dict[int, Outcome] = {}
    taking_part = []
    for one in versions:
        if one.ruling == "rejected":
            found[one.id] = Outcome(State.REJECTED)
        elif one.held is not None and one.ruling != "accepted":
            found[one.id] = Outcome(State.HELD, one.held)
        else:
            taking_part.append(one)
    taking_part.sort(key=_order)
    ordinals = {stamp: n for n, stamp in enumerate(sorted({one.stamp for one in taking_part}))}
    seen: dict[_Stamp, list[Version]] = {}
    day: _Day | None = None
    for index, one in enumerate(taking_part):
        forced = one.is_edit or one.ruling == "accepted"
        before = seen.setdefault(one.stamp, [])
        if not forced and any(_conflict(one, other) for other in before):
            found[one.id] = Outcome(State.HELD, VERSION_CONFLICT)
            continue
        before.append(one)
        candidate = _Day(one, index, ordinals[one.stamp])
        if day is None:
            day = candidate
        elif not day.take(candidate, one, forced=forced):
            found[one.id] = Outcome(State.HELD, QUALITY_DOWNGRADE)
    for index, one in enumerate(taking_part):
        if one.id not in found:
            found[one.id] = _owned(day, index, one)
    return found


def _order(one: Version) -> tuple[datetime, _Stamp, bytes, datetime]:
    return one.made_at or _NEVER, one.stamp, one.content_hash, one.updated_at or _NEVER


def _conflict(one: Version, other: Version) -> bool:
    if one.content_hash == other.content_hash or one.starts >= other.ends or other.starts >= one.ends:
        return False
    # Without any stamp there is nothing to conflict with but a reading of the same rank.
    return one.stamp[0] != _NEVER or rank(one.quality) == rank(other.quality)


class _Day:
    """Which version counts for each interval so far: its rank, the ordinal of its stamp, its index. -1: none does."""

    def __init__(self, one: Version, index: int, ordinal: int) -> None:
        self.starts, self.length = one.starts, one.length_seconds
        self.ranks, self.revises = _qualities(one)
        self.stamps = np.full(one.intervals, ordinal, np.int32)
        self.owners = np.full(one.intervals, index, np.int32)

    @property
    def ends(self) -> int:
        return self.starts + len(self.owners) * self.length

    def take(self, other: "_Day", version: Version, *, forced: bool) -> bool:
        """Lets another version have the intervals that are its own; False where its rank keeps it from every one of
        them although it is newer."""
        if other.length != self.length or (other.starts - self.starts) % self.length:
            return self._take_whole(other, version, forced=forced)
        self._reach(min(self.starts, other.starts), max(self.ends, other.ends))
        first = (other.starts - self.starts) // self.length
        own = slice(first, first + len(other.owners))
        takes, kept = _compare(
            self.ranks[own], self.stamps[own], other.ranks, other.stamps, other.revises, version, forced=forced
        )
        if kept.any() and not takes.any():
            return False
        self.ranks[own] = np.where(takes, other.ranks, self.ranks[own])
        self.stamps[own] = np.where(takes, other.stamps, self.stamps[own])
        self.owners[own] = np.where(takes, other.owners, self.owners[own])
        return True

    def _take_whole(self, other: "_Day", version: Version, *, forced: bool) -> bool:
        """Intervals of another length: the whole day is replaced, or nothing of it."""
        filled = self.owners >= 0
        takes, kept = _compare(
            self.ranks[filled].max(keepdims=True),
            self.stamps[filled].max(keepdims=True),
            other.ranks.min(keepdims=True),
            other.stamps[:1],
            np.array([bool(other.revises.all())]),
            version,
            forced=forced,
        )
        if takes.all():
            self.starts, self.length = other.starts, other.length
            self.ranks, self.stamps, self.owners = other.ranks, other.stamps, other.owners
        return not kept.any()

    def _reach(self, starts: int, ends: int) -> None:
        before, after = (self.starts - starts) // self.length, (ends - self.ends) // self.length
        if before or after:
            self.ranks = np.pad(self.ranks, (before, after), constant_values=-1)
            self.stamps = np.pad(self.stamps, (before, after), constant_values=-1)
            self.owners = np.pad(self.owners, (before, after), constant_values=-1)
            self.starts = starts


def _compare(
    ranks: NDArray[np.int8],
    stamps: NDArray[np.int32],
    new_ranks: NDArray[np.int8],
    new_stamps: NDArray[np.int32],
    revises: NDArray[np.bool_],
    version: Version,
    *,
    forced: bool,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which intervals the newcomer takes, and which its lower rank alone keeps from it."""
    if forced:
        return np.ones_like(revises), np.zeros_like(revises)
    empty, newer = ranks < 0, new_stamps > stamps
    if version.newest_wins:
        return empty | newer, np.zeros_like(revises)
    lower = new_ranks < ranks
    takes = empty | (new_ranks > ranks) | ((new_ranks == ranks) & newer) | (lower & newer & revises)
    return takes, lower & newer & ~revises


def _qualities(one: Version) -> tuple[NDArray[np.int8], NDArray[np.bool_]]:
    if one.quality != VARIES:
        return np.full(one.intervals, rank(one.quality), np.int8), np.full(one.intervals, is_revision(one.quality))
    ranks, revises = np.zeros(one.intervals, np.int8), np.zeros(one.intervals, np.bool_)
    for first, last, quality in one.runs:
        ranks[first - 1 : last] = rank(quality)
        revises[first - 1 : last] = is_revision(quality)
    return ranks, revises


def _owned(day: _Day | None, index: int, one: Version) -> Outcome:
    if day is None or day.length != one.length_seconds:
        return Outcome(State.SUPERSEDED)
    first = (one.starts - day.starts) // day.length
    own = day.owners[max(first, 0) : max(first + one.intervals, 0)] == index
    if not own.any():
        return Outcome(State.SUPERSEDED)
    return Outcome(State.CURRENT) if own.all() else Outcome(State.CURRENT, parts=_runs_of(own))


def _runs_of(own: NDArray[np.bool_]) -> tuple[tuple[int, int], ...]:
    edges = np.flatnonzero(np.diff(np.concatenate(([False], own, [False])).astype(np.int8)))
    return tuple((int(first) + 1, int(last)) for first, last in zip(edges[::2], edges[1::2], strict=True))
