"""Batches that are posted by the product's own SQL, without any NetSuite: what retention finds after a month's end."""

from collections.abc import Callable, Sequence

from billing_assets.erp.batches.ledger import DOCUMENTS
from billing_assets.erp.batches.planning import plan
from billing_assets.erp.documents.documents import Document, State
from billing_assets.erp.netsuite import store as posting
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.sections import BatchSettings
from billing_assets.posting import attempts, batch_lock
from billing_assets.posting.attempts import Intent, Outcome
from billing_assets.posting.batch_lock import Lock
from billing_assets.posting.states import ItemState
from proving.world.rig import invoices, stage_rows

UNKNOWN_AFTER = 960.0
Became = Callable[[int], Sequence[tuple[str, State]]]
"""What becomes of the document at a place of its batch: outcomes in order, each with the state that it leaves."""


def landed(_: int) -> Sequence[tuple[str, State]]:
    """Everything lands at once."""
    return [("landed", State.POSTED)]


def lock(state: Connection, key: str, run_id: str = "run-1", *, retry_rejected: bool = False) -> Lock:
    """A hold on a batch."""
    with state.transaction():
        return batch_lock.lock(state, DOCUMENTS, key, run_id, 60, retry_rejected=retry_rejected)


def send(state: Connection, held: Lock, became: Became = landed) -> None:
    """Attempts everything that is held, one attempt for each of its outcomes but what a look-up finds."""
    for place, one in enumerate(posting.next_to_send(state, held, 1000)):
        for outcome, left in became(place):
            (attempt,) = attempts.record_intents(state, held, {one.id: Intent(b"{}")}).values()
            code, netsuite_id = ("C", None) if left is State.REJECTED else (None, str(one.id))
            found = Outcome(one.id, attempt, outcome, ItemState(left), code=code, remote_id=netsuite_id)
            attempts.record_outcomes(state, held, [found])
            if left is State.POSTED:
                state.execute(
                    "update billing.staged_invoices set read_back_at = clock_timestamp() where id = %s", [one.id]
                )


def post(state: Connection, documents: Sequence[Document] | None = None, became: Became = landed) -> str:
    """Stages, plans, locks, posts and releases one batch; its partition key."""
    stage_rows(state, invoices(3) if documents is None else documents)
    (key,) = plan(state, BatchSettings(at_once_below=1000))
    held = lock(state, key)
    send(state, held, became)
    batch_lock.release(state, held, UNKNOWN_AFTER)
    return key
