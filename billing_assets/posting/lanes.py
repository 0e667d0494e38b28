"""Lanes: how many requests may be in flight at an outside system at once, over all runs on all machines.

The limit is per account there. Each lane is a session-level advisory lock in our PostgreSQL, held by one connection of
the run, so a run that dies frees its lanes by dying. No run holds more than its fair share while another wants more;
what no other wants may be borrowed, and goes back when another run comes.

Where the system is too busy (a 429) the run uses fewer of its lanes and keeps the rest unused instead of giving them
back: the limit is the account's, and a lane given back would at once be used by the next run.
"""

import hashlib
import math
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple, Self

import psycopg
import structlog
from psycopg.rows import TupleRow, tuple_row

from billing_assets.foundation.database.connection import Connection, open_connection

_HALVE_EVERY_SECONDS = 1.0
_QUIET_SECONDS = 5.0
_GROW_EVERY_SECONDS = 0.9  # a little under the caller's second

# What a run says of itself: that it is there, that it waits for its share, or for a lane or two to ask questions on.
_PRESENT, _WAITING, _ASKING = 0, 1, 2
QUESTIONS = 2
"""Questions that a run asks at once before it sends: what the system allows, and what it has of ours."""
_log = structlog.get_logger(__name__)

_LOCKS = """
    select classid::bigint, objid::bigint, pid = pg_backend_pid()
    from pg_locks
    where locktype = 'advisory' and objsubid = 2 and granted
      and database = (select oid from pg_database where datname = current_database())
      and classid::bigint = any(%s)
"""
# A power cut at the run's machine ends the session here within about 20 s, a run that hangs (stopped, swapped out) ends
# it by not refreshing; no hung statement holds the run up.
_SESSION = {
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "3",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "20000",
    "statement_timeout": "10s",
}


@dataclass(frozen=True, slots=True)
class LaneStats:
    """One run's lanes. `usable` = what workers may use now: `held`, or less after a 429 (`allowance`)."""

    limit: int
    participants: int
    share: int
    held: int
    usable: int
    in_use: int
    allowance: int
    throttled: int
    losses: int


class _View(NamedTuple):
    mine: list[int]
    taken: set[int]
    participants: int
    others_wait: bool
    others_ask: bool


