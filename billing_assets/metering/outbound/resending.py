"""Sending an interchange again: the same bytes under the same number, by a person's decision."""

from billing_assets.decisions.store import Subject, record
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.errors import BillingError
from billing_assets.metering.import_engine import exchange_store
from billing_assets.metering.outbound import store


class NotResendableError(BillingError):
    """An interchange cannot be sent again now."""


def resend(connection: Connection, interchange: int, by: str, why: str) -> str:
    """Has an interchange delivered to its partner once more, as a file of its own; the name of that file.

    It leaves with the next delivery. Raises NotResendableError where there is none, or its last sending is not
    delivered yet.
    """
    if not by.strip() or not why.strip():
        raise NotResendableError("Say who sends it again and why: both are kept with the decision.")
    with connection.transaction():
        store.lock_planning(connection)
        last = store.last_sending(connection, interchange)
        if last is None:
            raise NotResendableError(
                f"There is no interchange {interchange}; `billing metering status` has those refused."
            )
        if not last.delivered:
            raise NotResendableError(f"{last.name} is not delivered yet: `billing metering send` delivers it.")
        decision = record(connection, Subject.USAGE, f"interchange {last.name}", "send again", by.strip(), why.strip())
        exchange_store.note_resend(connection, interchange, decision.id)
        found = store.last_sending(connection, interchange)
    if found is None:
        raise AssertionError("an interchange that was sent again is there")
    return found.name
