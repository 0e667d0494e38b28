"""The SQL of a queue: who has which item, until when, and what became of it. Every write carries the claim's epoch.

All functions work on the caller's connection; what `complete` says is true when the caller's transaction is committed.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.errors import BillingError


@dataclass(frozen=True, slots=True)
class Queue:
    """The table of a queue. `key`: its primary key, a bigint, in the order of which items are handed out. `only`: SQL,
    which rows are items at all. `max_attempts`: claims of one item before it is parked."""

    table: str
    key: str = "id"
    only: str = "true"
    max_attempts: int = 5


@dataclass(frozen=True, slots=True)
class Claim:
    """An item that a worker has. A higher `epoch` in the table means that it is lost. `attempts`: claims so far, this
    one too."""

    item: int
    epoch: int
    attempts: int
    worker: str
    queue: Queue = field(repr=False)


class StaleClaimError(BillingError):
    """The claim is lost: its lease ended and another worker has the item, or a person took it. Nothing was written."""

    def __init__(self, claim: Claim) -> None:
        super().__init__(
            f"{claim.worker} no longer has item {claim.item} of {claim.queue.table} (epoch {claim.epoch}): its lease "
            "ended. It stops; nothing it was about to record was written."
        )
        self.claim = claim


class QueueCounts(NamedTuple):
    """Items by state."""

    waiting: int
    claimed: int
    done: int
    parked: int


def claim(connection: Connection, queue: Queue, worker: str, lease_seconds: float) -> Claim | None:
    """Takes the item that has been due longest; None where none is due. Items that other workers claim at this moment
    are passed over. One that was claimed too often is parked instead: workers do not survive it."""
    row = connection.execute(
        f"""
        with next as (
            select {queue.key} as key from {queue.table}
            where queue_state in ('waiting', 'claimed') and queue_due <= clock_timestamp() and ({queue.only})
              and (queue_state = 'waiting' or queue_attempts < %(most)s)
            order by queue_due, {queue.key} limit 1
            for no key update skip locked)
        update {queue.table} as q set
            queue_state = 'claimed', queue_epoch = q.queue_epoch + 1, queue_attempts = q.queue_attempts + 1,
            queue_worker = %(worker)s, queue_due = clock_timestamp() + make_interval(secs => %(lease)s)
        from next
        where q.{queue.key} = next.key and q.queue_state in ('waiting', 'claimed')
        returning q.{queue.key} as item, q.queue_epoch, q.queue_attempts""",
        {"most": queue.max_attempts, "worker": worker, "lease": lease_seconds},
    ).fetchone()
    if row is None:
        park_abandoned(connection, queue)
        return None
    return Claim(row["item"], row["queue_epoch"], row["queue_attempts"], worker, queue)


def park_abandoned(connection: Connection, queue: Queue) -> int:
    """Parks the items whose last claim allowed ended without a word, as when each worker was killed. How many."""
    return connection.execute(
        f"""
        update {queue.table} set queue_state = 'parked', queue_why = format(
            'Each of %%s workers that took it ended without a word, the last one %%s.', queue_attempts, queue_worker)
        where queue_state = 'claimed' and queue_due <= clock_timestamp() and ({queue.only})
          and queue_attempts >= %s""",
        [queue.max_attempts],
    ).rowcount


def renew(connection: Connection, claim: Claim, lease_seconds: float) -> None:
    """Makes the lease last as long again from now. Raises StaleClaimError."""
    _write(
        connection, claim, "queue_due = clock_timestamp() + make_interval(secs => %(lease)s)", {"lease": lease_seconds}
    )


def complete(connection: Connection, claim: Claim) -> None:
    """Notes that the item is done: in the transaction that writes the result. Raises StaleClaimError."""
    _write(connection, claim, "queue_state = 'done', queue_why = null", {})


def retry(connection: Connection, claim: Claim, why: str, after_seconds: float) -> bool:
    """Gives the item back, to be claimed again after a while; parks it where it was claimed as often as is allowed.
    Whether it will be claimed again. Raises StaleClaimError."""
    if claim.attempts >= claim.queue.max_attempts:
        park(connection, claim, f"{why} It was tried {claim.attempts} times.")
        return False
    rests = "queue_due = clock_timestamp() + make_interval(secs => %(after)s)"
    values = {"why": why, "after": after_seconds}
    _write(connection, claim, f"queue_state = 'waiting', queue_why = %(why)s, {rests}", values)
    return True


def park(connection: Connection, claim: Claim, why: str) -> None:
    """Puts the item aside until a person puts it back. Raises StaleClaimError."""
    _write(connection, claim, "queue_state = 'parked', queue_why = %(why)s", {"why": why})


def put_back(connection: Connection, queue: Queue, item: int) -> bool:
    """Has a parked or done item worked on again, as if it were new. Whether there was one."""
    return bool(
        connection.execute(
            f"""
            update {queue.table} set queue_state = 'waiting', queue_attempts = 0, queue_due = clock_timestamp(),
                queue_why = null
            where {queue.key} = %s and queue_state in ('parked', 'done')""",
            [item],
        ).rowcount
    )


def counts(connection: Connection, queue: Queue) -> QueueCounts:
    """Items by state."""
    row = connection.execute(
        f"""
        select count(*) filter (where queue_state = 'waiting') as waiting,
               count(*) filter (where queue_state = 'claimed') as claimed,
               count(*) filter (where queue_state = 'done') as done,
               count(*) filter (where queue_state = 'parked') as parked
        from {queue.table} where ({queue.only})"""
    ).fetchone()
    if row is None:
        raise AssertionError("an aggregate has a row")
    return QueueCounts(**row)


def _write(connection: Connection, claim: Claim, change: str, values: dict[str, object]) -> None:
    found = connection.execute(
        f"""
        update {claim.queue.table} set {change}
        where {claim.queue.key} = %(item)s and queue_epoch = %(epoch)s and queue_state = 'claimed'""",
        {"item": claim.item, "epoch": claim.epoch, **values},
    )
    if not found.rowcount:
        raise StaleClaimError(claim)
