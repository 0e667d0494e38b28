"""Changes after posting that somebody answers for (`billing.accepted_drifts`): with them a month can be closed.

What is in NetSuite stays as it is. An acceptance counts as long as the change is the one that was accepted.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from psycopg.types.json import Jsonb

from billing_assets.decisions.store import Subject, record
from billing_assets.erp.close.closing import CloseRefusedError, Decision
from billing_assets.erp.documents.documents import Kind, SourceStatus
from billing_assets.foundation.database.connection import Connection


class Acceptance(NamedTuple):
    """Who accepted which change of a posted document, and whether it is still the same.

    `total` is what was posted, `total_now` what the billing system has: None where the document is gone there.
    """

    kind: str
    number: str
    period: str
    currency: str
    total: Decimal
    total_now: Decimal | None
    status_now: str
    accepted_by: str
    why: str
    accepted_at: datetime
    counts: bool


def accept(
    connection: Connection, sources: Sequence[str], number: str, decision: Decision, kind: Kind | None = None
) -> Acceptance:
    """Notes that somebody answers for what the billing system changed of a posted document, as staging last saw it.

    The same change again is noted once. Raises CloseRefusedError where staging noted none, where several documents have
    the number, and for a voided invoice, about whose credit memo somebody decides instead.
    """
    rows = connection.execute(
        """
        select id, kind, drift ->> 'source_status' as status from billing.staged_invoices
        where source = any(%s) and kind = any(%s) and number = %s and state = 'posted' and drift is not null""",
        [list(sources), [kind] if kind else [Kind.INVOICE, Kind.CREDIT_MEMO], number],
    ).fetchall()
    if not rows:
        raise CloseRefusedError(
            f"Staging noted no change of {number} after it was posted. Run the job `stage_invoices`: started by hand, "
            "it compares every document of the months that are not closed for good, however long ago it was posted."
        )
    if len(rows) > 1:
        if len({row["kind"] for row in rows}) == 1:
            raise CloseRefusedError(f"Several billing systems have a document {number}: correct it in its own.")
        raise CloseRefusedError(f"An invoice and a credit memo have the number {number}: say which with --kind.")
    if rows[0]["kind"] == Kind.INVOICE and rows[0]["status"] == SourceStatus.VOID:
        raise CloseRefusedError(
            f"Invoice {number} was voided: `billing voids confirm` or `billing voids decline` its credit memo."
        )
    with connection.transaction():
        found = connection.execute(
            """
            select d.drift from billing.staged_invoices as d
            where d.id = %s and d.drift is not null and not exists (
                select from billing.accepted_drifts as a where a.document = d.id and a.drift = d.drift)
            for update of d""",
            [rows[0]["id"]],
        ).fetchone()
        if found is not None:
            about = f"{rows[0]['kind']} {number}"
            decided = record(connection, Subject.DRIFT, about, "accepted", decision.by, decision.why)
            connection.execute(
                "insert into billing.accepted_drifts (document, drift, decision_id) values (%s, %s, %s)",
                [rows[0]["id"], Jsonb(found["drift"]), decided.id],
            )
    return acceptances(connection, rows[0]["id"])[-1]


def acceptances(connection: Connection, document: int | None = None) -> list[Acceptance]:
    """Everything that was accepted, or that of one document (its row), in its order."""
    rows = connection.execute(
        """
        select d.kind, d.number, d.period, d.currency, d.total, (a.drift ->> 'source_total')::numeric as total_now,
               a.drift ->> 'source_status' as status_now, w.decided_by as accepted_by, w.why,
               w.decided_at as accepted_at, d.drift is not distinct from a.drift as counts
        from billing.accepted_drifts as a join billing.staged_invoices as d on d.id = a.document
        join billing.decisions as w on w.id = a.decision_id
        where %(document)s::bigint is null or a.document = %(document)s order by a.id""",
        {"document": document},
    )
    return [Acceptance(**row) for row in rows]
