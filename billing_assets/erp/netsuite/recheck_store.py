"""The SQL of the comparison before sending: what the run holds, as it was staged."""

from typing import NamedTuple

from billing_assets.erp.staging.recheck import Staged
from billing_assets.foundation.database.connection import Connection
from billing_assets.posting.locks import Lock


class Unsent(NamedTuple):
    """A document that a run holds and has not sent: its row, its number, and what was staged."""

    id: int
    number: str
    staged: Staged


def unsent(connection: Connection, held: Lock, source: str) -> list[Unsent]:
    """What this run holds and has not sent of the documents of a source, in their order.

    Documents that we made ourselves, for voided invoices, are of another source: the billing system does not know them.
    """
    rows = connection.execute(
        """
        select id, number, document_id, content_hash, source_digest from billing.staged_invoices
        where batch = %s and epoch = %s and state = 'locked' and source = %s order by id""",
        [held.partition_key, held.epoch, source],
    )
    return [
        Unsent(row["id"], row["number"], Staged(row["document_id"], row["content_hash"], row["source_digest"]))
        for row in rows
    ]