class Lanes:
    """One run's lanes, as a context manager. `refresh` belongs to one thread; the rest may be called by any.

    `url` is our PostgreSQL's (SQLAlchemy form), `account` that of the outside system, `limit` the most lanes over all
    runs, `at_first` the most that this run takes until `heed` says what the system allows. Who does not refresh for
    `lease_seconds` loses its lanes.
    Entering raises psycopg.OperationalError if the database cannot be reached.
    """

    def __init__(
        self,
        url: str,
        account: str,
        limit: int,
        *,
        at_first: int | None = None,
        lease_seconds: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url
        self._lane_class, self._run_class = _classes(account)
        self._limit = limit
        self._at_first = at_first
        self._idle = f"{round(1000 * lease_seconds)}ms"
        self._clock = clock
        self._connection: psycopg.Connection[TupleRow] | None = None
        self._waits_for: int | None = None
        self._condition = threading.Condition()  # guards everything below
        self._held = 0
        self._entitled = limit
        self._in_use = 0
        self._participants = 0
        self._allowance = limit
        self._halved_at = self._throttled_at = self._grown_at = -math.inf
        self._throttled = 0
        self._losses = 0

    def __enter__(self) -> Self:
        self._connection = self._connect()
        self.refresh()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._drop()

    def refresh(self, want: int | None = None) -> int:
        """Take free lanes, give back what others need; returns how many are held. Call it about once a second, and
        more often while lanes change hands (`changing`): until then some of them lie idle.

        `want` is the most that this run can use, e.g. the number of documents left. A lost connection means that all
        lanes are lost: they are taken again on a new connection, or, while there is none, 0 are held.
        """
        self._grow()
        most = self._limit if self._at_first is None else min(self._at_first, self._limit)
        wanted = most if want is None else max(0, min(want, most))
        while True:
            fresh = self._connection is None
            try:
                if self._connection is None:
                    self._connection = self._connect()
                self._rebalance(self._connection, wanted)
            except psycopg.OperationalError as error:
                _log.warning("lanes_lost", lanes=self._held, error=str(error).strip().splitlines()[:1])
                self._losses += 1
                self._drop()
                if fresh:
                    return 0
            else:
                return self._held

    def heed(self, limit: int | None) -> None:
        """The system allows so many lanes, or does not say (None). What is above it the next `refresh` gives back; what
        is above the configured limit does not count."""
        with self._condition:
            self._at_first = None
            if limit is None:
                return
            self._limit = min(self._limit, max(1, limit))
            self._allowance = min(self._allowance, self._limit)

    def throttled(self) -> None:
        """The system is too busy: use half as many lanes, at most once a second; they grow back when it is quiet."""
        with self._condition:
            now = self._clock()
            self._throttled += 1
            self._throttled_at = now
            if now - self._halved_at >= _HALVE_EVERY_SECONDS:
                self._halved_at = now
                self._allowance = max(1, self._usable() // 2)

    def acquire(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds for a lane to send one request on. True: call `release` afterwards."""
        with self._condition:
            if not self._condition.wait_for(lambda: self._in_use < self._usable(), timeout):
                return False
            self._in_use += 1
            return True

    def release(self) -> None:
        """The request has ended, whatever its outcome."""
        with self._condition:
            if self._in_use == 0:
                raise RuntimeError("a lane was released that was not acquired")
            self._in_use -= 1
            self._condition.notify()

    @property
    def held(self) -> int:
        """Lanes held by this run."""
        return self._held

    @property
    def changing(self) -> bool:
        """Whether this run waits for lanes, or for `heed`, or is about to give some back."""
        with self._condition:
            return self._at_first is not None or self._waits_for is not None or self._held > self._entitled

    @property
    def usable(self) -> int:
        """Lanes on which requests may begin now."""
        with self._condition:
            return self._usable()

    def stats(self) -> LaneStats:
        """A consistent look at the numbers."""
        with self._condition:
            return LaneStats(
                limit=self._limit,
                participants=self._participants,
                share=self._share(),
                held=self._held,
                usable=self._usable(),
                in_use=self._in_use,
                allowance=self._allowance,
                throttled=self._throttled,
                losses=self._losses,
            )

    def _usable(self) -> int:
        return min(self._held, self._entitled, self._allowance)

    def _share(self) -> int:
        return math.ceil(self._limit / max(1, self._participants))

    def _grow(self) -> None:
        with self._condition:
            now = self._clock()
            quiet = now - self._throttled_at >= _QUIET_SECONDS and now - self._grown_at >= _GROW_EVERY_SECONDS
            if self._allowance < self._limit and quiet:
                self._allowance += 1
                self._grown_at = now
                self._condition.notify_all()

    def _rebalance(self, connection: psycopg.Connection[TupleRow], want: int) -> None:
        view = self._look(connection)
        with self._condition:
            self._participants = view.participants
            share = self._share()
            target = self._target(view, want, share)
            below = sum(lane < self._limit for lane in view.mine)
            # A lane with a request in flight is not given back, as the system still counts that request; but no new one
            # begins on it, else a busy run would never give back any.
            self._entitled = target
            keep = min(len(view.mine), max(min(target, below), self._in_use))
            self._held = keep
            enough = min(want, share, self._allowance)
            self._condition.notify_all()
        if keep < len(view.mine):
            self._unlock(connection, view.mine[keep:])
        if keep < target:
            free = [lane for lane in range(self._limit) if lane not in view.taken]
            random.shuffle(free)  # two runs that look at the same moment should not want the same lanes
            taken = self._lock(connection, free[: target - keep])
            with self._condition:
                self._held += taken
                self._condition.notify_all()
        waits_for = None if self._held >= enough else _ASKING if want <= QUESTIONS else _WAITING
        self._say_waiting(connection, waits_for)

    def _target(self, view: _View, want: int, share: int) -> int:
        """How many lanes the run should have. Beyond its share it borrows what no other run waits for; to one that only
        has a question it gives one after the other, as the rest would lie idle."""
        if view.others_wait or self._allowance < self._limit:
            return min(want, share)
        return min(want, max(share, len(view.mine) - 1)) if view.others_ask else want

    def _look(self, connection: psycopg.Connection[TupleRow]) -> _View:
        rows = connection.execute(_LOCKS, ([self._lane_class, self._run_class],)).fetchall()
        lanes = [(lane, mine) for class_, lane, mine in rows if class_ == self._lane_class]
        runs = [(mark, mine) for class_, mark, mine in rows if class_ == self._run_class]
        return _View(
            mine=sorted(lane for lane, mine in lanes if mine),
            taken={lane for lane, _ in lanes},
            participants=sum(mark == _PRESENT for mark, _ in runs),
            others_wait=any(mark == _WAITING and not mine for mark, mine in runs),
            others_ask=any(mark == _ASKING and not mine for mark, mine in runs),
        )

    def _lock(self, connection: psycopg.Connection[TupleRow], lanes: Sequence[int]) -> int:
        """How many of these lanes could be taken."""
        statement = "select pg_try_advisory_lock(%s, lane) from unnest(%s::int[]) lane"
        return sum(taken for (taken,) in connection.execute(statement, (self._lane_class, list(lanes))))

    def _unlock(self, connection: psycopg.Connection[TupleRow], lanes: Sequence[int]) -> None:
        statement = "select pg_advisory_unlock(%s, lane) from unnest(%s::int[]) lane"
        connection.execute(statement, (self._lane_class, list(lanes)))

    def _say_waiting(self, connection: psycopg.Connection[TupleRow], waits_for: int | None) -> None:
        if waits_for == self._waits_for:
            return
        if self._waits_for is not None:
            connection.execute("select pg_advisory_unlock_shared(%s, %s)", (self._run_class, self._waits_for))
            self._waits_for = None
        if waits_for is not None:
            connection.execute("select pg_try_advisory_lock_shared(%s, %s)", (self._run_class, waits_for))
            self._waits_for = waits_for

    def _connect(self) -> psycopg.Connection[TupleRow]:
        connection = open_connection(
            self._url,
            tuple_row,
            "billing lanes",
            _SESSION | {"idle_session_timeout": self._idle},
            connect_timeout=5,
            keepalives_idle=10,
            keepalives_interval=3,
            tcp_user_timeout=20_000,
        )
        try:
            connection.execute("select pg_try_advisory_lock_shared(%s, %s)", (self._run_class, _PRESENT))
        except BaseException:
            connection.close()
            raise
        return connection

    def _drop(self) -> None:
        """No connection, no lanes: requests in flight end, no new one begins."""
        with self._condition:
            self._held = 0
            self._participants = 0
        self._waits_for = None
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def lanes_in_use(connection: Connection, account: str) -> int:
    """How many lanes of the account are held now, by all runs together."""
    lane_class, _ = _classes(account)
    return len(connection.execute(_LOCKS, ([lane_class],)).fetchall())


def _classes(account: str) -> tuple[int, int]:
    """The advisory locks' classes for the account's lanes and runs: the same everywhere, positive 31-bit numbers."""
    name = account.upper().replace("-", "_").encode()
    lanes, runs = (hashlib.sha256(b"billing lanes " + kind + b" " + name).digest() for kind in (b"lane", b"run"))
    return int.from_bytes(lanes[:4]) & 0x7FFFFFFF, int.from_bytes(runs[:4]) & 0x7FFFFFFF
