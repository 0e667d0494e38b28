"""From a request to validated batches: planning, locking, validating; automated groups go on by themselves."""

from datetime import date
from typing import NamedTuple

from billing_assets.foundation.database.connection import Connection
from billing_assets.invoicing.batches import planning_store, store
from billing_assets.invoicing.batches.checking import check
from billing_assets.invoicing.batches.facts_store import facts_of
from billing_assets.invoicing.batches.measured_store import measured
from billing_assets.invoicing.batches.planning_store import Planned
from billing_assets.invoicing.batches.selections import Selection, Wanted
from billing_assets.invoicing.batches.settings import Parameters
from billing_assets.invoicing.batches.states import Batch, Member


class Validated(NamedTuple):
    """A batch after validation."""

    batch: int
    state: Batch
    members: int
    held: int
    warnings: int


def plan_next(connection: Connection) -> list[Planned] | None:
    """Plans the request that is due first and locks its batches, in one transaction; None where none is pending."""
    with connection.transaction():
        due = planning_store.next_request(connection)
        if due is None:
            return None
        request, wanted, automatic = due
        return _plan(connection, request, wanted, automatic=automatic)


def lock(connection: Connection, wanted: Wanted, by: str, why: str) -> list[Planned]:
    """Requests, plans and locks at once, in a person's name. The same request again makes no second batch of what is
    in one: what was not billable the first time is taken now."""
    with connection.transaction():
        request, _ = planning_store.request(connection, wanted, by=by, why=why)
        return _plan(connection, request, wanted, automatic=False)


def _plan(connection: Connection, request: int, wanted: Wanted, *, automatic: bool) -> list[Planned]:
    made = planning_store.plan(connection, request, wanted, automatic=automatic)
    why = None
    if not made and wanted.selection is Selection.CUSTOMER:
        why = f"CONSUMPTION_MISSING: There is no billable usage up to {wanted.cut_off}."
    planning_store.end_request(connection, request, "planned" if made else "done", why)
    return made


def validate(connection: Connection, batch: int, given: Parameters | None = None, *, today: date) -> Validated:
    """Runs every validation over every open member, and says what is next for the batch. Safe to repeat.

    Raises BatchStateError.
    """
    with connection.transaction():
        row = store.batch(connection, batch)
        store.need(row, Batch.PENDING_VALIDATION, Batch.VALIDATING, Batch.IN_REVIEW)
        if row.state is Batch.IN_REVIEW:
            store.move(connection, batch, Batch.PENDING_VALIDATION)
        if row.state is not Batch.VALIDATING:
            store.move(connection, batch, Batch.VALIDATING)
        facts = measured(connection, batch, facts_of(connection, batch, today))
        given = given or Parameters()
        found = [(one.member, finding) for one in facts for finding in check(one, given)]
        held = store.write_findings(connection, [one.member for one in facts], found)
        store.write_validated(
            connection,
            [
                {
                    "member": one.member,
                    "state": str(Member.HELD if one.member in held else Member.CLEAR),
                    "content": one.content,
                    "charges": one.charges,
                }
                for one in facts
            ],
        )
        state = Batch.IN_REVIEW if facts else Batch.EMPTY
        store.move(connection, batch, state)
        warnings = store.open_warnings(connection, batch)
        if state is Batch.IN_REVIEW and row.is_automatic and not held and not (row.strict and warnings):
            state = Batch.PENDING
            store.move(connection, batch, state)
    return Validated(batch, state, len(facts), len(held), warnings)
