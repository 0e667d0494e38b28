"""The SQL of auditors' decisions: what they are about, and the append-only log of them."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from billing_assets.decisions.store import Subject as Decided
from billing_assets.decisions.store import here, record_each
from billing_assets.erp.audit.store import CONTENT, serialise
from billing_assets.foundation.database.connection import Connection

__all__ = ["Subject", "append", "rows_taken", "serialise", "states", "subjects"]


class Subject(NamedTuple):
    """What a decision is about: a staged document, or a contract of a month without one; and the last one about it.

    `content` is the mark of what the document charges now.
    """

    reference: str
    document: int | None
    period: str
    contract: str | None
    number: str | None
    state: str | None
    transaction_number: str | None
    content: str
    last_id: int | None
    last_decision: str | None
    last_comment: str | None
    last_by: str | None
    last_at: datetime | None


def subjects(connection: Connection, source: str, references: Sequence[str]) -> dict[str, Subject]:
    """What the references name: any staged document with a month, and the contracts of the queue, by reference."""
    documents = [int(one) for one in references if one.isascii() and one.isdigit() and len(one) < 19]
    rows = connection.execute(
        f"""
        with named as (
            select id::text as reference, id as document, period, contract, number, state, transaction_number
            from billing.staged_invoices
            where id = any(%(documents)s) and source = %(source)s and period is not null
            union all
            select reference, null, period, contract, null, null, null from billing.audit_queue
            where source = %(source)s and document is null and reference = any(%(references)s))
        select n.*, {CONTENT} as content, l.id as last_id, l.decision as last_decision, l.comment as last_comment,
            l.decided_by as last_by, l.decided_at as last_at
        from named as n
        left join billing.staged_invoices as d on d.id = n.document
        left join lateral (
            select a.id, a.decision, w.why as comment, w.decided_by, w.decided_at
            from billing.audit_decisions as a join billing.decisions as w on w.id = a.decision_id
            where a.source = %(source)s and a.reference = n.reference order by a.id desc limit 1) as l on true""",  # noqa: S608  a constant
        {"source": source, "documents": documents, "references": list(references)},
    )
    return {row["reference"]: Subject(**row) for row in rows}


def rows_taken(connection: Connection, digest: bytes) -> set[int]:
    """The rows of a file that an earlier import of it took."""
    rows = connection.execute("select file_row from billing.audit_decisions where file_digest = %s", [digest])
    return {row["file_row"] for row in rows}


def append(
    connection: Connection, source: str, by: str, digest: bytes, decisions: Sequence[tuple[int, Subject, str, str]]
) -> None:
    """Adds decisions to the log: row of the file, what it is about, decision and comment."""
    names = [
        f"document {subject.number}" if subject.number else f"contract {subject.contract} in {subject.period}"
        for _, subject, _, _ in decisions
    ]
    decided = record_each(
        connection,
        Decided.AUDIT,
        [(name, decision, comment) for name, (_, _, decision, comment) in zip(names, decisions, strict=True)],
        by,
        where=f"file {digest.hex()[:16]}, {here()}",
    )
    with connection.cursor().copy(
        "copy billing.audit_decisions (document, source, period, contract, decision, decision_id, file_digest,"
        " file_row) from stdin"
    ) as copy:
        for (row, subject, decision, _), decision_id in zip(decisions, decided, strict=True):
            copy.write_row(
                (subject.document, source, subject.period, subject.contract, decision, decision_id, digest, row)
            )


def states(connection: Connection, documents: Sequence[int]) -> list[tuple[str, str]]:
    """Number and state of documents as they stand now."""
    rows = connection.execute(
        "select number, state from billing.staged_invoices where id = any(%s) order by id", [list(documents)]
    )
    return [(row["number"], row["state"]) for row in rows]
