"""What NetSuite has of our documents: settling attempts without a known end, and reading a batch back to the cent."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

import orjson

from billing_assets.batches.lease import Lease
from billing_assets.domain.documents import Kind, State
from billing_assets.netsuite import store
from billing_assets.netsuite.client import NetSuiteClient
from billing_assets.netsuite.comparison import deviations, misapplied
from billing_assets.netsuite.errors import about_application
from billing_assets.netsuite.lanes import Lanes
from billing_assets.netsuite.mapping import TRANSACTION_TYPES, NetSuiteMapping
from billing_assets.netsuite.store import OpenAttempt, Outcome, Unread
from billing_assets.netsuite.suiteql import (
    ExternalIdConflict,
    NetSuiteTransaction,
    amounts_unpaid,
    find_by_external_ids,
)
from billing_assets.settings import Settings
from billing_assets.settings_sections import NetSuiteSettings
from billing_assets.state.database import Connection

_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 5.0
_LANE_SECONDS = 0.5

Found = NetSuiteTransaction | ExternalIdConflict | None


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
    """Looks every open attempt of the batch up and records what it finds: posted, refused, surely absent, still open.

    Absence counts only when NetSuite can no longer be working on the request, or when it had refused the document in
    words that only needed this look. A credit memo whose application it refused goes back to be sent with what is open
    then, if `apply_anew`: a payment may have come in between. Raises NetSuiteError when NetSuite cannot be asked,
    StaleLockError when the hold is lost.
    """
    attempts = store.open_attempts(connection, lease.lock, settings.absence_counts_after_seconds)
    if not attempts:
        return []
    found: dict[str, NetSuiteTransaction | ExternalIdConflict] = {}
    with one_lane(lanes, lease):
        found |= find_by_external_ids(client, [attempt.posting.external_id for attempt in attempts])
        hidden = [
            a.posting.external_id for a in attempts if a.last_outcome == "exists" and a.posting.external_id not in found
        ]
        if hidden:  # entered by somebody else in another case: NetSuite's uniqueness ignores it, SuiteQL does not
            found |= find_by_external_ids(client, hidden, any_case=True)
    judged = [_judge(attempt, found.get(attempt.posting.external_id), mapping, apply_anew) for attempt in attempts]
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


def open_amounts(connection: Connection, client: NetSuiteClient, lanes: Lanes, lease: Lease) -> dict[str, Decimal]:
    """What is open on the invoices that the batch's unsent credit memos are applied to, by internal id.

    One that NetSuite does not show (yet) has no key. Asks nothing where there is none. Raises NetSuiteError.
    """
    credited = store.credited_invoices(connection, lease.lock)
    if not credited:
        return {}
    with one_lane(lanes, lease):
        return amounts_unpaid(client, credited)


def _judge(
    open_attempt: OpenAttempt, found: Found, mapping: NetSuiteMapping, apply_anew: bool = False
) -> Outcome | None:
    document, attempt = open_attempt.posting.id, open_attempt.attempt
    if isinstance(found, ExternalIdConflict):
        ids = ", ".join(transaction.netsuite_id for transaction in found.transactions)
        return _conflict(open_attempt, "EXTERNAL_ID_CONFLICT", f"Several transactions have this external id: {ids}.")
    if found is not None:
        if difference := _difference(open_attempt, found, mapping):
            return _conflict(open_attempt, "EXTERNAL_ID_CONFLICT", difference)
        netsuite_id, number = found.netsuite_id, found.transaction_number
        return Outcome(document, attempt, "found", State.POSTED, netsuite_id=netsuite_id, transaction_number=number)
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
    if open_attempt.last_outcome == "exists":
        detail = "NetSuite says that the record exists, but shows it to no query of this role."
        return _conflict(open_attempt, "EXTERNAL_ID_HIDDEN", detail)
    return Outcome(document, attempt, "absent", State.LOCKED)


def _about_its_application(open_attempt: OpenAttempt) -> bool:
    """Whether NetSuite may have refused a credit memo because less was open than it was to settle."""
    path = open_attempt.last_path
    return bool(open_attempt.posting.credited) and (not path or about_application(path))


def _conflict(open_attempt: OpenAttempt, code: str, detail: str) -> Outcome:
    return Outcome(open_attempt.posting.id, open_attempt.attempt, "conflict", State.REJECTED, code=code, detail=detail)


def _difference(attempt: OpenAttempt, found: NetSuiteTransaction, mapping: NetSuiteMapping) -> str | None:
    """Why what NetSuite has under our external id is not our document, or None."""
    document = attempt.posting.document
    expected: dict[str, tuple[str | None, str | None]] = {"type": (TRANSACTION_TYPES[Kind(document.kind)], found.type)}
    if not any(mapping.check(document)) and document.currency in mapping.file.currencies:
        # The mapping may have changed since the document was sent; then the type and the total must do.
        body = orjson.loads(mapping.payload(document))
        expected["entity"] = (body["entity"].get("id"), found.entity)
        expected["currency"] = (body["currency"]["id"], found.currency)
    faults = [
        f"{name} {theirs} instead of {ours}" for name, (ours, theirs) in expected.items() if ours and ours != theirs
    ]
    if found.absolute_total != abs(document.total):
        faults.append(f"total {found.absolute_total} instead of {abs(document.total)}")
    if found.external_id != attempt.posting.external_id:  # somebody else's: ours are in capitals
        faults.append(f"external id {found.external_id} instead of {attempt.posting.external_id}")
    if not faults:
        return None
    return f"NetSuite has {found.type} {found.netsuite_id} under this external id, with {', '.join(faults)}."


def read_back(
    connection: Connection, client: NetSuiteClient, lanes: Lanes, lease: Lease, settings: NetSuiteSettings
) -> int:
    """Compares every posted document of the batch with NetSuite, waiting for new ones to show. Returns the differences.

    A document that does not show within `read_back_seconds` stays unread and is looked at again by the next run.
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
        rows = [_compare(one, found[one.external_id]) for one in waiting if one.external_id in found]
        store.record_read_back(connection, lease.lock, rows)
        differences += sum(1 for row in rows if row[2] is not None)
        waiting = [one for one in waiting if one.external_id not in found]
        left = patience - time.monotonic()
        if not waiting or left <= 0:
            break
        time.sleep(min(pause, left))
        lanes.refresh(1)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
    return differences


def _compare(ours: Unread, theirs: NetSuiteTransaction | ExternalIdConflict) -> tuple[int, str | None, str | None]:
    if isinstance(theirs, ExternalIdConflict):
        ids = ", ".join(transaction.netsuite_id for transaction in theirs.transactions)
        return ours.id, None, f"several transactions have this external id: {ids}"
    faults = [fault for fault in (deviations(ours, theirs), misapplied(ours.applied, theirs.applied)) if fault]
    return ours.id, theirs.transaction_number, ", ".join(faults) or None
