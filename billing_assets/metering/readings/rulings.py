"""What people decide about a reading: one that is held counts, or one never will."""

from enum import StrEnum

from billing_assets.decisions.store import Subject, record
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.errors import BillingError
from billing_assets.metering.import_engine.arrivals import MessageState
from billing_assets.metering.readings import store
from billing_assets.metering.readings.intake import NO_SERVICE_POINT, decide
from billing_assets.metering.readings.versions import State


class Ruling(StrEnum):
    """What was decided about a version."""

    ACCEPTED = "accepted"  # it replaces what counted, whatever its rank
    REJECTED = "rejected"  # it never counts


class NotDecidableError(BillingError):
    """There is nothing to decide about this message."""


def decide_message(connection: Connection, message: int, ruling: Ruling, by: str, why: str) -> list[MessageState]:
    """Notes the decision about the reading of a message, in the caller's transaction; the states of messages that
    changed by it. What counts can be rejected too: validation may hold its period. Raises NotDecidableError where it is
    neither, or waits for master data alone."""
    found = store.of_message(connection, message)
    if found is None:
        raise NotDecidableError(f"Message {message} has no reading. `billing metering show {message}` says what it is.")
    table, kept = found
    may_be = (State.HELD, State.CURRENT) if ruling is Ruling.REJECTED else (State.HELD,)
    if kept.outcome.state not in may_be:
        raise NotDecidableError(f"The reading of message {message} is not held: it is {kept.outcome.state}.")
    if kept.outcome.code == NO_SERVICE_POINT and ruling is Ruling.ACCEPTED:
        raise NotDecidableError(
            f"Message {message} waits for its service point: load the master data, and it is freed."
        )
    reference = f"{kept.label} {kept.day} message {message}"
    decided = record(connection, Subject.METER_DATA, reference, ruling.value, by, why)
    return decide(connection, table, kept, ruling.value, decided.id)
