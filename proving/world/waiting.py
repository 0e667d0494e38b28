"""Waiting for a state, never for a time: how long it takes is up to the machine."""

import time
from collections.abc import Callable

PATIENCE_SECONDS = 240.0
"""As long as anything may take on a machine that is busy with something else."""


def until(condition: Callable[[], object], what: str = "it did not come to that") -> None:
    """Returns as soon as the condition holds. Fails with `what` when it never does."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)
