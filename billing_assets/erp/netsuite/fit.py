"""Whether a document may be sent under the mapping as it is now: one judgement for the run and for the preview.

What our database says of it is `staging/fit.py`.
"""

from dataclasses import replace

from billing_assets.erp.documents.documents import Document, State
from billing_assets.erp.documents.rules import Finding, finding, state_for, validate
from billing_assets.erp.netsuite.mapping import NetSuiteMapping
from billing_assets.erp.netsuite.store import Posting


def unfit(document: Document, mapping: NetSuiteMapping, *, adopted: bool = False) -> list[Finding]:
    """Why the mapping as it is now, which may be newer than the staging, does not let a document go. `adopted`: it is
    taken over from NetSuite and not sent, so its month may be closed."""
    policy = replace(mapping.policy, closed_through=None) if adopted else mapping.policy
    found = validate(document, policy, mapping.check)
    return found if state_for(document.status, found) != State.READY else []


def why_held(posting: Posting, mapping: NetSuiteMapping) -> list[Finding]:
    """Why a document that a run has must not be sent: an auditor holds it, it belongs to another month or has another
    name by now, or the mapping does not let it go."""
    if posting.hold:
        return [posting.hold]
    document = posting.document
    if posting.adopted and document.posting_date:
        message = "NetSuite has it in its own month; the next staging takes it back there."
        return [finding("PERIOD_CLOSED", "document_date", document.document_date, message)]
    if found := unfit(document, mapping, adopted=posting.adopted):
        return found
    name = mapping.external_id(document.kind, document.number)
    if name != posting.external_id and not (posting.attempted or posting.found):  # its name is in NetSuite
        message = f"The mapping names it {name}, it was staged as {posting.external_id}; the next staging renames it."
        return [finding("FIELD_UNMAPPED", "number", document.number, message)]
    return []
