"""Judging what NetSuite shows of our documents: of an open attempt, and of a posted document that is read back."""

from collections.abc import Mapping

from billing_assets.erp.documents.documents import Kind
from billing_assets.erp.netsuite.comparison import deviations, misapplied
from billing_assets.erp.netsuite.content import NOT_PROVEN, Content, header_sent
from billing_assets.erp.netsuite.mapping import TRANSACTION_TYPES, NetSuiteMapping
from billing_assets.erp.netsuite.store import Posting, Unread
from billing_assets.erp.netsuite.suiteql import ExternalIdConflict, LookedUp, NetSuiteTransaction, UnreadableRow
from billing_assets.foundation.money import canonical
from billing_assets.posting.attempts import OpenAttempt, Outcome, ReadBack
from billing_assets.posting.states import ItemState


def judge(
    open_attempt: OpenAttempt[Posting], found: LookedUp, mapping: NetSuiteMapping, contents: Mapping[str, Content]
) -> Outcome | None:
    """What became of an attempt under whose name NetSuite has something; None where that was noted already.

    `contents`: how the lines compare, by internal id, where no attempt of ours explains what is there.
    """
    document, attempt = open_attempt.item.id, open_attempt.attempt
    if isinstance(found, ExternalIdConflict):
        ids = ", ".join(transaction.netsuite_id for transaction in found.transactions)
        detail = f"Several transactions have this external id: {ids}."
        return _differs(open_attempt, detail, found.transactions[0].netsuite_id)
    if isinstance(found, UnreadableRow):
        return _not_readable(open_attempt, found.problem)
    content = Content.EQUAL if open_attempt.may_have_landed else contents.get(found.netsuite_id, Content.UNREAD)
    if difference := _difference(open_attempt, found, mapping, content):
        return _differs(open_attempt, difference, found.netsuite_id)
    unproven = content is Content.UNREAD
    return Outcome(
        document,
        attempt,
        "found",
        ItemState.POSTED,
        detail=NOT_PROVEN if unproven else None,
        remote_id=found.netsuite_id,
        remote_number=found.transaction_number,
        unproven=unproven,
        # The read-back does not find it: it asks in our case, as NetSuite has an index of external ids.
        read_back=found.external_id != open_attempt.item.external_id,
        facts=_applied_before(open_attempt, found),
    )


def _not_readable(open_attempt: OpenAttempt[Posting], problem: str) -> Outcome | None:
    """NetSuite has something under our external id, or may have it, and cannot be understood: the attempt stays open
    as it is, and says why. Nothing new where that was noted already."""
    detail = f"{problem}. Look at {open_attempt.item.external_id} in NetSuite; it is looked up again."
    if open_attempt.state == ItemState.DIFFERS or detail == open_attempt.last_detail:
        return None
    if open_attempt.last_outcome == "refused":
        return None  # what NetSuite refused it for is the better word on it
    return Outcome(
        open_attempt.item.id,
        open_attempt.attempt,
        "exists" if open_attempt.last_outcome == "exists" else "unknown",
        ItemState.POSTING,
        http_status=open_attempt.last_http_status,
        code=open_attempt.last_code,
        detail=detail,
    )


def _applied_before(open_attempt: OpenAttempt[Posting], found: NetSuiteTransaction) -> list[tuple[str, str]] | None:
    """What NetSuite applied of a credit memo that it had before this attempt: that attempt reckoned with what was open
    after it. NetSuite says only how much; of several invoices, the first ones count as settled first."""
    targets = open_attempt.item.document.targets
    if open_attempt.last_outcome != "exists" or not targets or found.applied is None:
        return None
    left, applied = found.applied, []
    for place, target in enumerate(targets, 1):
        share = left if place == len(targets) or target.amount is None else min(left, target.amount)
        applied.append((target.applies_to, canonical(share)))
        left -= share
    return applied


def _differs(open_attempt: OpenAttempt[Posting], detail: str, netsuite_id: str) -> Outcome | None:
    """NetSuite has something else under our external id. Nothing new where that was noted already."""
    code = "EXTERNAL_ID_CONFLICT"
    if open_attempt.state == ItemState.DIFFERS and (open_attempt.last_code, open_attempt.last_detail) == (code, detail):
        return None
    return Outcome(
        open_attempt.item.id,
        open_attempt.attempt,
        "conflict",
        ItemState.DIFFERS,
        code=code,
        detail=detail,
        remote_id=netsuite_id,
    )


def _difference(
    attempt: OpenAttempt[Posting], found: NetSuiteTransaction, mapping: NetSuiteMapping, content: Content
) -> str | None:
    """How what NetSuite has under our external id differs from what was sent, in words, or None."""
    document = attempt.item.document
    sent = header_sent(attempt.payload if attempt.payload is not None else _as_mapped(attempt.item, mapping))
    expected: dict[str, tuple[str | None, str | None]] = {
        "type": (TRANSACTION_TYPES[Kind(document.kind)], found.type),
        "entity": (sent.entity, found.entity),
        "currency": (sent.currency, found.currency),
        "date": (sent.tran_date, found.tran_date),
    }
    faults = [
        f"{name} {theirs} instead of {ours}" for name, (ours, theirs) in expected.items() if ours and ours != theirs
    ]
    if found.absolute_total != abs(document.total):
        faults.append(f"total {found.absolute_total} instead of {abs(document.total)}")
    if content is Content.DIFFERS and not faults:
        faults.append("other lines than were sent")
    if not faults:
        return None
    return f"NetSuite has {found.type} {found.netsuite_id} under this external id, with {', '.join(faults)}."


def _as_mapped(posting: Posting, mapping: NetSuiteMapping) -> bytes:
    """What an attempt of an earlier version, which kept no body, probably sent; nothing where the mapping changed so
    that it cannot be told."""
    document = posting.document
    if any(mapping.check(document)) or document.currency not in mapping.file.currencies:
        return b"{}"
    return mapping.payload(document, posting.external_id)


def read_back_row(ours: Unread, theirs: LookedUp, contents: Mapping[str, Content]) -> ReadBack:
    if isinstance(theirs, UnreadableRow):
        return ReadBack(ours.id, None, f"something that cannot be read: {theirs.problem}", ours.unproven)
    if isinstance(theirs, ExternalIdConflict):
        ids = ", ".join(transaction.netsuite_id for transaction in theirs.transactions)
        return ReadBack(ours.id, None, f"several transactions have this external id: {ids}", ours.unproven)
    content = contents.get(ours.netsuite_id, Content.UNREAD) if ours.unproven else Content.EQUAL
    if ours.accepted is not None and theirs.netsuite_id == ours.netsuite_id and _as_accepted(theirs, ours.accepted):
        return ReadBack(ours.id, theirs.transaction_number, None, ours.unproven)
    faults = [fault for fault in (deviations(ours, theirs), misapplied(ours.applied, theirs.applied)) if fault]
    if content is not Content.EQUAL:
        faults.append(NOT_PROVEN if content is Content.UNREAD else "other lines than were sent")
    return ReadBack(ours.id, theirs.transaction_number, ", ".join(faults) or None, content is Content.UNREAD)


def _as_accepted(theirs: NetSuiteTransaction, accepted: Mapping[str, str | None]) -> bool:
    return all(accepted.get(name) == value for name, value in theirs.facts.items())
