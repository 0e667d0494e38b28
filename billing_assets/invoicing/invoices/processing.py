"""Invoicing a batch: one worker takes it by lease and epoch, and each member is a transaction of its own."""

from datetime import date
from typing import NamedTuple

from billing_assets.foundation.database.connection import Connection
from billing_assets.invoicing.batches import planning_store
from billing_assets.invoicing.batches import store as batches
from billing_assets.invoicing.batches.states import Batch, Member
from billing_assets.invoicing.invoices.drafting import Bounds, invoice_next
from billing_assets.invoicing.invoices.rating_case import Rate
from billing_assets.work_queue import claims
from billing_assets.work_queue.claims import Claim, Queue
from billing_assets.work_queue.working import WorkPolicy, next_item

_DUE = "state in ('pending', 'processing')"
DUE = Queue("billing.invoice_batches", only=_DUE)
"""Batches that are to be invoiced, or whose worker's lease ended."""


class Processed(NamedTuple):
    """A batch after it was invoiced. `retried`: the batch in which what changed underway is validated again."""

    batch: int
    state: Batch
    invoiced: int
    failed: int
    retried: int | None


def process(
    url: str,
    connection: Connection,
    rate: Rate,
    worker: str,
    batch: int | None = None,
    *,
    policy: WorkPolicy = WorkPolicy(),  # noqa: B008  immutable
    bounds: Bounds = Bounds(),  # noqa: B008
    today: date,
) -> Processed | None:
    """Invoices a batch (by default the one that is due longest); None where none is due, or another worker has it.

    A worker that was killed is followed by another when its lease ends: only unfinished members are invoiced then.
    """
    queue = DUE if batch is None else Queue("billing.invoice_batches", only=f"id = {batch:d} and {_DUE}")
    done: Processed | None = None
    with next_item(url, connection, queue, worker, policy) as work:
        if work is not None:
            begin(connection, work.claim)
            while step(connection, work.claim, rate, today, bounds=bounds, lease=policy.lease_seconds) is not None:
                work.check()
            done = finish(connection, work.claim)
    return done


def begin(connection: Connection, claim: Claim) -> None:
    """The batch is being processed from now on."""
    with connection.transaction():
        row = batches.batch(connection, claim.item)
        if row.state is Batch.PENDING:
            batches.move(connection, claim.item, Batch.PROCESSING)


def step(
    connection: Connection,
    claim: Claim,
    rate: Rate,
    today: date,
    *,
    bounds: Bounds = Bounds(),  # noqa: B008
    lease: float = 30.0,
) -> Member | None:
    """Invoices the next member; None where none is left. Raises StaleClaimError where another worker has the batch:
    nothing was written then."""
    with connection.transaction():
        claims.renew(connection, claim, lease)
        return invoice_next(connection, claim.item, rate, today, bounds)


def finish(connection: Connection, claim: Claim) -> Processed:
    """Completes the batch; what changed underway goes into a batch of its own, to be validated again."""
    with connection.transaction():
        batches.batch(connection, claim.item)
        claims.complete(connection, claim)
        invoiced = batches.count(connection, claim.item, Member.INVOICED)
        failed = batches.count(connection, claim.item, Member.FAILED)
        state = Batch.ERROR_OCCURRED if failed else Batch.COMPLETED
        batches.move(connection, claim.item, state)
        again = planning_store.retry(connection, claim.item, "CHANGED_UNDERWAY") if failed else None
    return Processed(claim.item, state, invoiced, failed, again.batch if again else None)
