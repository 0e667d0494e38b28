"""What a person decides about a batch in review: fix, waive, take out, bill estimated, let it go on, unlock.

Each decision is recorded with name and reason, in the transaction of what follows from it.
"""

from datetime import date

from billing_assets.decisions.store import Subject, record
from billing_assets.foundation.database.connection import Connection
from billing_assets.invoicing.batches import store
from billing_assets.invoicing.batches.codes import CODES
from billing_assets.invoicing.batches.settings import Parameters
from billing_assets.invoicing.batches.states import WORDS, Batch, Member
from billing_assets.invoicing.batches.store import BatchStateError
from billing_assets.invoicing.batches.validating import Validated, validate


def waive(connection: Connection, member: int, code: str, by: str, why: str) -> bool:
    """Lets a finding pass, if its code may be waived. Whether the member is clear now. Raises BatchStateError."""
    if code not in CODES:
        raise BatchStateError(f"There is no validation {code}.")
    if not CODES[code].waivable:
        raise BatchStateError(f"{code} cannot be waived: fix what it names, or take the member out.")
    return _let_pass(connection, member, code, f"waive {code}", by, why)


def bill_estimated(connection: Connection, member: int, by: str, why: str) -> bool:
    """Has estimated usage billed although there were too many estimates in a row. Whether the member is clear now."""
    return _let_pass(connection, member, "CONSECUTIVE_ESTIMATES", "bill estimated", by, why)


def _let_pass(connection: Connection, member: int, code: str, what: str, by: str, why: str) -> bool:
    with connection.transaction():
        row = store.member(connection, member)
        store.need(store.batch(connection, row["batch"]), Batch.IN_REVIEW)
        if row["state"] not in (Member.HELD, Member.CLEAR):
            raise BatchStateError(f"Member {member} is {row['state']}: there is nothing to let pass.")
        decision = record(connection, Subject.INVOICING, f"member {member}", what, by, why)
        if not store.waive(connection, member, code, decision.id):
            raise BatchStateError(f"Member {member} has no open finding {code}.")
        clear = not store.open_errors(connection, member)
        if clear and row["state"] == Member.HELD:
            store.end_member(connection, member, Member.CLEAR)
    return clear


def take_out(connection: Connection, member: int, by: str, why: str) -> None:
    """Takes a member out of its batch: it stays unbilled until a person asks for the customer. Raises
    BatchStateError."""
    with connection.transaction():
        row = store.member(connection, member)
        store.need(store.batch(connection, row["batch"]), Batch.PENDING_VALIDATION, Batch.IN_REVIEW)
        if row["state"] not in (Member.SELECTED, Member.CLEAR, Member.HELD):
            raise BatchStateError(f"Member {member} is {row['state']}: it cannot be taken out.")
        decision = record(connection, Subject.INVOICING, f"member {member}", "take out", by, why)
        store.end_member(connection, member, Member.TAKEN_OUT, why=why, decision=decision.id)
        if not store.count(connection, row["batch"], Member.SELECTED, Member.CLEAR, Member.HELD):
            _end_empty(connection, row["batch"])


def _end_empty(connection: Connection, number: int) -> None:
    if store.batch(connection, number).state is Batch.PENDING_VALIDATION:
        store.move(connection, number, Batch.VALIDATING)
    store.move(connection, number, Batch.EMPTY)


def fix(connection: Connection, batch: int, given: Parameters | None = None, *, today: date) -> Validated:
    """Validates again after something was fixed at its source: what is fixed is gone. Raises BatchStateError."""
    return validate(connection, batch, given, today=today)


def proceed(connection: Connection, batch: int, by: str, why: str) -> None:
    """Lets a batch in review be invoiced. Raises BatchStateError while a member is held."""
    with connection.transaction():
        row = store.batch(connection, batch)
        store.need(row, Batch.IN_REVIEW)
        if held := store.count(connection, batch, Member.HELD, Member.SELECTED):
            raise BatchStateError(
                f"{held} members of batch {batch} have errors: fix, waive or take them out "
                f"(`billing invoicing findings {batch}`)."
            )
        record(connection, Subject.INVOICING, f"batch {batch}", "invoice", by, why)
        store.move(connection, batch, Batch.PENDING)


def unlock(connection: Connection, batch: int, by: str, why: str) -> int:
    """Releases a batch before it is processed; its members may be billed by others. How many. Raises
    BatchStateError."""
    with connection.transaction():
        row = store.batch(connection, batch)
        if row.state in (Batch.PROCESSING, Batch.COMPLETED, Batch.ERROR_OCCURRED, Batch.EMPTY, Batch.RELEASED):
            raise BatchStateError(f"Batch {batch} is {WORDS[row.state]} and cannot be unlocked.")
        record(connection, Subject.INVOICING, f"batch {batch}", "unlock", by, why)
        freed = store.release_members(connection, batch)
        store.move(connection, batch, Batch.RELEASED)
    return freed
