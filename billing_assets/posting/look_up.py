"""What the outside system has of our items: settling attempts without a known end, and reading a batch back."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from billing_assets.foundation.database.connection import Connection
from billing_assets.posting import attempts as store
from billing_assets.posting.attempts import AnItem, OpenAttempt, Outcome
from billing_assets.posting.lanes import Lanes
from billing_assets.posting.lease import Lease
from billing_assets.posting.sink import AnUnread, Sink
from billing_assets.posting.states import ItemState

_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 5.0
_LANE_SECONDS = 0.05

HIDDEN = "EXTERNAL_ID_HIDDEN"
"""Code of an item of which the system says that it has it, and shows nothing."""


@dataclass(frozen=True, slots=True)
class AbsencePolicy:
    """`counts_after_seconds`: the system cannot be working on a request any more so long after it was last heard of.
    `read_back_seconds`: how much later than its answer a query may show an item."""

    counts_after_seconds: float
    read_back_seconds: float


@contextmanager
def one_lane(lanes: Lanes, lease: Lease) -> Iterator[None]:
    """Holds one lane for a question."""
    while not lanes.acquire(_LANE_SECONDS):
        lease.check()
        lanes.refresh(1)
    try:
        yield
    finally:
        lanes.release()


def settle_open_attempts(
    connection: Connection,
    sink: Sink[AnItem, AnUnread],
    lanes: Lanes,
    lease: Lease,
    policy: AbsencePolicy,
    *,
    send_refused_again: bool = False,
) -> list[Outcome]:
    """Looks every open attempt of the batch up and records what it finds: posted, there but different, refused, surely
    absent, still open. What differed before is looked at again: it may have been corrected where it is.

    Absence counts only when the system can no longer be working on the request, or when it had refused the item in
    words that only needed this look. What was refused for a cause that may be gone goes back to be sent, if
    `send_refused_again`. Raises what the sink raises when the system cannot be asked, StaleLockError when the hold is
    lost.
    """
    attempts = sink.open_attempts(connection, lease.lock, policy.counts_after_seconds)
    if not attempts:
        return []
    found = sink.look_up(connection, attempts, partial(one_lane, lanes, lease))
    outcomes = [
        outcome
        for one in attempts
        if (
            outcome := found[one.attempt]
            if one.attempt in found
            else _absent(sink, one, send_refused_again=send_refused_again)
        )
    ]
    if outcomes:
        store.record_outcomes(connection, lease.lock, outcomes)
    return outcomes


def _absent(sink: Sink[AnItem, AnUnread], attempt: OpenAttempt[AnItem], *, send_refused_again: bool) -> Outcome | None:
    """What becomes of an attempt of which the system shows nothing. None: nothing new, it stays as it is."""
    item = attempt.item.id
    again = Outcome(item, attempt.attempt, "absent", ItemState.LOCKED)
    if attempt.state == ItemState.DIFFERS:
        return _no_longer_there(sink, attempt)
    if attempt.last_outcome == "refused" and send_refused_again and sink.worth_sending_again(attempt):
        return again
    if attempt.last_outcome == "refused":
        return Outcome(
            item,
            attempt.attempt,
            "absent",
            ItemState.REJECTED,
            http_status=attempt.last_http_status,
            code=attempt.last_code,
            path=attempt.last_path,
            detail=attempt.last_detail,
        )
    if attempt.last_outcome not in {"unknown", "exists"}:
        detail = "The run that began to send it ended without noting an answer."
        return Outcome(item, attempt.attempt, "unknown", ItemState.POSTING, detail=detail)
    if not attempt.due:
        return None
    if attempt.last_outcome == "exists" and attempt.last_code is None:
        return _no_longer_there(sink, attempt)  # it was there, and a look-up shows all that is
    if attempt.last_outcome == "exists":
        detail = (
            f"{sink.system} says that the record exists, but shows it to no query of this role. When nothing has its "
            f"external id any more: {sink.send_again(attempt.item)}."
        )
        return Outcome(item, attempt.attempt, "conflict", ItemState.DIFFERS, code=HIDDEN, detail=detail)
    return again


def _no_longer_there(sink: Sink[AnItem, AnUnread], attempt: OpenAttempt[AnItem]) -> Outcome | None:
    """What differed, or was found, was deleted in the system: a person decides whether the item is sent again. What was
    hidden may only be hidden still."""
    if attempt.last_code == HIDDEN:
        return None
    system, again = sink.system, sink.send_again(attempt.item)
    detail = f"What {system} had under its external id was deleted there; {again} sends it again."
    code = f"DELETED_IN_{system.upper()}"
    return Outcome(attempt.item.id, attempt.attempt, "absent", ItemState.REJECTED, code=code, detail=detail)


def read_back(
    connection: Connection, sink: Sink[AnItem, AnUnread], lanes: Lanes, lease: Lease, policy: AbsencePolicy
) -> int:
    """Compares every posted item of the batch with what the system shows, waiting for new ones to show. Returns the
    differences.

    An item that does not show within `read_back_seconds` stays unread and is looked at again by the next run.
    """
    patience = time.monotonic() + policy.read_back_seconds
    pause = _FIRST_PAUSE_SECONDS
    differences = 0
    waiting = sink.unread(connection, lease.lock)
    while waiting:
        lease.check()
        rows = sink.read_back(connection, lease.lock, waiting, partial(one_lane, lanes, lease))
        store.record_read_back(connection, lease.lock, rows)
        differences += sum(1 for row in rows if row.difference is not None)
        read = {row.document for row in rows}
        waiting = [one for one in waiting if one.id not in read]
        left = patience - time.monotonic()
        if not waiting or left <= 0:
            break
        time.sleep(min(pause, left))
        lanes.refresh(1)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
    return differences
