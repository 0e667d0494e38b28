"""Keeping our own tables small: what retention does every day, in small transactions that may end at any moment."""

import structlog

from billing_assets.foundation.database.connection import Connection
from billing_assets.operations.retention import store
from billing_assets.operations.retention.settings import RetentionSettings

log = structlog.get_logger(__name__)

CHUNK = 2000
"""Documents whose log moves in one transaction: a fraction of a second, so that nothing waits for it."""


def archive_documents(connection: Connection, settings: RetentionSettings, chunk: int = CHUNK) -> int:
    """Archives the log of what was posted long ago and puts the counts of posted documents together.

    Returns how many documents' log was moved. Safe to end anywhere, to run twice, and beside everything else.
    """
    moved = 0
    while documents := store.archive(connection, settings.attempts_days, chunk):
        moved += documents
    store.put_totals_together(connection)
    log.info("archived", documents=moved)
    return moved
