"""The SQL of documents on their way to NetSuite: which go next, what is taken out of a batch, what is not read back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from billing_assets.erp.documents.documents import Document
from billing_assets.erp.documents.rules import Finding, finding
from billing_assets.erp.staging.content import document_of
from billing_assets.foundation.database.connection import Connection
from billing_assets.posting import attempts
from billing_assets.posting.attempts import OpenAttempt
from billing_assets.posting.locks import Lock


class Credited(NamedTuple):
    """A posted invoice that a credit memo is applied to."""

    netsuite_id: str
    total: Decimal


@dataclass(frozen=True, slots=True)
class Posting:
    """A document on its way: its row and its external id. `credited`: the invoices that it is applied to, by number, as
    far as they are posted. `hold`: why it must not go although a run has it (an auditor, a look-alike in NetSuite).
    `attempted`: it was sent before, and so keeps its external id. `found`: NetSuite has its name although no attempt of
    ours is known (`found.py`).
    """

    id: int
    external_id: str
    document: Document
    credited: Mapping[str, Credited] = field(default_factory=dict)
    hold: Finding | None = None
    attempted: bool = False
    found: bool = False

    @property
    def label(self) -> str:
        """How people name it."""
        return self.document.number

    @property
    def adopted(self) -> bool:
        """Whether it is taken over from NetSuite, and not sent."""
        return self.found and not self.attempted

    @property
    def waits(self) -> bool:
        """Whether it is applied to an invoice that is not posted."""
        return any(one.applies_to not in self.credited for one in self.document.targets)


@dataclass(frozen=True, slots=True)
class Unread:
    """A posted document that was not yet compared with what NetSuite shows.

    `applied`: what of a credit memo was sent to settle invoices; None where the billing system says nothing of it.
    `accepted`: what NetSuite had when a person accepted that it differs (`NetSuiteTransaction.facts`).
    """

    id: int
    kind: str
    external_id: str
    total: Decimal
    netsuite_id: str
    applied: Decimal | None
    unproven: bool
    accepted: dict[str, str | None] | None


_CREDITED = """
    jsonb_array_elements(d.applications) as a
    cross join lateral (
        select t.netsuite_id, t.external_id, t.total from billing.staged_invoices as t
        where t.source = billing.credited_source(d.source) and t.kind = 'invoice' and t.number = a.value ->> 0
          and t.state || '' = 'posted' limit 1  -- never by an index of all that is posted
    ) as t"""

_DOCUMENT = f"""
    d.id, d.external_id, d.source, d.document_id, d.kind, d.number, d.status, d.created_at, d.document_date, d.due_date,
    d.customer, d.branch, d.currency, d.terms, d.purchase_order, d.memo, d.applies_to, d.total, d.extra, d.lines,
    d.posting_date, d.applications, case when d.applications is not null then (
        select jsonb_object_agg(a.value ->> 0, jsonb_build_array(t.netsuite_id, t.total::text)) from {_CREDITED}
    ) end as credited"""  # noqa: S608


def _posting(row: dict[str, Any]) -> Posting:
    credited = {number: Credited(one, Decimal(total)) for number, (one, total) in (row["credited"] or {}).items()}
    hold = Finding(**row["hold"]) if row.get("hold") else None
    if row.get("closed") and not (row["found"] and not row["attempted"]):  # it is taken over, and not sent
        hold = finding(
            "PERIOD_CLOSED", "document_date", row["document_date"], "Its month was closed for good meanwhile."
        )
    if (look_alike := row.get("look_alike")) and not row["found"]:  # its own name is there: it is not sent anyway
        hold = finding("MAY_BE_IN_NETSUITE", "number", row["number"], f"It may be what NetSuite has as {look_alike}.")
    attempted, found = row.get("attempted", False), row.get("found", False)
    return Posting(row["id"], row["external_id"], document_of(row), credited, hold, attempted, found)


LOOKS_ALIKE = """
    f.kind = d.kind and f.currency = d.currency and f.total = abs(d.total)
    and (f.customers is null or trim(d.customer) = any(f.customers) or lower(trim(d.customer)) = any(f.customers))"""


_TO_SEND = f"""
    {_DOCUMENT}, (select h.finding from billing.audit_holds as h where h.document = d.id) as hold,
    exists (select from billing.posting_attempts as a where a.document = d.id) as attempted,
    exists (select from billing.found_here as f where f.external_id = d.external_id) as found,
    exists (  -- the close may have come back from the journal, after a backup from before it was restored
        select from billing.closed_months as m where m.state = 'hard' and m.period >= d.period) as closed,
    (select f.external_id || ' (internal id ' || f.netsuite_id || ')'
     from billing.found_without_document as f where {LOOKS_ALIKE} limit 1) as look_alike"""  # noqa: S608


def next_to_send(connection: Connection, held: Lock, limit: int, after: int = 0) -> list[Posting]:
    """The next documents that this run holds and has not sent, oldest first, behind the row `after`."""
    return attempts.next_to_send(connection, held, _TO_SEND, _posting, limit, after)


def in_batch(connection: Connection, partition_key: str) -> list[Posting]:
    """Every document of a batch that is not in NetSuite yet, for a dry run."""
    rows = connection.execute(
        f"""
        select {_DOCUMENT} from billing.staged_invoices as d
        where d.batch = %s and d.state in ('batched', 'locked', 'posting', 'rejected') order by d.id""",  # noqa: S608
        [partition_key],
    )
    return [_posting(row) for row in rows]


def by_number(connection: Connection, number: str) -> list[Posting]:
    """The documents with a number, whatever their state (an invoice and a credit memo may share it)."""
    rows = connection.execute(
        f"""
        select {_DOCUMENT} from billing.staged_invoices as d
        where d.number = %s and d.document_date is not null and d.total is not null order by d.id""",  # noqa: S608
        [number],
    )
    return [_posting(row) for row in rows]


def credited_invoices(connection: Connection, held: Lock) -> dict[str, str]:
    """The invoices that credit memos are applied to which this run holds and has not sent: external by internal id."""
    rows = connection.execute(
        f"""
        select distinct t.netsuite_id, t.external_id from billing.staged_invoices as d cross join lateral {_CREDITED}
        where d.batch = %s and d.epoch = %s and d.state = 'locked' and d.applications is not null order by 1""",  # noqa: S608
        [held.partition_key, held.epoch],
    )
    return {row["netsuite_id"]: row["external_id"] for row in rows}


def open_attempts(connection: Connection, held: Lock, absence_counts_after: float) -> list[OpenAttempt[Posting]]:
    """The documents of the batch whose last attempt has no known end, and those that NetSuite has otherwise than they
    were sent, with what is needed to judge a look-up."""
    return attempts.open_attempts(connection, held, _DOCUMENT, _posting, absence_counts_after)


def unread(connection: Connection, held: Lock) -> list[Unread]:
    """Posted documents of the batch that were not read back, or were different when they were."""
    rows = connection.execute(
        """
        select id, kind, external_id, total, netsuite_id,
               case when applied is not null then (
                   select coalesce(sum((a ->> 1)::numeric), 0) from jsonb_array_elements(applied) as a) end as applied,
               unproven, (select c.found from billing.accepted_differences as c
                          where c.document = d.id order by c.id desc limit 1) as accepted
        from billing.staged_invoices as d
        where batch = %s and state = 'posted' and (read_back_at is null or difference is not null) order by id""",
        [held.partition_key],
    )
    return [Unread(**row) for row in rows]
