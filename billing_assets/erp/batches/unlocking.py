"""Giving back what got stuck: stale locks by schedule or command, rejected documents by a person."""

from collections.abc import Sequence
from typing import NamedTuple

import structlog

from billing_assets.erp.batches import reports, store
from billing_assets.erp.batches.ledger import DOCUMENTS
from billing_assets.foundation.database.connection import Connection, settle_order
from billing_assets.posting import batch_lock
from billing_assets.posting.batch_lock import UnknownBatchError

log = structlog.get_logger(__name__)


def unlock_stale(connection: Connection, stale_lock_minutes: float, unknown_after_seconds: float) -> dict[str, int]:
    """Gives back every batch whose lease ended longer ago than the setting. Documents given back, by batch."""
    keys = [batch.partition_key for batch in store.stale(connection, stale_lock_minutes)]
    # A run may have taken the batch since we looked: it is asked again, under its row's lock.
    unlocked = {key: _give_back(connection, key, unknown_after_seconds, stale_lock_minutes) for key in keys}
    return {key: documents for key, documents in unlocked.items() if documents is not None}


def unlock(connection: Connection, partition_key: str, unknown_after_seconds: float) -> int:
    """Ends any hold on one batch, a live one too, and gives its documents back to the backlog.

    A run that still holds it stops at its next write. Attempts without an outcome stay with the batch until a run has
    looked them up in NetSuite. Returns how many documents went back. Raises UnknownBatchError.
    """
    documents = _give_back(connection, partition_key, unknown_after_seconds, None)
    if documents is None:
        raise UnknownBatchError(partition_key)
    return documents


def _give_back(
    connection: Connection, partition_key: str, unknown_after_seconds: float, stale_minutes: float | None
) -> int | None:
    with connection.transaction():
        settle_order(connection)
        if not batch_lock.expire(connection, DOCUMENTS, partition_key, stale_minutes):
            return None
        documents = batch_lock.give_back(connection, DOCUMENTS, partition_key)
        state = batch_lock.settle(connection, DOCUMENTS, partition_key, unknown_after_seconds)
    log.info("unlocked", batch=partition_key, documents=documents, state=state)
    return documents


class Requeued(NamedTuple):
    """What a requeue did: documents that wait for a batch again, and why others stay as they are, by number."""

    documents: int
    refused: dict[str, str]


def requeue_and_explain(
    connection: Connection, numbers: Sequence[str] | None, unknown_after_seconds: float
) -> Requeued:
    """Sends rejected documents (those with these numbers, or all) to the backlog again, and says which stay and why."""
    asked = list(numbers) if numbers else None
    before = reports.standing(connection, asked)
    documents = requeue(connection, asked, unknown_after_seconds)
    after = reports.standing(connection, asked)
    return Requeued(documents, reports.why_not_requeued(asked or [one.number for one in after], before, after))


def requeue(connection: Connection, numbers: list[str] | None, unknown_after_seconds: float) -> int:
    """Sends rejected documents to the backlog again, after their cause was fixed. Returns how many."""
    with connection.transaction():
        settle_order(connection)
        documents = store.requeue(connection, numbers, unknown_after_seconds)
    log.info("requeued", documents=documents)
    return documents
