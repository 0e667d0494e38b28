"""What would be sent of a document and whether it would go at all, in words and as the exact request."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import NamedTuple

import orjson

from billing_assets.erp.documents.applications import shares
from billing_assets.erp.documents.documents import Document, Kind, SourceStatus, State
from billing_assets.erp.netsuite import reports, store
from billing_assets.erp.netsuite.fit import unfit
from billing_assets.erp.netsuite.mapping import RECORD_TYPES, NetSuiteMapping
from billing_assets.erp.netsuite.reports import Standing
from billing_assets.erp.netsuite.store import Posting
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.money import amount
from billing_assets.foundation.texts import code


class Preview(NamedTuple):
    """A document (its row) as `billing preview` shows it. The first comment is its state. `request` is None where none
    can be made; `goes`: it is on its way, and nothing is in it."""

    document: int
    comments: tuple[str, ...]
    request: bytes | None
    goes: bool

    def lines(self) -> Iterator[str]:
        """The comments, each on a line with a # before it, and the request as it is."""
        yield from (f"# {comment}".replace("\n", code("\n")) for comment in self.comments)
        if self.request is not None:
            head, _, body = self.request.partition(b" {")
            yield head.decode()
            yield orjson.dumps(orjson.loads(b"{" + body), option=orjson.OPT_INDENT_2).decode()


def previews(connection: Connection, mapping: NetSuiteMapping, number: str) -> list[Preview]:
    """The documents with a number (an invoice and a credit memo may share it), oldest first."""
    postings = {one.id: one for one in store.by_number(connection, number)}
    return [_preview(mapping, one, postings.get(one.id)) for one in reports.standing(connection, number)]


def _preview(mapping: NetSuiteMapping, one: Standing, posting: Posting | None) -> Preview:
    comments = [_state(one), *_reasons(one)]
    if one.kind not in RECORD_TYPES:
        return Preview(one.id, (*comments, f"Kind {one.kind} is never sent."), None, goes=False)
    if posting is None:
        return Preview(one.id, (*comments, "No request can be made of it: a field cannot be read."), None, goes=False)
    if found := unfit(_as_if_closed(posting.document), mapping):
        faults = [f"{fault.code} {fault.path}: {fault.message}" for fault in found]
        news = [fault for fault in faults if fault not in comments]
        return Preview(
            one.id, (*comments, *news, "No request can be made of it as the mapping is now."), None, goes=False
        )
    settles = _settles(one, posting)
    if one.applied is not None:
        comments += [f"Applied to invoice {invoice}: {amount(value)}." for invoice, value in one.applied]
    else:
        comments += [*_application(one, posting, settles)]
    if not one.goes:
        comments.append("Nothing is sent of it now. The request, as the mapping is now:")
    return Preview(one.id, (*comments,), _request(mapping, posting, settles), one.goes)


def _as_if_closed(document: Document) -> Document:
    """What would be sent of it once it is closed in the billing system."""
    return replace(document, status=SourceStatus.CLOSED) if document.status == SourceStatus.OPEN else document


def _state(one: Standing) -> str:
    """The document and its state, and where in NetSuite it is."""
    parts = [f"{one.kind.replace('_', ' ')} {one.number}: {one.state}"]
    if one.batch:
        parts.append(f"batch {one.batch}")
    parts.append(f"external id {one.external_id}")
    if one.netsuite_id:
        number = f" ({one.transaction_number})" if one.transaction_number else ""
        parts.append(f"NetSuite id {one.netsuite_id}{number}")
    return ", ".join(parts)


def _reasons(one: Standing) -> Iterator[str]:
    for fault in one.findings:
        yield f"{fault['code']} {fault['path']}: {fault['message']}"
    if one.refusal:
        yield f"NetSuite refused it: {one.refusal}"
    if one.closed and one.state not in {State.POSTED, State.GONE}:
        yield f"Its month {one.period} is closed ({one.closed})."


def _settles(one: Standing, posting: Posting) -> dict[str, Decimal]:
    """What of a credit memo settles each invoice, by number. Every invoice counts as open in full; NetSuite is asked
    when the credit memo is posted."""
    if not posting.document.targets:
        return {}
    open_by_number = reports.expected_totals(one.waits_for)
    open_by_number |= {number: invoice.total for number, invoice in posting.credited.items()}
    return shares(-posting.document.total, posting.document.targets, open_by_number)


def _application(one: Standing, posting: Posting, settles: dict[str, Decimal]) -> Iterator[str]:
    why = {waits["invoice"]: waits["why"] for waits in one.waits_for}
    for target in posting.document.targets:
        value = settles.get(target.applies_to, Decimal(0))
        yield f"Applies {amount(value)} to invoice {target.applies_to}, if that much is open on it then."
        if target.applies_to in why:
            yield f"Waits for invoice {target.applies_to}. {why[target.applies_to]}"


def _request(mapping: NetSuiteMapping, posting: Posting, settles: dict[str, Decimal]) -> bytes:
    record_type = RECORD_TYPES[Kind(posting.document.kind)]
    of = posting.credited
    apply = {
        of[number].netsuite_id if number in of else f"(id of invoice {number})": value
        for number, value in settles.items()
    }
    return f"POST {record_type} ".encode() + mapping.payload(posting.document, posting.external_id, apply)
