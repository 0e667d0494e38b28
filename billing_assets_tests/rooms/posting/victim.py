"""A run over the fake system that kills itself at a named point, or at none."""

import os
import signal
from collections.abc import Callable
from typing import Any

from billing_assets.foundation.database.connection import connect
from billing_assets.posting import attempts, batch_lock, run
from billing_assets.posting.batch_lease import holding
from billing_assets.posting.lanes import Lanes
from billing_assets_tests.rooms.posting.fake import LEDGER, FakeSink
from billing_assets_tests.rooms.posting.systems import LANES, LEASE, Fake


class Trap:
    """Strikes at its n-th passing."""

    def __init__(self, nth: int) -> None:
        self._left = nth

    def __call__(self, *_: object) -> None:
        """One passing."""
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def around(module: Any, name: str, trap: Trap, when: str) -> None:
    """Sets the trap before or after each call of a function."""
    original = getattr(module, name)

    def wrapped(*arguments: Any, **named: Any) -> Any:
        if when == "before":
            trap()
        found = original(*arguments, **named)
        if when == "after":
            trap()
        return found

    setattr(module, name, wrapped)


POINTS: dict[str, Callable[[FakeSink, Trap], None]] = {
    "none": lambda _sink, _trap: None,
    "the lock is taken": lambda _, trap: around(batch_lock, "lock", trap, "after"),
    "intents are written and not committed": lambda _, trap: _in_transaction(attempts, "record_intents", trap),
    "intents are committed": lambda _, trap: around(attempts, "record_intents", trap, "after"),
    "a request is about to leave": lambda sink, trap: setattr(sink, "before_sending", trap),
    "a request has landed": lambda sink, trap: setattr(sink, "after_sending", trap),
    "answers are known and not written": lambda _, trap: around(attempts, "record_outcomes", trap, "before"),
    "outcomes are written and not committed": lambda _, trap: _in_transaction(attempts, "record_outcomes", trap),
    "outcomes are committed": lambda _, trap: around(attempts, "record_outcomes", trap, "after"),
    "before the read-back": lambda _, trap: around(run, "read_back", trap, "before"),
    "the read-back is written and not committed": lambda _, trap: _in_transaction(attempts, "record_read_back", trap),
    "before the release": lambda _, trap: around(batch_lock, "release", trap, "before"),
    "the release is written and not committed": lambda _, trap: around(batch_lock, "settle", trap, "after"),
}


def _in_transaction(module: Any, name: str, trap: Trap) -> None:
    original = getattr(module, name)

    def wrapped(connection: Any, *arguments: Any, **named: Any) -> Any:
        with connection.transaction():  # the function's own becomes a savepoint in it
            found = original(connection, *arguments, **named)
            trap()
        return found

    setattr(module, name, wrapped)


def main(url: str, run_id: str, point: str, nth: str) -> None:
    """One run over the batch."""
    sink = FakeSink(url, run_id)
    POINTS[point](sink, Trap(int(nth)))
    with (
        connect(url) as connection,
        holding(url, connection, LEDGER, "batch", run_id, LEASE, retry_rejected=False) as lease,
        Lanes(url, "fake", LANES) as lanes,
    ):
        run.post_batch(connection, sink, lanes, lease, Fake(url, connection).policy())
    sink.close()
