"""Giving back what got stuck: stale locks by schedule or command, rejected documents by command."""

import structlog

from billing_assets.batches import store
from billing_assets.state.database import Connection, settle_order

log = structlog.get_logger(__name__)


def unlock_stale(connection: Connection, stale_lock_minutes: float, unknown_after_seconds: float) -> dict[str, int]:
    """Gives back every batch whose lease ended longer ago than the setting. Documents given back, by batch."""
    keys = [batch.partition_key for batch in store.stale(connection, stale_lock_minutes)]
    return {key: unlock(connection, key, unknown_after_seconds) for key in keys}


def unlock(connection: Connection, partition_key: str, unknown_after_seconds: float) -> int:
    """Ends any hold on one batch, a live one too, and gives its documents back to the backlog.

    A run that still holds it stops at its next write. Attempts without an outcome stay with the batch until a run has
    looked them up in NetSuite. Returns how many documents went back. Raises UnknownBatchError.
    """
    with connection.transaction():
        settle_order(connection)
        store.expire(connection, partition_key)
        given_back = store.give_back(connection, partition_key)
        state = store.settle(connection, partition_key, unknown_after_seconds)
        if not state:
            raise store.UnknownBatchError(partition_key)
    log.info("unlocked", batch=partition_key, documents=given_back, state=state)
    return given_back


def requeue(connection: Connection, numbers: list[str] | None, unknown_after_seconds: float) -> int:
    """Sends rejected documents to the backlog again, after their cause was mended. Returns how many."""
    with connection.transaction():
        settle_order(connection)
        by_batch = store.requeue(connection, numbers)
        for key in by_batch:
            store.settle(connection, key, unknown_after_seconds)
    log.info("requeued", documents=sum(by_batch.values()))
    return sum(by_batch.values())
