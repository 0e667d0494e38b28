"""Keys that an earlier version spelled as the driver did: `billing.keys_to_spell`, its SQL, what is done about them.

A uniqueidentifier of SQL Server came in capitals or small letters, by the driver; now it is spelled in one way. What is
staged is renamed once, so that a new version or another driver makes no document gone.
"""

import sqlalchemy
import structlog

from billing_assets.erp.billing_system import reader
from billing_assets.foundation.database.connection import Connection

log = structlog.get_logger(__name__)

_CAPITALS = "document_id ~ '^[0-9A-F]{8}-([0-9A-F]{4}-){3}[0-9A-F]{12}$' and document_id ~ '[A-F]'"
_ASKED = 100


def take_along(connection: Connection, source: sqlalchemy.Connection, queries: reader.Queries, name: str) -> None:
    """Renames what is staged under keys in capitals, where the billing system has uniqueidentifiers for them; call
    inside the staging's transaction. Where none of them is there any more, the next staging asks again."""
    if connection.execute("select from billing.keys_to_spell where source = %s", [name]).fetchone() is None:
        return
    rows = connection.execute(
        f"select document_id from billing.staged_invoices where source = %s and {_CAPITALS} limit %s",  # noqa: S608
        [name, _ASKED],
    ).fetchall()
    staged = {row["document_id"] for row in rows}
    there = set(reader.present_ids(source, queries, sorted(staged)))
    if staged and not there:
        return
    if there and not there & staged:  # each was found, and is spelled in another way
        renamed = connection.execute(
            f"""
            update billing.staged_invoices as s set document_id = lower(document_id), source_digest = null
            where source = %(source)s and {_CAPITALS} and not exists (
                select from billing.staged_invoices as o
                where o.source = %(source)s and o.document_id = lower(s.document_id))""",  # noqa: S608  a constant
            {"source": name},
        ).rowcount
        log.info("keys_spelled", source=name, documents=renamed)
    connection.execute("delete from billing.keys_to_spell where source = %s", [name])
