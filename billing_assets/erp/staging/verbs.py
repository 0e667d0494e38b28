"""What other rooms may have done to staged documents. Staging owns `billing.staged_invoices`: they call, it writes.

Each verb works on the caller's connection. Only the posting core writes besides, the states of what a run holds.
"""

from collections.abc import Collection, Mapping, Sequence

from psycopg.types.json import Jsonb

from billing_assets.erp.documents.validation_rules import Finding
from billing_assets.foundation.database.connection import Connection, settle_order
from billing_assets.posting.batch_lock import Lock, StaleLockError


def hold(connection: Connection, held: Lock, findings: Mapping[int, Sequence[Finding]]) -> None:
    """Holds documents (by their rows) that a run has and has not sent, each with why; staging judges them again.

    Raises StaleLockError, writing nothing, when any of them is not the run's any more.
    """
    rows = [{"id": document, "findings": _json(why)} for document, why in findings.items()]
    with connection.transaction():
        if len(rows) > 1:  # one row can be in no circle
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


def hold_rejected(connection: Connection, period: str, why: Finding) -> int:
    """Holds what NetSuite refused of a month; staging judges it again. Returns how many."""
    return connection.execute(
        """
        update billing.staged_invoices set state = 'held', batch = null, findings = %s, judged_under = null
        where period = %s and state = 'rejected'""",
        [Jsonb(_json([why])), period],
    ).rowcount


def hold_waiting(connection: Connection, period: str, why: Finding) -> int:
    """Holds the credit memos of a month that wait for an invoice that is not on its way; staging judges them again.
    Returns how many."""
    return connection.execute(
        """
        update billing.staged_invoices set state = 'held', findings = %s, judged_under = null
        where id in (select id from billing.kept_back_credits where period = %s) and state = 'ready'""",
        [Jsonb(_json([why])), period],
    ).rowcount


def requeue(
    connection: Connection, numbers: Sequence[str] | None, batches: Collection[str], not_held: Collection[str]
) -> int:
    """Rejected documents of these batches, all or those with the given numbers, wait for a batch again. How many.

    `not_held`: those of the batches that no run has. By its number also what NetSuite says that it has, and shows
    nothing of: while that is so, it refuses the document again.
    """
    connection.execute(
        """
        update billing.staged_invoices set state = 'rejected'
        where state = 'differs' and netsuite_id is null and number = any(%s) and batch = any(%s)""",
        [None if numbers is None else list(numbers), list(not_held)],
    )
    return connection.execute(
        """
        update billing.staged_invoices set state = 'ready', batch = null
        where state = 'rejected' and batch = any(%(batches)s)
          and (%(numbers)s::text[] is null or number = any(%(numbers)s))""",
        {"numbers": None if numbers is None else list(numbers), "batches": list(batches)},
    ).rowcount


def accept(connection: Connection, document: int, transaction_number: str | None) -> bool:
    """Makes a document (its row) posted as NetSuite has it, whatever differs there. Whether anything did still."""
    return bool(
        connection.execute(
            """
            update billing.staged_invoices
            set state = 'posted', posted_at = coalesce(posted_at, clock_timestamp()), difference = null,
                read_back_at = clock_timestamp(), transaction_number = coalesce(%s, transaction_number)
            where id = %s and (state = 'differs' or state = 'posted' and difference is not null)""",
            [transaction_number, document],
        ).rowcount
    )


def judge_again(connection: Connection, external_ids: Collection[str]) -> int:
    """Has the next staging judge the documents with these external ids that no run has. Returns how many."""
    return connection.execute(
        """
        update billing.staged_invoices set judged_under = null
        where external_id = any(%s) and state in ('open', 'held', 'excluded', 'ready', 'batched')""",
        [list(external_ids)],
    ).rowcount


def rename(connection: Connection, document: int, external_id: str) -> bool:
    """Gives a document (its row) that has no batch the external id under which NetSuite has it; staging judges it
    again. Whether it could be."""
    return bool(
        connection.execute(
            """
            update billing.staged_invoices set external_id = %s, judged_under = null, source_digest = null
            where id = %s and state in ('open', 'held', 'excluded', 'ready')""",
            [external_id, document],
        ).rowcount
    )


def _json(findings: Sequence[Finding]) -> list[dict[str, object]]:
    return [one._asdict() for one in findings]
