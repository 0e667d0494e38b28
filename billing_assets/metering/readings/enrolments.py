"""814s that say which service point is ours from when: what one says, and loading it as master data.

Only an answer that accepts counts; a request asks for something. What master data says already stays: an 814 adds what
it does not know, and where they contradict each other a person decides. Source: the 814 guides, as far as messages are
known.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from billing_assets.foundation.database.connection import Connection
from billing_assets.metering.import_engine import message_store
from billing_assets.metering.import_engine.arrivals import MessageState
from billing_assets.metering.import_engine.x12_sets.enrolment import MAINTENANCE, RESPONSE
from billing_assets.metering.readings import enrolment_store as store
from billing_assets.metering.readings.enrolment_store import Span

ACCEPTS = "WQ"
"""ASI01 of an answer that says yes."""
ACCOUNT = "11"
"""REF01 of our account number."""
NO_START, CONFLICT = "NO_START", "ENROLMENT_CONFLICT"

_AT_ONCE = 200


class Enrolled(NamedTuple):
    """A point that is ours. `since`: None: the 814 does not say it. `account`: empty where it names none."""

    point: str
    since: date | None
    account: str
    zone: str
    utility: str


def enrolled(content: Mapping[str, Any]) -> Enrolled | None:
    """What the content of an 814 says; None: it is a request, or accepts nothing. Pure."""
    if content.get("purpose") != RESPONSE or not content.get("point"):
        return None
    for action in content.get("actions", ()):
        if action["action"] == ACCEPTS and action["maintenance"] in MAINTENANCE:
            since = action["starts_on"] or content["starts_on"]
            account = action["references"].get(ACCOUNT) or content["references"].get(ACCOUNT) or ""
            since = date.fromisoformat(since) if since else None
            return Enrolled(content["point"], since, account, content.get("zone") or "UTC", content["utility"])
    return None


def load_enrolments(connection: Connection) -> int:
    """Loads the 814s that were not, and tries again those that master data contradicted; how many became ready. In
    transactions of its own: killed in between, the next call goes on."""
    waiting, ready = store.waiting(connection, (NO_START, CONFLICT)), 0
    for first in range(0, len(waiting), _AT_ONCE):
        with connection.transaction():
            states = [
                _load(connection, message, content)
                for message, content in store.contents(connection, waiting[first : first + _AT_ONCE])
            ]
            message_store.set_states(connection, states)
        ready += sum(one.state == "ready" for one in states)
    return ready


def _load(connection: Connection, message: int, content: Mapping[str, Any]) -> MessageState:
    said = enrolled(content)
    if said is None:
        return MessageState(message, "ready")  # it is shown, and has no effect
    store.lock(connection)
    points, supplies = store.points(connection, said.point), store.supplies(connection, said.point)
    if said.since is None:
        if points:
            return MessageState(message, "ready")
        sentence = f"{said.point}: the 814 does not say from when it is ours (DTM 150). Load its master data."
        return MessageState(message, "held", NO_START, sentence)
    covering = next((one for one in supplies if one.covers(said.since)), None)
    if said.account and covering is not None and covering.account != said.account:
        sentence = (
            f"{said.point}: the 814 says that account {said.account} is supplied from {said.since} on; master data has "
            f"account {covering.account} from {covering.since} until {covering.until or 'open'}. Correct one of them."
        )
        return MessageState(message, "held", CONFLICT, sentence)
    if not any(one.covers(said.since) for one in points):
        store.add_point(connection, said.point, said.since, _until(said.since, points), said.zone, said.utility)
    if said.account and covering is None:
        until = _until(said.since, supplies)
        store.add_supply(connection, said.point, said.account, said.since, until, message)
    return MessageState(message, "ready")


def _until(since: date, others: Sequence[Span]) -> date | None:
    """Where the next one begins; None: there is none."""
    return min((one.since for one in others if one.since > since), default=None)
