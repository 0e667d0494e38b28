"""Unlocking: a hold ends, and what its run did not send goes back to the backlog."""

import structlog

from billing_assets.foundation.database.connection import Connection, settle_order
from billing_assets.posting import batch_lock
from billing_assets.posting.batch_lock import UnknownBatchError
from billing_assets.posting.ledger import Backlog, Ledger

log = structlog.get_logger(__name__)


def unlock_stale(
    connection: Connection, backlog: Backlog, stale_lock_minutes: float, unknown_after_seconds: float
) -> dict[str, int]:
    """Gives back every batch whose lease ended longer ago than that. Items given back, by batch."""
    ledger = backlog.ledger
    keys = batch_lock.stale(connection, ledger, stale_lock_minutes)
    # A run may have taken the batch since we looked: it is asked again, under its row's lock.
    unlocked = {key: _give_back(connection, ledger, key, unknown_after_seconds, stale_lock_minutes) for key in keys}
    return {key: items for key, items in unlocked.items() if items is not None}


def unlock(connection: Connection, backlog: Backlog, partition_key: str, unknown_after_seconds: float) -> int:
    """Ends any hold on one batch, a live one too, and gives its items back to the backlog.

    A run that still holds it stops at its next write. Attempts without an outcome stay with the batch until a run has
    looked them up: `unknown_after_seconds` as in `batch_lock.settle`. Returns how many items went back. Raises
    UnknownBatchError.
    """
    items = _give_back(connection, backlog.ledger, partition_key, unknown_after_seconds, None)
    if items is None:
        raise UnknownBatchError(partition_key)
    return items


def _give_back(
    connection: Connection,
    ledger: Ledger,
    partition_key: str,
    unknown_after_seconds: float,
    stale_minutes: float | None,
) -> int | None:
    with connection.transaction():
        settle_order(connection)
        if not batch_lock.expire(connection, ledger, partition_key, stale_minutes):
            return None
        items = batch_lock.give_back(connection, ledger, partition_key)
        state = batch_lock.settle(connection, ledger, partition_key, unknown_after_seconds)
    log.info("unlocked", batch=partition_key, items=items, state=state)
    return items
