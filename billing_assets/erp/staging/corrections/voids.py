"""What a person decides about an invoice that was voided after it had been posted.

Confirming makes a credit memo over the whole invoice, of a source of its own, which then goes the way of every other:
validated, batched, posted, read back. Nothing is sent unasked, and at most one for an invoice.
"""

from dataclasses import replace
from datetime import date, datetime
from typing import Any

import orjson

from billing_assets.erp.documents.documents import CORRECTIONS, Document, Kind, SourceStatus, State
from billing_assets.erp.documents.validation_rules import finding
from billing_assets.erp.staging.closed_months import closed_months
from billing_assets.erp.staging.content import document_of
from billing_assets.erp.staging.corrections import store
from billing_assets.erp.staging.incoming import Validation, incoming_row
from billing_assets.erp.staging.store import Incoming
from billing_assets.foundation.calendar.business_days import Zones
from billing_assets.foundation.database.connection import Connection, settle_order
from billing_assets.foundation.errors import BillingError


class NothingProposedError(BillingError):
    """There is no credit memo to decide about for this invoice; the message says why."""


def reversal(invoice: Document, now: datetime, day: date) -> Document:
    """The credit memo that takes a whole invoice back: every line with its sign turned, applied to it, dated `day`."""
    lines = tuple(
        line._replace(
            quantity=-line.quantity,
            amount=-line.amount,
            tax_amount=None if line.tax_amount is None else -line.tax_amount,
        )
        for line in invoice.lines
    )
    return replace(
        invoice,
        source=invoice.source + CORRECTIONS,
        document_id=f"void of {invoice.document_id}",
        kind=Kind.CREDIT_MEMO,
        number=f"VOID-{invoice.number}",
        status=SourceStatus.CLOSED,
        created_at=now,
        document_date=day,
        due_date=None,
        memo=f"Takes back invoice {invoice.number}, which was voided",
        applies_to=invoice.number,
        total=-invoice.total,
        lines=lines,
        applications=(),
        posting_date=None,
    )


def confirm(
    connection: Connection, number: str, *, by: str, why: str, validation: Validation, now: datetime, zones: Zones
) -> store.Correction:
    """Makes the proposed credit memo for a voided invoice, dated the branch's day at `now`, and says what became of it.

    Confirmed twice changes nothing; one that was declined may still be confirmed. Raises NothingProposedError, also
    where the void was taken back.
    """
    with connection.transaction():
        settle_order(connection)
        proposal = _proposal(connection, number)
        if proposal["decision"] != "confirmed":
            if proposal["source_status"] not in {SourceStatus.VOID, "missing"}:
                raise NothingProposedError(f"Invoice {number} is not void any more: no credit memo is made for it.")
            if proposal["state"] == State.DIFFERS:
                raise NothingProposedError(
                    f"NetSuite has invoice {number}, but not as it was sent. Decide about that first: "
                    "`billing differs list`."
                )
            invoice = document_of(store.document(connection, proposal["document"]))
            credit = reversal(invoice, now, zones.day(invoice.branch, now))
            row = _judged(connection, credit, validation)
            made = store.add(connection, credit.source, row)
            undecided = proposal["decision"] is None
            proposal_id = proposal["id"] if undecided else store.propose_again(connection, proposal["document"])
            store.decide(connection, proposal_id, number, "confirmed", by, why, made)
    return _last(connection, number)


def decline(connection: Connection, number: str, *, by: str, why: str) -> store.Correction:
    """Notes that no credit memo is to be made for a voided invoice. Declined twice changes nothing.

    Raises NothingProposedError, also where it was confirmed.
    """
    with connection.transaction():
        proposal = _proposal(connection, number)
        if proposal["decision"] == "confirmed":
            raise NothingProposedError(
                f"The credit memo for invoice {number} is confirmed already: it cannot be declined."
            )
        if proposal["decision"] is None:
            store.decide(connection, proposal["id"], number, "declined", by, why)
    return _last(connection, number)


def judge_held(connection: Connection, source: str, validation: Validation) -> None:
    """Judges the held corrections of a source again, as staging does with everything that the billing system has."""
    with connection.transaction():
        settle_order(connection)
        for row in store.held(connection, source):
            judged = _judged(connection, document_of(row), validation, row["id"])
            if row["hold"]:
                judged = _held(judged, row["hold"])
            store.judged(connection, row["id"], judged)


def _judged(connection: Connection, credit: Document, validation: Validation, row_id: int = 0) -> Incoming:
    months = closed_months(connection, validation.policy.closed.late)
    row = incoming_row(replace(credit, posting_date=None), None, None, validation.heeding(months))
    if row is None:
        raise AssertionError("only a document that is posted already gives no row")
    if others := store.namesakes(connection, row.external_id, row_id):
        message = f"Other documents with this number have the ids {', '.join(others)}"
        found = finding("DUPLICATE_NUMBER", "number", credit.number, message)
        return _held(row, found._asdict())
    return row


def _held(row: Incoming, found: dict[str, Any]) -> Incoming:
    findings = orjson.dumps([*orjson.loads(row.findings), found]).decode()
    return row._replace(findings=findings, outcome=State.HELD)


def _proposal(connection: Connection, number: str) -> dict[str, Any]:
    proposal = store.latest_for_update(connection, number)
    if proposal is None:
        raise NothingProposedError(
            f"No credit memo is proposed for invoice {number}. One is when an invoice that is posted turns out to be "
            "void in the billing system; `billing voids list` shows all."
        )
    if proposal["decision"] == "withdrawn":
        raise NothingProposedError(f"Invoice {number} is not void any more: nothing is proposed for it.")
    return proposal


def _last(connection: Connection, number: str) -> store.Correction:
    return [one for one in store.corrections(connection) if one.number == number][-1]
