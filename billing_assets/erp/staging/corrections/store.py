"""The SQL of corrections: what is proposed, what was decided, and the credit memos that come of it."""

from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from billing_assets.decisions.store import Subject, record
from billing_assets.erp.documents.documents import CORRECTIONS
from billing_assets.erp.staging.store import KEEPS_ITS_NAME, Incoming
from billing_assets.foundation.database.connection import Connection

_LAST_DECISION = """(
    select coalesce(p.decision, 'proposed') from billing.proposed_credit_memos as p
    where p.document = s.id order by p.id desc limit 1)"""


class Correction(NamedTuple):
    """An invoice that was voided after it had been posted, and what was decided about it.

    `decision`: proposed, confirmed, declined or withdrawn. `total` is the credit memo's and negative, `correction` its
    number.
    """

    id: int
    source: str
    number: str
    period: str
    branch: str | None
    currency: str
    total: Decimal
    proposed_at: datetime
    decision: str
    decided_by: str | None
    decided_at: datetime | None
    why: str | None
    correction: str | None
    correction_state: str | None
    correction_period: str | None


def corrections(connection: Connection, *, undecided_only: bool = False) -> list[Correction]:
    """Every proposed credit memo with what became of it, or those that wait for a decision; oldest first."""
    where = "where decision = 'proposed'" if undecided_only else ""
    rows = connection.execute(f"select * from billing.corrections {where} order by id")  # noqa: S608
    return [Correction(**row) for row in rows]


def corrections_of_month(connection: Connection, period: str) -> list[Correction]:
    """The proposed, confirmed and declined corrections of a billing month (`YYYY-MM`), for its close: those whose
    invoice or whose credit memo is of it. Withdrawn ones are of no month."""
    rows = connection.execute(
        """
        select * from billing.corrections
        where (period = %(period)s or correction_period = %(period)s) and decision <> 'withdrawn' order by id""",
        {"period": period},
    )
    return [Correction(**row) for row in rows]


def credited(connection: Connection, source: str, number: str) -> Decimal:
    """What credit memos of the billing system that were sent settle of an invoice. Reads all that ever were."""
    row = connection.execute(
        """
        select coalesce(sum((a ->> 1)::numeric), 0) as credited
        from billing.staged_invoices as m cross join lateral jsonb_array_elements(m.applied) as a
        where m.applied is not null and m.state in ('posting', 'posted') and m.source = %s and a ->> 0 = %s""",
        [source, number],
    ).fetchone()
    return Decimal(row["credited"]) if row else Decimal(0)


def propose(connection: Connection, source: str) -> None:
    """A proposal for every invoice in NetSuite that is void now and has none, and none any more where the void was
    taken back before anybody confirmed it. Call after the merge, in its transaction.

    Where it was declined, the withdrawal is a row of its own: what was decided stays, and a new void is a new question.
    """
    connection.execute(
        """
        update billing.proposed_credit_memos as p
        set decision = 'withdrawn', withdrawn_at = clock_timestamp()
        from billing.staged_invoices as s, incoming as i
        where p.decision is null and s.id = p.document and s.source = %(source)s
          and i.document_id = s.document_id and i.status <> 'void'""",
        {"source": source},
    )
    connection.execute(
        f"""
        insert into billing.proposed_credit_memos (document, total, decision, withdrawn_at)
        select s.id, -s.total, 'withdrawn', clock_timestamp()
        from incoming as i
        join billing.staged_invoices as s on s.source = %(source)s and s.document_id = i.document_id
        where i.status <> 'void' and s.kind = 'invoice' and s.state || '' in ('posted', 'differs')
          and {_LAST_DECISION} = 'declined'
        order by s.id""",  # noqa: S608  a constant
        {"source": source},
    )
    connection.execute(
        f"""
        insert into billing.proposed_credit_memos (document, total)
        select s.id, -s.total
        from incoming as i
        join billing.staged_invoices as s on s.source = %(source)s and s.document_id = i.document_id
        where i.status = 'void' and s.kind = 'invoice' and s.state || '' in ('posted', 'differs')
          and coalesce({_LAST_DECISION}, 'withdrawn') = 'withdrawn'
        order by s.id""",  # noqa: S608  a constant
        {"source": source},
    )


