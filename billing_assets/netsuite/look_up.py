"""What NetSuite has of our documents: settling attempts without a known end, and reading a batch back to the cent."""

import time
from collections.abc import Callable, Sequence

import orjson

from billing_assets.batches.store import Lock
from billing_assets.domain.documents import Kind, State
from billing_assets.netsuite import store
from billing_assets.netsuite.client import NetSuiteClient
from billing_assets.netsuite.mapping import TRANSACTION_TYPES, NetSuiteMapping
from billing_assets.netsuite.store import OpenAttempt, Outcome, Unread
from billing_assets.netsuite.suiteql import NetSuiteTransaction, find_by_external_ids
from billing_assets.settings import NetSuiteSettings
from billing_assets.state.database import Connection

_CHUNK = 1000
_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 5.0


def settle_open_attempts(
    connection: Connection, client: NetSuiteClient, mapping: NetSuiteMapping, held: Lock, settings: NetSuiteSettings
) -> list[Outcome]:
    """Looks every open attempt of the batch up and records what it finds: posted, refused, surely absent, or open still.

    Absence counts only when NetSuite can no longer be working on the request, or when it had refused it in words that
    only needed this look. Raises NetSuiteError when NetSuite cannot be asked, StaleLockError when the hold is lost.
    """
    attempts = store.open_attempts(connection, held, settings.absence_counts_after_seconds)
    outcomes: list[Outcome] = []
    for start in range(0, len(attempts), _CHUNK):
        chunk = attempts[start : start + _CHUNK]
        found = find_by_external_ids(client, [attempt.posting.external_id for attempt in chunk])
        outcomes += [
            outcome
            for attempt in chunk
            if (outcome := _judge(attempt, found.get(attempt.posting.external_id), mapping))
        ]
    if outcomes:
        store.record_outcomes(connection, held, outcomes)
    return outcomes


def _judge(attempt: OpenAttempt, found: NetSuiteTransaction | None, mapping: NetSuiteMapping) -> Outcome | None:
    document = attempt.posting.id
    if found is not None:
        difference = _difference(attempt, found, mapping)
        if difference is None:
            return Outcome(
                document,
                attempt.attempt,
                "found",
                State.POSTED,
                netsuite_id=found.netsuite_id,
                transaction_number=found.transaction_number,
            )
        return Outcome(
            document, attempt.attempt, "conflict", State.REJECTED, code="EXTERNAL_ID_CONFLICT", detail=difference
        )
    if attempt.last_outcome == "refused":
        return Outcome(
            document, attempt.attempt, "absent", State.REJECTED, code="REFUSED", detail="Refused, and not in NetSuite."
        )
    if not attempt.due:
        return None
    if attempt.last_outcome == "exists":
        detail = "NetSuite says that the record exists, but SuiteQL does not show it to this role."
        return Outcome(document, attempt.attempt, "conflict", State.REJECTED, code="EXTERNAL_ID_HIDDEN", detail=detail)
    return Outcome(document, attempt.attempt, "absent", State.LOCKED)


def _difference(attempt: OpenAttempt, found: NetSuiteTransaction, mapping: NetSuiteMapping) -> str | None:
    """Why what NetSuite has under our external id is not our document, or None."""
    document = attempt.posting.document
    body = orjson.loads(mapping.payload(document))
    expected = {
        "type": (TRANSACTION_TYPES[Kind(document.kind)], found.type),
        "entity": (body["entity"].get("id"), found.entity),
        "currency": (body["currency"]["id"], found.currency),
    }
    faults = [
        f"{name} {theirs} instead of {ours}" for name, (ours, theirs) in expected.items() if ours and ours != theirs
    ]
    if found.absolute_total != abs(document.total):
        faults.append(f"total {found.absolute_total} instead of {abs(document.total)}")
    if not faults:
        return None
    return f"NetSuite has {found.type} {found.netsuite_id} under this external id, with {', '.join(faults)}."


def read_back(
    connection: Connection,
    client: NetSuiteClient,
    held: Lock,
    settings: NetSuiteSettings,
    keep_alive: Callable[[], None],
) -> int:
    """Compares every posted document of the batch with NetSuite, waiting for new ones to show. Returns the differences.

    A document that does not show within `read_back_seconds` stays unread and is looked at again by the next run.
    """
    patience = time.monotonic() + settings.read_back_seconds
    pause = _FIRST_PAUSE_SECONDS
    differences = 0
    waiting = store.unread(connection, held)
    while waiting:
        found: dict[str, NetSuiteTransaction] = {}
        for start in range(0, len(waiting), _CHUNK):
            found |= find_by_external_ids(client, [one.external_id for one in waiting[start : start + _CHUNK]])
        rows = [_compare(one, found[one.external_id]) for one in waiting if one.external_id in found]
        store.record_read_back(connection, rows)
        differences += sum(1 for row in rows if row[2] is not None)
        waiting = [one for one in waiting if one.external_id not in found]
        if waiting and time.monotonic() + pause > patience:
            break
        if waiting:
            keep_alive()
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
    return differences


def _compare(ours: Unread, theirs: NetSuiteTransaction) -> tuple[int, str | None, str | None]:
    faults = []
    if theirs.netsuite_id != ours.netsuite_id:
        faults.append(f"internal id {theirs.netsuite_id} instead of {ours.netsuite_id}")
    if theirs.type != TRANSACTION_TYPES[Kind(ours.kind)]:
        faults.append(f"type {theirs.type}")
    if theirs.absolute_total != abs(ours.total):
        faults.append(f"total {theirs.absolute_total} instead of {abs(ours.total)}")
    return ours.id, theirs.transaction_number, ", ".join(faults) or None


def missing_from(client: NetSuiteClient, external_ids: Sequence[str]) -> list[str]:
    """Those of the external ids under which NetSuite shows nothing."""
    found: set[str] = set()
    for start in range(0, len(external_ids), _CHUNK):
        found |= find_by_external_ids(client, external_ids[start : start + _CHUNK]).keys()
    return [one for one in external_ids if one not in found]
