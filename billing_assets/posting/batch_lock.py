"""The SQL of a batch's lock: taking, renewing, releasing, ending. Every write about a lock carries its epoch."""

from dataclasses import dataclass, field
from datetime import datetime

from billing_assets.foundation.database.connection import Connection, settle_order
from billing_assets.foundation.errors import BillingError
from billing_assets.posting.ledger import Ledger


@dataclass(frozen=True)
class Lock:
    """A live hold on a batch. `epoch` goes into every write; a higher one in the database means the hold is lost."""

    partition_key: str
    epoch: int
    run_id: str
    ledger: Ledger = field(repr=False)


class LockHeldError(BillingError):
    """Another run holds the batch. `run_id` and `locked_until` (UTC) say who and how long at least."""

    retryable = True

    def __init__(self, partition_key: str, run_id: str, locked_until: datetime) -> None:
        super().__init__(f"Batch {partition_key} is held by run {run_id} until {locked_until:%H:%M:%S} UTC.")
        self.partition_key, self.run_id, self.locked_until = partition_key, run_id, locked_until


class StaleLockError(BillingError):
    """The hold is lost: another run took the batch, or an operator unlocked it. Nothing was written; stop."""

    def __init__(self, lock: Lock) -> None:
        super().__init__(
            f"Run {lock.run_id} no longer holds batch {lock.partition_key} (epoch {lock.epoch}): it was taken over or "
            f"unlocked. This run stops; nothing it was about to record was written."
        )
        self.lock = lock


class UnknownBatchError(BillingError):
    """There is no batch of this partition key."""

    def __init__(self, partition_key: str) -> None:
        super().__init__(
            f"There is no batch {partition_key}. Batches are made by the planner, not by adding partitions."
        )


# A lease from the future was taken before the database's clock was set back: its run, if it lives, renews it soon.
LIVE = "locked_until >= clock_timestamp() and coalesce(leased_at <= clock_timestamp(), true)"
"""SQL: whether the lease of a batch is live."""


def lock(
    connection: Connection,
    ledger: Ledger,
    partition_key: str,
    run_id: str,
    lease_seconds: float,
    *,
    retry_rejected: bool,
) -> Lock:
    """Takes the batch: a new epoch, a lease, and its items locked. Call inside a transaction.

    Takes up what is left: items waiting, those of a run whose lease ended, and, if asked, rejected ones that may be
    sent again. Open attempts stay `posting` under the new epoch: they are looked up before anything else happens to
    them; so does what `differs`, which may have been corrected where it is.
    A run that holds the batch already gets it again. Raises LockHeldError while another run's lease is live, and
    UnknownBatchError.
    """
    settle_order(connection)
    row = connection.execute(
        f"""
        select run_id, locked_until, {LIVE} and run_id <> %s as live
        from {ledger.batches} where partition_key = %s for update""",
        [run_id, partition_key],
    ).fetchone()
    if row is None:
        raise UnknownBatchError(partition_key)
    if row["live"]:
        raise LockHeldError(partition_key, row["run_id"], row["locked_until"])
    taken = connection.execute(
        f"""
        update {ledger.batches}
        set epoch = epoch + 1, run_id = %(run)s, state = 'running', unknown_due_at = null, finished_at = null,
            leased_at = clock_timestamp(), locked_until = clock_timestamp() + make_interval(secs => %(lease)s)
        where partition_key = %(key)s returning epoch""",
        {"key": partition_key, "run": run_id, "lease": lease_seconds},
    ).fetchone()
    epoch = int(taken["epoch"]) if taken else 0
    connection.execute(
        f"""
        update {ledger.items} as items
        set epoch = %(epoch)s, state = case when state in ('batched', 'rejected') then 'locked' else state end
        where batch = %(key)s and state in ('batched', 'locked', 'posting', 'rejected', 'differs')
          and (state <> 'rejected' or (%(retry_rejected)s and {ledger.may_retry}))""",
        {"epoch": epoch, "key": partition_key, "retry_rejected": retry_rejected},
    )
    return Lock(partition_key, epoch, run_id, ledger)


def renew(connection: Connection, held: Lock, lease_seconds: float) -> None:
    """Extends the lease. Raises StaleLockError when the hold is lost."""
    renewed = connection.execute(
        f"""
        update {held.ledger.batches}
        set leased_at = clock_timestamp(), locked_until = clock_timestamp() + make_interval(secs => %s)
        where partition_key = %s and epoch = %s and locked_until is not null""",
        [lease_seconds, held.partition_key, held.epoch],
    ).rowcount
    if not renewed:
        raise StaleLockError(held)


def is_held(connection: Connection, held: Lock) -> bool:
    """Whether the hold is not lost."""
    row = connection.execute(
        f"select from {held.ledger.batches} where partition_key = %s and epoch = %s and locked_until is not null",
        [held.partition_key, held.epoch],
    ).fetchone()
    return row is not None