def latest_for_update(connection: Connection, number: str) -> dict[str, Any] | None:
    """The last proposal for an invoice, locked, with its decision; None if there is none.

    `source_status`: how the invoice is in the billing system where it is not as it was posted; `state`: with us.
    """
    return connection.execute(
        """
        select p.id, p.document, p.decision, d.drift ->> 'source_status' as source_status, d.state
        from billing.proposed_credit_memos as p join billing.staged_invoices as d on d.id = p.document
        where d.number = %s and d.kind = 'invoice' order by p.id desc limit 1 for update of p""",
        [number],
    ).fetchone()


def not_yet_credited(connection: Connection, number: str) -> tuple[str, str] | None:
    """External and internal id of an invoice whose credit memo is proposed or was declined; None of any other."""
    row = connection.execute(
        """
        select d.external_id,
               case when p.decision is null or p.decision = 'declined' then d.netsuite_id end as netsuite_id
        from billing.proposed_credit_memos as p join billing.staged_invoices as d on d.id = p.document
        where d.number = %s and d.kind = 'invoice' order by p.id desc limit 1""",
        [number],
    ).fetchone()
    return (row["external_id"], row["netsuite_id"]) if row and row["netsuite_id"] else None


def document(connection: Connection, row_id: int) -> dict[str, Any]:
    """A staged row by its id."""
    (row,) = connection.execute("select * from billing.staged_invoices where id = %s", [row_id]).fetchall()
    return row


def namesakes(connection: Connection, external_id: str, row_id: int = 0) -> list[str]:
    """Ids at the source of other documents with an external id, as far as they may be sent or were."""
    rows = connection.execute(
        """
        select document_id from billing.staged_invoices
        where external_id = %s and id <> %s and state not in ('open', 'excluded', 'gone') order by 1""",
        [external_id, row_id],
    )
    return [row["document_id"] for row in rows]


def add(connection: Connection, source: str, row: Incoming) -> int:
    """Stages a document of our own; its row's id."""
    columns = ", ".join("state" if name == "outcome" else name for name in Incoming._fields)
    values = ", ".join(["%s"] * len(Incoming._fields))
    (added,) = connection.execute(
        f"insert into billing.staged_invoices (source, {columns}) values (%s, {values}) returning id",  # noqa: S608
        [source, *row],
    ).fetchall()
    return int(added["id"])


def decide(
    connection: Connection,
    proposal: int,
    number: str,
    decision: str,
    by: str,
    why: str,
    correction: int | None = None,
) -> None:
    """Notes what somebody decided about an undecided proposal for the invoice of that number."""
    decided = record(connection, Subject.VOID, f"invoice {number}", decision, by, why)
    connection.execute(
        "update billing.proposed_credit_memos set decision = %s, decision_id = %s, correction = %s where id = %s",
        [decision, decided.id, correction, proposal],
    )


def propose_again(connection: Connection, invoice: int) -> int:
    """A new proposal for an invoice whose last one was declined; its id. What was decided stays."""
    (row,) = connection.execute(
        """
        insert into billing.proposed_credit_memos (document, total)
        select id, -total from billing.staged_invoices where id = %s returning id""",
        [invoice],
    ).fetchall()
    return int(row["id"])


def held(connection: Connection, source: str) -> list[dict[str, Any]]:
    """The held corrections of a source's invoices, with what an auditor said who holds one (`hold`): staging reads the
    billing system, which does not have them."""
    return connection.execute(
        """
        select s.*, h.finding as hold
        from billing.staged_invoices as s left join billing.audit_holds as h on h.document = s.id
        where s.source = %s and s.state = 'held' order by s.id""",
        [source + CORRECTIONS],
    ).fetchall()


def judged(connection: Connection, row_id: int, row: Incoming) -> None:
    """Takes over what a held correction was found to be now."""
    connection.execute(
        f"""
        update billing.staged_invoices as s
        set state = %s, findings = %s, external_id = case when {KEEPS_ITS_NAME} then external_id else %s end,
            period = %s, posting_date = %s, judged_under = %s
        where id = %s and state = 'held'""",  # noqa: S608  a constant
        [row.outcome, row.findings, row.external_id, row.period, row.posting_date, row.judged_under, row_id],
    )
