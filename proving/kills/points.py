"""The named points at which a process stops itself: product functions wrapped in the victim, the product unchanged.

A point is passed many times; a trap strikes at its n-th passing and, within the point, a random moment later.
"""

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import requests

from billing_assets.erp.netsuite import wire
from billing_assets.erp.netsuite.client import NetSuiteClient
from billing_assets.erp.settings import NetSuiteSettings
from billing_assets.erp.staging import staging
from billing_assets.erp.staging import store as staged
from billing_assets.foundation.settings import Settings
from billing_assets.posting import attempts, lease, locks, run

_LINGER_SECONDS = 0.06
_LOOK_SECONDS = 0.005


@dataclass
class Trap:
    """`nth`: which passing strikes. `number`: SIGKILL, or SIGSTOP for a process that is to wake up again."""

    point: str
    nth: int
    number: signal.Signals = signal.SIGKILL
    chance: random.Random = field(default_factory=random.Random)
    _passed: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def passes(self) -> bool:
        """Counts one passing; true for the one that strikes, and never again."""
        with self._lock:
            self._passed += 1
            return self._passed == self.nth

    def strike(self) -> None:
        """Says where, lingers, and stops this process. Only a stopped one comes back from here."""
        os.write(1, f"at {self.point}\n".encode())
        time.sleep(self.chance.uniform(0, _LINGER_SECONDS))
        os.kill(os.getpid(), self.number)


def _wrap(module: Any, name: str, trap: Trap, *, before: bool, when: Callable[..., bool] | None = None) -> None:
    """Strikes before or after a function of the product. `when` says of its arguments whether a call counts."""
    original = getattr(module, name)

    def wrapped(*arguments: Any, **named: Any) -> Any:
        counts = when is None or when(*arguments, **named)
        if before and counts and trap.passes():
            trap.strike()
        found = original(*arguments, **named)
        if not before and counts and trap.passes():
            trap.strike()
        return found

    setattr(module, name, wrapped)


def _uncommitted(module: Any, name: str, trap: Trap, when: Callable[..., bool] | None = None) -> None:
    """Strikes when a function has done its writes in a transaction that is not committed yet."""
    original = getattr(module, name)

    def wrapped(connection: Any, *arguments: Any) -> Any:
        with connection.transaction():  # the function's own becomes a savepoint in it
            found = original(connection, *arguments)
            if (when is None or when(connection, *arguments)) and trap.passes():
                trap.strike()
        return found

    setattr(module, name, wrapped)


def _any_landed(_connection: Any, _held: Any, outcomes: list[attempts.Outcome]) -> bool:
    return any(outcome.outcome == "landed" for outcome in outcomes)


def before_the_lock_commits(trap: Trap, _settings: Settings) -> None:
    """The lock's statements are done, its transaction is open."""
    _wrap(locks, "lock", trap, before=False)


def after_the_lock(trap: Trap, _settings: Settings) -> None:
    """The lock is committed, nothing is sent."""
    _wrap(lease, "take", trap, before=False)


def after_the_intents(trap: Trap, _settings: Settings) -> None:
    """Intents are committed whose requests were not even queued."""
    _wrap(attempts, "record_intents", trap, before=False)


def during_the_post(trap: Trap, _settings: Settings) -> None:
    """Of a request, nothing, the half, or all has left this machine, and NetSuite may be at work on it."""
    transmit = wire._Connection.transmit

    def watched(connection: Any, data: bytes) -> None:
        if not (data.startswith(b"POST") and b"/record/v1/" in data) or not trap.passes():
            transmit(connection, data)
            return
        transmit(connection, data[: round(len(data) * trap.chance.choice([0, 0.5, 1, 1]))])
        trap.strike()

    setattr(wire._Connection, "transmit", watched)  # noqa: B010


def after_the_commit_before_the_answer(trap: Trap, settings: Settings) -> None:
    """The sandbox holds more than it has answered. Its fault `commit_then_delay` makes the moment long enough."""
    answered = 0
    create = NetSuiteClient.create

    def counted(client: NetSuiteClient, record_type: Any, body: bytes) -> Any:
        nonlocal answered
        found = create(client, record_type, body)
        answered += 1
        return found

    def held() -> int:
        summary = requests.get(f"{settings.of(NetSuiteSettings).base_url}/sandbox/summary", timeout=10).json()
        return int(summary["invoice"]["count"]) + int(summary["creditMemo"]["count"])

    def watch() -> None:
        while held() - before - answered < trap.nth:
            time.sleep(_LOOK_SECONDS)
        trap.strike()

    before = held()
    setattr(NetSuiteClient, "create", counted)  # noqa: B010
    threading.Thread(target=watch, daemon=True).start()


def after_the_answer_before_the_outcome(trap: Trap, _settings: Settings) -> None:
    """Documents landed and we know it, but did not write it, or wrote it in a transaction that never commits."""
    if trap.chance.random() < 0.5:
        _wrap(attempts, "record_outcomes", trap, before=True, when=_any_landed)
    else:
        _uncommitted(attempts, "record_outcomes", trap, when=_any_landed)


def before_the_batch_ends(trap: Trap, _settings: Settings) -> None:
    """All outcomes are written; before the read-back, in it, before the release or in it."""
    trap.nth = 1
    match trap.chance.randrange(5):
        case 0:
            _wrap(run, "read_back", trap, before=True)
        case 1:
            _uncommitted(attempts, "record_read_back", trap)
        case 2:
            _wrap(attempts, "record_read_back", trap, before=False)
        case 3:
            _wrap(locks, "release", trap, before=True)
        case _:
            _wrap(locks, "settle", trap, before=False)


def between_planning_and_asking(trap: Trap, _settings: Settings) -> None:
    """In the sensor: the batches are committed; their runs are not asked for, or were noted as asked for only."""
    from billing_assets.erp.batches import automation  # noqa: PLC0415  loads Dagster

    trap.nth = 1
    _wrap(automation, "runs_wanted", trap, before=trap.chance.random() < 0.5)


def before_staging_commits(trap: Trap, _settings: Settings) -> None:
    """Rows are copied, or merged, or all is done but the commit."""
    trap.nth = 1
    name = trap.chance.choice(["copy_incoming", "mark_gone", "add_cross_findings", "merge", "finish"])
    _wrap(staged, name, trap, before=False)


def after_staging_committed(trap: Trap, _settings: Settings) -> None:
    """Rows and watermark are committed; nobody was told."""
    trap.nth = 1
    _wrap(staging, "stage", trap, before=False)


Arm = Callable[[Trap, Settings], None]

POINTS: dict[str, Arm] = {
    "before the lock commits": before_the_lock_commits,
    "after the lock": after_the_lock,
    "after the intents": after_the_intents,
    "during the POST": during_the_post,
    "after NetSuite committed, before the answer": after_the_commit_before_the_answer,
    "after the answer, before the outcome is written": after_the_answer_before_the_outcome,
    "before the batch ends": before_the_batch_ends,
    "in the sensor, between planning and asking": between_planning_and_asking,
    "in staging, before its commit": before_staging_commits,
    "in staging, after its commit": after_staging_committed,
}
"""Where the victim can be stopped, in the words of the report."""

SENSOR = "in the sensor, between planning and asking"
COMMITTED = "after NetSuite committed, before the answer"
PASSINGS: dict[str, int] = {
    "before the lock commits": 2,
    "after the lock": 2,
    "after the intents": 3,
    "during the POST": 10,
    COMMITTED: 3,
    "after the answer, before the outcome is written": 2,
}
"""How many passings a victim surely makes while a good part of the backlog is left; 1 for the others."""