def release(connection: Connection, held: Lock, unknown_after_seconds: float, *, rests: bool = True) -> str:
    """Ends the hold and returns the batch's state: `posted`, or `attention` while anything in it is left.

    What the run holds but did not send waits again; attempts without a known outcome stay. What is left rests before
    the next run, unless `rests` is false. Raises StaleLockError when the hold is lost.
    """
    ledger = held.ledger
    with connection.transaction():
        settle_order(connection)
        row = connection.execute(
            f"select 1 as ok from {ledger.batches} where partition_key = %s and epoch = %s for update",
            [held.partition_key, held.epoch],
        ).fetchone()
        if row is None:
            raise StaleLockError(held)
        connection.execute(
            f"update {ledger.items} set state = 'batched' where batch = %s and epoch = %s and state = 'locked'",
            [held.partition_key, held.epoch],
        )
        return settle(connection, ledger, held.partition_key, unknown_after_seconds, rests=rests)


def settle(
    connection: Connection, ledger: Ledger, partition_key: str, unknown_after_seconds: float, *, rests: bool = True
) -> str:
    """Ends any hold on the batch and gives it the state that its items say. Returns that state.

    What the system may show later gets a time to look again: `unknown_after_seconds` after the last attempt was noted
    as unknown, and as long from now for what was posted but not read back. An attempt about which nothing was noted is
    looked up at once.
    """
    row = connection.execute(
        f"""
        update {ledger.batches} as b
        set locked_until = null,
            state = case when l.left_over = 0 then 'posted' else 'attention' end,
            unknown_due_at = case when not l.look_up_now
                             then l.unclear_since + make_interval(secs => %(after)s) end,
            finished_at = clock_timestamp(), rests = %(rests)s
        from (
            select count(*) as left_over,
                   max(case when d.state = 'posting' then o.recorded_at
                            when d.state = 'posted' and d.read_back_at is null then clock_timestamp()
                       end) as unclear_since,
                   coalesce(bool_or(d.state = 'posting' and o.recorded_at is null), false) as look_up_now
            from {ledger.items} as d
            left join lateral (
                select o.recorded_at
                from {ledger.attempts} as a join {ledger.outcomes} as o on o.attempt = a.id
                where a.document = d.id and o.outcome in ('unknown', 'exists')
                order by o.id desc limit 1) as o on d.state = 'posting'
            where d.batch = %(key)s
              and (d.state in ('batched', 'locked', 'posting', 'rejected', 'differs')
                   or (d.state = 'posted' and (d.read_back_at is null or d.difference is not null)))
        ) as l
        where b.partition_key = %(key)s returning b.state""",
        {"key": partition_key, "after": unknown_after_seconds, "rests": rests},
    ).fetchone()
    return str(row["state"]) if row else ""


def expire(connection: Connection, ledger: Ledger, partition_key: str, stale_minutes: float | None = None) -> bool:
    """Ends a hold, live or not, inside a transaction: the run that has it finds itself stale at its next write.

    With `stale_minutes` only where the lease ended longer ago than that. Returns whether it ended one.
    """
    ended = connection.execute(
        f"""
        update {ledger.batches} set locked_until = null, epoch = epoch + 1
        where partition_key = %(key)s and (
            %(stale)s::float is null or locked_until < clock_timestamp() - make_interval(mins => 1) * %(stale)s::float)
        returning epoch""",
        {"key": partition_key, "stale": stale_minutes},
    ).fetchone()
    if ended is None:
        return False
    connection.execute(
        f"update {ledger.items} set epoch = %s where batch = %s and state in ('locked', 'posting', 'differs')",
        [ended["epoch"], partition_key],
    )
    return True


def stale(connection: Connection, ledger: Ledger, older_than_minutes: float) -> list[str]:
    """Partition keys of batches whose run ended without releasing them: the lease ended longer ago than that."""
    rows = connection.execute(
        f"""
        select partition_key from {ledger.batches}
        where state <> 'posted' and locked_until < clock_timestamp() - make_interval(mins => 1) * %s::float
        order by partition_key""",
        [older_than_minutes],
    )
    return [row["partition_key"] for row in rows]


def give_back(connection: Connection, ledger: Ledger, partition_key: str) -> int:
    """Returns a batch's waiting and locked items to the backlog and counts them.

    Attempts without an outcome stay with the batch: a run looks them up before anything else happens to them.
    """
    return connection.execute(
        f"update {ledger.items} set state = 'ready', batch = null where batch = %s and state in ('locked', 'batched')",
        [partition_key],
    ).rowcount


def put_back(connection: Connection, held: Lock, item: int) -> None:
    """Gives an item (its row) that this run holds and must not send now back to the backlog. Raises StaleLockError."""
    moved = connection.execute(
        f"""
        update {held.ledger.items} set state = 'ready', batch = null
        where id = %s and batch = %s and epoch = %s and state = 'locked'""",
        [item, held.partition_key, held.epoch],
    ).rowcount
    if not moved:
        raise StaleLockError(held)
