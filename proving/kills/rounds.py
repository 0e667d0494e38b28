"""One backlog, killed again and again, then finished by a new process, then counted, then run once more for nothing."""

import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psutil

from proving.kills.counting import Count
from proving.kills.points import COMMITTED, PASSINGS
from proving.kills.victim import CUT_OFF, STALE
from proving.kills.world import World

_VICTIM_SECONDS = 90.0


@dataclass(frozen=True)
class Round:
    """What came of one backlog. `struck`: the points at which a process was really killed, in their order.

    `posted`: documents that our own tables call posted, read back and equal. `sent_again`: POSTs of a run over
    everything after the end. `recovered_in`: seconds from the last kill until all was posted, the new process's start
    and the lease of the dead included; None when it never was.
    """

    struck: tuple[str, ...]
    count: Count
    posted: int
    recovered_in: float | None
    sent_again: int

    @property
    def whole(self) -> bool:
        """Nothing lost, doubled, off, unequal or sent again, and we say so ourselves."""
        done = self.recovered_in is not None and self.posted == self.count.documents
        return done and self.count.whole and not self.sent_again


@dataclass
class Victim:
    """A running process and what it has said."""

    process: subprocess.Popen[str]

    def until(self, *words: str) -> str | None:
        """Reads to the first line that begins with one of these words; None when it ended before, or hung: killed."""
        assert self.process.stdout is not None
        patience = threading.Timer(_VICTIM_SECONDS, self.process.kill)
        patience.start()
        try:
            return next((text.strip() for text in self.process.stdout if text.startswith(words)), None)
        finally:
            patience.cancel()

    def ends(self) -> int | None:
        """Waits for its end; its exit code, None when it goes on for too long."""
        assert self.process.stdin is not None
        self.process.stdin.close()  # nothing more to do after all is posted
        try:
            return self.process.wait(_VICTIM_SECONDS)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """SIGKILL, and its end."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@contextmanager
def victim(world: World, *arguments: str) -> Iterator[Victim]:
    """The victim as a process of its own; whatever is left of it at the end is killed."""
    with world.log.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "proving.kills.victim", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=dict(world.variables),
        )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield Victim(process)
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


@contextmanager
def _moment_for(world: World, point: str) -> Iterator[None]:
    """Makes the moment between NetSuite's commit and its answer long enough to be met."""
    if point == COMMITTED:
        world.account.switch(faults=[{"fault": "commit_then_delay", "probability": 0.3, "seconds": 1.5}])
    try:
        yield
    finally:
        if point == COMMITTED:
            world.account.switch(faults=[])


def strike(world: World, point: str, chance: random.Random) -> bool:
    """One process that is killed at the point. False when it came to its end without passing there."""
    with _moment_for(world, point), victim(world, *_orders(point, chance)) as one:
        return one.until("at ", "done") == f"at {point}" and one.ends() == -signal.SIGKILL


def _orders(point: str, chance: random.Random) -> list[str]:
    nth = chance.randint(1, PASSINGS.get(point, 1))
    return ["--point", point, "--nth", str(nth), "--seed", str(chance.randrange(2**31))]


def stop_and_wake(world: World, point: str, chance: random.Random) -> Round:
    """One process is stopped at the point for longer than its lease, another takes over and ends, the first wakes up.

    Its round counts as recovered only when the late one changed nothing and ended because it had lost its hold, or the
    transaction that it was stopped in.
    """
    with victim(world, *_orders(point, chance), "--stop") as one:
        with _moment_for(world, point):
            struck = one.until("at ", "done") == f"at {point}" and _stopped(one)
        if not struck:
            return Round((), world.count(), world.posted(), None, 0)
        took, again = recover(world, time.monotonic())
        before, created = world.snapshot(), world.created()
        one.process.send_signal(signal.SIGCONT)
        stale = one.ends() in {STALE, CUT_OFF}
        late = world.snapshot() != before or world.created() != created
    return Round((point,), world.count(), world.posted(), took if stale and not late else None, again)


def _stopped(one: Victim) -> bool:
    """Waits until it is stopped."""
    process, deadline = psutil.Process(one.process.pid), time.monotonic() + _VICTIM_SECONDS
    while process.status() != psutil.STATUS_STOPPED:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def recover(world: World, since: float) -> tuple[float | None, int]:
    """A new process works until all is posted, then once more. Seconds since `since`, and POSTs of the second time."""
    with victim(world) as one:
        if one.until("done") is None:
            return None, 0
        took = time.monotonic() - since
        before = world.posts()
        assert one.process.stdin is not None
        one.process.stdin.write("again\n")
        one.process.stdin.flush()
        one.until("again")
        return took, world.posts() - before


def kill_and_recover(world: World, points: Sequence[str], chance: random.Random) -> Round:
    """Kills one process after the other on the same backlog, one a point, and goes on until done."""
    struck = tuple(point for point in points if strike(world, point, chance))
    took, again = recover(world, time.monotonic())
    return Round(struck, world.count(), world.posted(), took, again)
