"""Documents that an auditor holds: `billing.audit_holds`, its SQL, and what follows for the staging table.

Kept beside the documents and not on them, so that holding one never waits for a run that posts its batch.
"""

from collections.abc import Mapping, Sequence

from psycopg.types.json import Jsonb

from billing_assets.erp.documents.validation_rules import Finding
from billing_assets.foundation.database.connection import Connection, settle_order


def place(connection: Connection, found: Mapping[int, Finding]) -> None:
    """Holds documents (rows of `staged_invoices`) with their finding; call inside a transaction.

    What waits for a batch, or in one that no run has locked, is held at once. Where a run has it, that run holds it
    unless it was sent already; whatever comes to rest later is held by the next staging.
    """
    settle_order(connection)
    ids = sorted(found)
    # The batches first, as locking does: the other order could deadlock with it.
    connection.execute(
        """
        select from billing.locked_batches where partition_key in (
            select batch from billing.staged_invoices where id = any(%s) and state in ('batched', 'rejected'))
        order by partition_key for update""",
        [ids],
    )
    connection.execute(
        """
        insert into billing.audit_holds (document, finding)
        select * from unnest(%s::bigint[], %s::jsonb[]) as h
        on conflict (document) do update set finding = excluded.finding, since = excluded.since""",
        [ids, [Jsonb(found[one]._asdict()) for one in ids]],
    )
    connection.execute(
        """
        update billing.staged_invoices as s
        set state = 'held', batch = null, judged_under = null,
            findings = jsonb_path_query_array(s.findings, '$[*] ? (@.code != "AUDIT_HOLD")') || h.finding
        from billing.audit_holds as h
        where h.document = s.id and s.id = any(%s) and s.state in ('held', 'ready', 'batched', 'rejected')""",
        [ids],
    )


def release(connection: Connection, ids: Sequence[int]) -> int:
    """Ends holds; call inside a transaction. The next staging judges the documents again. How many were held."""
    settle_order(connection)
    ended = connection.execute("delete from billing.audit_holds where document = any(%s)", [list(ids)]).rowcount
    connection.execute(
        """
        update billing.staged_invoices set judged_under = null
        where id = any(%s) and state = 'held' and findings @> '[{"code": "AUDIT_HOLD"}]'""",
        [list(ids)],
    )
    return ended


def add_to_incoming(connection: Connection, source: str) -> None:
    """Holds what is about to be merged, whatever was read and judged of it while an auditor decided.

    Until it goes on, it belongs to its own month.
    """
    connection.execute(
        """
        update incoming as i
        set findings = i.findings || h.finding, outcome = 'held',
            period = to_char(i.document_date, 'YYYY-MM'), posting_date = null
        from billing.audit_holds as h
        join billing.staged_invoices as s on s.id = h.document
        where s.source = %s and s.document_id = i.document_id and i.outcome in ('ready', 'held')""",
        [source],
    )
