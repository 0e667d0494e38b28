"""What NetSuite has of our documents: settling attempts without a known end, and reading a batch back to the cent."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal

from billing_assets.batches.lease import Lease
from billing_assets.domain.documents import Kind, State
from billing_assets.domain.money import canonical
from billing_assets.netsuite import store
from billing_assets.netsuite.client import NetSuiteClient
from billing_assets.netsuite.comparison import deviations, misapplied
from billing_assets.netsuite.content import NOT_PROVEN, Content, compare_lines, header_sent
from billing_assets.netsuite.errors import about_application
from billing_assets.netsuite.lanes import Lanes
from billing_assets.netsuite.mapping import TRANSACTION_TYPES, NetSuiteMapping
from billing_assets.netsuite.store import OpenAttempt, Outcome, Posting, ReadBack, Unread
from billing_assets.netsuite.suiteql import (
    ExternalIdConflict,
    LookedUp,
    NetSuiteTransaction,
    UnreadableRow,
    amounts_unpaid,
    find_by_external_ids,
)
from billing_assets.settings import Settings
from billing_assets.settings_sections import NetSuiteSettings
from billing_assets.state.database import Connection

_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 5.0
_LANE_SECONDS = 0.5

Found = LookedUp | None


def settle_open_attempts(
    connection: Connection,
    client: NetSuiteClient,
    lanes: Lanes,
    mapping: NetSuiteMapping,
    lease: Lease,
    settings: Settings,
    *,
    apply_anew: bool = False,
) -> list[Outcome]:
    """Looks every open attempt of the batch up and records what it finds: posted, there but different, refused, surely
    absent, still open. What differed before is looked at again: it may have been corrected in NetSuite.

    Absence counts only when NetSuite can no longer be working on the request, or when it had refused the document in
    words that only needed this look. A credit memo whose application it refused goes back to be sent with what is open
    then, if `apply_anew`: a payment may have come in between. Raises NetSuiteError when NetSuite cannot be asked,
    StaleLockError when the hold is lost.
    """
    attempts = store.open_attempts(connection, lease.lock, settings.absence_counts_after_seconds)
    if not attempts:
        return []
    found: dict[str, LookedUp] = {}
    credits_ = any(attempt.last_outcome == "exists" and attempt.posting.document.targets for attempt in attempts)
    with one_lane(lanes, lease):
        found |= find_by_external_ids(client, [one.posting.external_id for one in attempts], applied=credits_)
        hidden = [
            a.posting.external_id
            for a in attempts
            if a.last_outcome in {"exists", "conflict"} and a.posting.external_id not in found
        ]
        if hidden:  # entered by hand in another case: NetSuite's uniqueness ignores it, SuiteQL does not
            found |= find_by_external_ids(client, hidden, any_case=True, applied=credits_)
    unexplained = {
        there.netsuite_id: attempt.payload
        for attempt in attempts
        if isinstance(there := found.get(attempt.posting.external_id), NetSuiteTransaction)
        and not attempt.may_have_landed
        and attempt.payload is not None
    }
    contents: dict[str, Content] = {}
    if unexplained:
        with one_lane(lanes, lease):
            contents = compare_lines(client, unexplained)
    judged = [
        _judge(attempt, found.get(attempt.posting.external_id), mapping, contents, apply_anew) for attempt in attempts
    ]
    outcomes = [outcome for outcome in judged if outcome is not None]
    if outcomes:
        store.record_outcomes(connection, lease.lock, outcomes)
    return outcomes


@contextmanager
def one_lane(lanes: Lanes, lease: Lease) -> Iterator[None]:
    """Holds one lane for a query: NetSuite counts it like any other request."""
    while not lanes.acquire(_LANE_SECONDS):
        lease.check()
        lanes.refresh(1)
    try:
        yield
    finally:
        lanes.release()


def open_amounts(
    connection: Connection, client: NetSuiteClient, lanes: Lanes, lease: Lease
) -> tuple[dict[str, Decimal], set[str]]:
    """What is open on the invoices that the batch's unsent credit memos are applied to, by internal id, and which of
    these ids belong to another transaction by now: nothing may be applied to that.

    One that NetSuite does not show (yet) is in neither. Asks nothing where there is none. Raises NetSuiteError.
    """
    credited = store.credited_invoices(connection, lease.lock)
    if not credited:
        return {}, set()
    with one_lane(lanes, lease):
        return amounts_unpaid(client, credited)


def _judge(
    open_attempt: OpenAttempt,
    found: Found,
    mapping: NetSuiteMapping,
    contents: Mapping[str, Content],
    apply_anew: bool = False,
) -> Outcome | None:
    document, attempt = open_attempt.posting.id, open_attempt.attempt
    if isinstance(found, ExternalIdConflict):
        ids = ", ".join(transaction.netsuite_id for transaction in found.transactions)
        detail = f"Several transactions have this external id: {ids}."
        return _differs(open_attempt, "EXTERNAL_ID_CONFLICT", detail, found.transactions[0].netsuite_id)
    if isinstance(found, UnreadableRow):
        return _not_readable(open_attempt, found.problem)
    if found is not None:
        content = Content.EQUAL if open_attempt.may_have_landed else contents.get(found.netsuite_id, Content.UNREAD)
        if difference := _difference(open_attempt, found, mapping, content):
            return _differs(open_attempt, "EXTERNAL_ID_CONFLICT", difference, found.netsuite_id)
        unproven = content is Content.UNREAD
        return Outcome(
            document,
            attempt,
            "found",
            State.POSTED,
            detail=NOT_PROVEN if unproven else None,
            netsuite_id=found.netsuite_id,
            transaction_number=found.transaction_number,
            unproven=unproven,
            # The read-back does not find it: it asks in our case, as NetSuite has an index of external ids.
            read_back=found.external_id != open_attempt.posting.external_id,
            applied=_applied_before(open_attempt, found),
        )
    if open_attempt.state == State.DIFFERS:
        return _no_longer_there(open_attempt)
    if open_attempt.last_outcome == "refused" and apply_anew and _about_its_application(open_attempt):
        return Outcome(document, attempt, "absent", State.LOCKED)
    if open_attempt.last_outcome == "refused":
        return Outcome(
            document,
            attempt,
            "absent",
            State.REJECTED,
            http_status=open_attempt.last_http_status,
            code=open_attempt.last_code,
            path=open_attempt.last_path,
            detail=open_attempt.last_detail,
        )
    if open_attempt.last_outcome not in {"unknown", "exists"}:
        detail = "The run that began to send it ended without noting an answer."
        return Outcome(document, attempt, "unknown", State.POSTING, detail=detail)
    if not open_attempt.due:
        return None
    if open_attempt.last_outcome == "exists" and open_attempt.last_http_status is None:
        return _no_longer_there(open_attempt)  # it was found, and never sent: NetSuite said nothing
    if open_attempt.last_outcome == "exists":
        detail = (
            "NetSuite says that the record exists, but shows it to no query of this role. When nothing has its "
            f"external id any more: `billing requeue {open_attempt.posting.document.number}`."
        )
        return _differs(open_attempt, "EXTERNAL_ID_HIDDEN", detail, None)
    return Outcome(document, attempt, "absent", State.LOCKED)


def _not_readable(open_attempt: OpenAttempt, problem: str) -> Outcome | None:
    """NetSuite has something under our external id, or may have it, and cannot be understood: the attempt stays open
    as it is, and says why. Nothing new where that was noted already."""
    detail = f"{problem}. Look at {open_attempt.posting.external_id} in NetSuite; it is looked up again."
    if open_attempt.state == State.DIFFERS or detail == open_attempt.last_detail:
        return None
    if open_attempt.last_outcome == "refused":
        return None  # what NetSuite refused it for is the better word on it
    return Outcome(
        open_attempt.posting.id,
        open_attempt.attempt,
        "exists" if open_attempt.last_outcome == "exists" else "unknown",
        State.POSTING,
        http_status=open_attempt.last_http_status,
        code=open_attempt.last_code,
        detail=detail,
    )


def _applied_before(open_attempt: OpenAttempt, found: NetSuiteTransaction) -> list[tuple[str, str]] | None:
    """What NetSuite applied of a credit memo that it had before this attempt: that attempt reckoned with what was open
    after it. NetSuite says only how much; of several invoices, the first ones count as settled first."""
    targets = open_attempt.posting.document.targets
    if open_attempt.last_outcome != "exists" or not targets or found.applied is None:
        return None
    left, applied = found.applied, []
    for place, target in enumerate(targets, 1):
        share = left if place == len(targets) or target.amount is None else min(left, target.amount)
        applied.append((target.applies_to, canonical(share)))
        left -= share
    return applied


def _about_its_application(open_attempt: OpenAttempt) -> bool:
    """Whether NetSuite may have refused a credit memo because less was open than it was to settle."""
    path = open_attempt.last_path
    return bool(open_attempt.posting.credited) and (not path or about_application(path))


def _differs(open_attempt: OpenAttempt, code: str, detail: str, netsuite_id: str | None) -> Outcome | None:
    """NetSuite has something under our external id. Nothing new where that was noted already."""
    if open_attempt.state == State.DIFFERS and (open_attempt.last_code, open_attempt.last_detail) == (code, detail):
        return None
    return Outcome(
        open_attempt.posting.id,
        open_attempt.attempt,
        "conflict",
        State.DIFFERS,
        code=code,
        detail=detail,
        netsuite_id=netsuite_id,
    )


def _no_longer_there(open_attempt: OpenAttempt) -> Outcome | None:
    """What differed, or was found, was deleted in NetSuite: a person decides whether the document is sent again. What
    was hidden may only be hidden still."""
    if open_attempt.last_code == "EXTERNAL_ID_HIDDEN":
        return None
    detail = "What NetSuite had under its external id was deleted there; `billing requeue` sends it again."
    return Outcome(
        open_attempt.posting.id,
        open_attempt.attempt,
        "absent",
        State.REJECTED,
        code="DELETED_IN_NETSUITE",
        detail=detail,
    )


def _difference(
    attempt: OpenAttempt, found: NetSuiteTransaction, mapping: NetSuiteMapping, content: Content
) -> str | None:
    """How what NetSuite has under our external id differs from what was sent, in words, or None."""
    document = attempt.posting.document
    sent = header_sent(attempt.payload if attempt.payload is not None else _as_mapped(attempt.posting, mapping))
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


def read_back(
    connection: Connection, client: NetSuiteClient, lanes: Lanes, lease: Lease, settings: NetSuiteSettings
) -> int:
    """Compares every posted document of the batch with NetSuite, waiting for new ones to show. Returns the differences.

    A document that does not show within `read_back_seconds` stays unread and is looked at again by the next run. One
    that NetSuite shows and that cannot be read is a difference of that document.
    """
    patience = time.monotonic() + settings.read_back_seconds
    pause = _FIRST_PAUSE_SECONDS
    differences = 0
    waiting = store.unread(connection, lease.lock)
    while waiting:
        lease.check()
        credits_ = any(one.applied is not None for one in waiting)
        with one_lane(lanes, lease):
            found = find_by_external_ids(client, [one.external_id for one in waiting], applied=credits_)
        shown = {name: one for name, one in found.items() if not isinstance(one, UnreadableRow) or one.named}
        contents = _unproven_contents(connection, client, lanes, lease, waiting, shown)
        rows = [_compare(one, shown[one.external_id], contents) for one in waiting if one.external_id in shown]
        store.record_read_back(connection, lease.lock, rows)
        differences += sum(1 for row in rows if row.difference is not None)
        waiting = [one for one in waiting if one.external_id not in shown]
        left = patience - time.monotonic()
        if not waiting or left <= 0:
            break
        time.sleep(min(pause, left))
        lanes.refresh(1)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
    return differences


def _unproven_contents(
    connection: Connection,
    client: NetSuiteClient,
    lanes: Lanes,
    lease: Lease,
    waiting: Sequence[Unread],
    found: Mapping[str, LookedUp],
) -> dict[str, Content]:
    """The lines of what NetSuite had before we sent it, compared again: the role may have got the right to see them."""
    unproven = {one.id: one.netsuite_id for one in waiting if one.unproven and one.external_id in found}
    if not unproven:
        return {}
    sent = store.payloads(connection, [*unproven])
    with one_lane(lanes, lease):
        return compare_lines(client, {unproven[document]: payload for document, payload in sent.items()})


def _compare(ours: Unread, theirs: LookedUp, contents: Mapping[str, Content]) -> ReadBack:
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
