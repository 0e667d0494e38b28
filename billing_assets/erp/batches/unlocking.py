"""Giving back what got stuck: stale locks by schedule or command, rejected documents by a person.

How a batch is unlocked is the posting core's. Requeueing is documents' own: which go says a person by their numbers, a
closed month keeps its own, and each that stays is told why.
"""

from collections.abc import Sequence
from typing import NamedTuple

import structlog

from billing_assets.erp.batches import reports, store
from billing_assets.erp.batches.ledger import WAITING
from billing_assets.foundation.database.connection import Connection, settle_order
from billing_assets.posting import unlocking

log = structlog.get_logger(__name__)


def unlock_stale(connection: Connection, stale_lock_minutes: float, unknown_after_seconds: float) -> dict[str, int]:
    """Gives back every batch whose lease ended longer ago than the setting. Documents given back, by batch."""
    return unlocking.unlock_stale(connection, WAITING, stale_lock_minutes, unknown_after_seconds)


def unlock(connection: Connection, partition_key: str, unknown_after_seconds: float) -> int:
    """Ends any hold on one batch, a live one too, and gives its documents back to the backlog; those whose outcome is
    not known stay with it. Returns how many went back. Raises UnknownBatchError."""
    return unlocking.unlock(connection, WAITING, partition_key, unknown_after_seconds)


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
