"""The SQL of the comparison before sending: what the run holds as it was staged, and what goes back."""

from collections.abc import Mapping
from typing import NamedTuple

from psycopg.types.json import Jsonb

from billing_assets.erp.documents.rules import Finding
from billing_assets.erp.staging.recheck import Staged
from billing_assets.foundation.database.connection import Connection, settle_order
from billing_assets.posting.locks import Lock, StaleLockError


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


def send_back(connection: Connection, held: Lock, found: Mapping[int, Finding]) -> None:
    """Takes documents (rows of `staged_invoices`) out of the batch; each is held until staging has judged it again.

    Raises StaleLockError, writing nothing, when any of them is not ours any more.
    """
    rows = [{"id": document, "findings": [one._asdict()]} for document, one in found.items()]
    with connection.transaction():
        settle_order(connection)
        moved = connection.execute(
            """
            update billing.staged_invoices as d
            set state = 'held', batch = null, findings = r.findings, judged_under = null
            from jsonb_to_recordset(%s) as r (id bigint, findings jsonb)
            where d.id = r.id and d.batch = %s and d.epoch = %s and d.state = 'locked'""",
            [Jsonb(rows), held.partition_key, held.epoch],
        ).rowcount
        if moved != len(rows):
            raise StaleLockError(held)
