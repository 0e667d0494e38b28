"""Comparisons that runs in this process made, for the command that started them: it needs no second one."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from billing_assets.erp.close.reconciliation import MonthClose

_NOTED: ContextVar[list[MonthClose] | None] = ContextVar("noted", default=None)


@contextmanager
def noting_comparisons() -> Iterator[list[MonthClose]]:
    """The comparisons that runs make in the block, in their order."""
    noted: list[MonthClose] = []
    token = _NOTED.set(noted)
    try:
        yield noted
    finally:
        _NOTED.reset(token)


def note_comparison(close: MonthClose) -> None:
    """Notes what a run compared, where a command in this process waits for it."""
    if (noted := _NOTED.get()) is not None:
        noted.append(close)
