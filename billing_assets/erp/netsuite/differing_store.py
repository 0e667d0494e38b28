"""The SQL of what NetSuite has otherwise than it was sent: which documents these are, and what a person decided."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from psycopg.types.json import Jsonb

from billing_assets.decisions.store import Subject, record
from billing_assets.erp.staging import verbs
from billing_assets.foundation.database.connection import Connection


class Differing(NamedTuple):
    """A document that NetSuite has under our external id, not as it was sent, or whose lines could not be compared.

    `netsuite_id` is None where NetSuite shows it to no query of our role.
    """

    id: int
    kind: str
    number: str
    state: str
    batch: str
    currency: str
    total: Decimal
    external_id: str
    netsuite_id: str | None
    difference: str
    since: datetime


class Decided(NamedTuple):
    """What a person decided about a document that NetSuite has otherwise."""

    kind: str
    number: str
    currency: str
    total: Decimal
    netsuite_id: str
    difference: str
    decision: str
    decided_by: str
    why: str
    decided_at: datetime


_DIFFERING = """
    select id, kind, number, state, batch, currency, total, external_id, netsuite_id,
           coalesce(difference, '') as difference, state_since as since
    from billing.staged_invoices"""


def differing(connection: Connection, number: str | None = None) -> list[Differing]:
    """What waits for a person, oldest first: all of it, or the documents with a number."""
    rows = connection.execute(
        f"""
        {_DIFFERING} where state = 'differs' and (%(number)s::text is null or number = %(number)s)
        union all
        {_DIFFERING} where state = 'posted' and (read_back_at is null or difference is not null)
            and difference is not null and (%(number)s::text is null or number = %(number)s)
        order by since, id""",
        {"number": number},
    )
    return [Differing(**row) for row in rows]


def decisions(connection: Connection, document: int | None = None) -> list[Decided]:
    """What was decided, about all documents or one, in its order."""
    rows = connection.execute(
        """
        select d.kind, d.number, d.currency, d.total, c.netsuite_id, c.difference, c.decision, w.decided_by, w.why,
               w.decided_at
        from billing.accepted_differences as c join billing.staged_invoices as d on d.id = c.document
        join billing.decisions as w on w.id = c.decision_id
        where %(document)s::bigint is null or c.document = %(document)s order by c.id""",
        {"document": document},
    )
    return [Decided(**row) for row in rows]


def lock_batch(connection: Connection, partition_key: str) -> bool:
    """Keeps runs from taking the batch up to the end of the transaction; whether none has it now."""
    row = connection.execute(
        """
        select locked_until >= clock_timestamp() as held from billing.locked_batches
        where partition_key = %s for update""",
        [partition_key],
    ).fetchone()
    return not (row and row["held"])


def decide(
    connection: Connection, one: Differing, found: Mapping[str, str | None], decision: str, by: str, why: str
) -> bool:
    """Notes the decision and makes the document posted as NetSuite has it. Whether it still differed.
    Call in a transaction."""
    if not verbs.accept(connection, one.id, found.get("tranid")):
        return False
    decided = record(connection, Subject.DIFFERENCE, f"{one.kind} {one.number}", decision, by, why)
    connection.execute(
        """
        insert into billing.accepted_differences (document, netsuite_id, difference, found, decision, decision_id)
        values (%s, %s, %s, %s, %s, %s)""",
        [one.id, one.netsuite_id, one.difference, Jsonb(dict(found)), decision, decided.id],
    )
    return True
