"""Holding a batch: taking it, keeping its lease alive beside the work, and letting go of it whatever happens."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum

import psycopg
import structlog

from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.posting import batch_lock
from billing_assets.posting.batch_lock import Lock, LockHeldError, StaleLockError
from billing_assets.posting.ledger import Ledger

log = structlog.get_logger(__name__)

_LOOK_AGAIN_SECONDS = 1.0
_RECONNECT_SECONDS = 0.3


class Patience(Enum):
    """How long a run waits for a batch that another run holds."""

    UNTIL_RENEWED = "until the holder renews its lease, and so is alive, or the lease ends"
    ENDLESS = "until its turn"


@dataclass(frozen=True, slots=True)
class LeasePolicy:
    """How long a hold lasts without being renewed, in seconds, and how long after an unknown outcome its absence
    counts."""

    seconds: float
    unknown_after_seconds: float


@dataclass
class Lease:
    """A live hold. `valid_until` (time.monotonic): nothing may be sent later. `lost`: another run has the batch.

    `rests`: what the run leaves waits a while for the next one.
    """

    lock: Lock
    valid_until: float
    rests: bool = True
    lost: threading.Event = field(default_factory=threading.Event)

    def check(self) -> None:
        """Raises StaleLockError once the hold is lost."""
        if self.lost.is_set():
            raise StaleLockError(self.lock)


@contextmanager
def holding(
    url: str,
    connection: Connection,
    ledger: Ledger,
    partition_key: str,
    run_id: str,
    policy: LeasePolicy,
    *,
    retry_rejected: bool,
    patience: Patience = Patience.ENDLESS,
    taken: Lock | None = None,
) -> Iterator[Lease]:
    """Locks a batch for the block, renews its lease from a thread of its own, and releases it at the end.

    `taken`: the lock that this process took before for the same run; it goes on, unless it was lost meanwhile. While
    another run holds the batch, waits with `patience`: what is left then is ours to do. A process that dies
    lets go by its lease. Raises UnknownBatchError, LockHeldError, and StaleLockError when the hold was lost before its
    end.
    """
    lease = _still(connection, taken, policy.seconds)
    if lease is None:
        lock = take(connection, ledger, partition_key, run_id, policy, retry_rejected=retry_rejected, patience=patience)
        lease = _renewed(connection, lock, policy.seconds)
    lock = lease.lock
    stop = threading.Event()
    keeper = threading.Thread(target=_keep, args=(url, lease, policy.seconds, stop), name="lease", daemon=True)
    keeper.start()
    try:
        yield lease
    except StaleLockError:
        log.warning("lock lost", batch=partition_key, epoch=lock.epoch)
        raise
    except BaseException as error:
        lease.rests = lease.rests and not isinstance(error, psycopg.OperationalError)
        _let_go(url, connection, lease, policy.unknown_after_seconds)
        raise
    else:
        _release(url, connection, lease, policy.unknown_after_seconds)
    finally:
        stop.set()
        keeper.join(timeout=_LOOK_AGAIN_SECONDS)


def _still(connection: Connection, taken: Lock | None, seconds: float) -> Lease | None:
    """The hold that was taken before; None where there is none, or it was lost."""
    if taken is None:
        return None
    try:
        return _renewed(connection, taken, seconds)
    except StaleLockError:
        return None


def _renewed(connection: Connection, lock: Lock, seconds: float) -> Lease:
    began = time.monotonic()
    batch_lock.renew(connection, lock, seconds)
    return Lease(lock, began + seconds)


def take(
    connection: Connection,
    ledger: Ledger,
    partition_key: str,
    run_id: str,
    policy: LeasePolicy,
    *,
    retry_rejected: bool,
    patience: Patience = Patience.ENDLESS,
) -> Lock:
    """Locks a batch, waiting with `patience` while another run holds it. A run that holds it already takes it again.

    Raises UnknownBatchError, and LockHeldError when the patience is at its end.
    """
    first: LockHeldError | None = None
    while True:
        try:
            with connection.transaction():
                return batch_lock.lock(
                    connection, ledger, partition_key, run_id, policy.seconds, retry_rejected=retry_rejected
                )
        except LockHeldError as error:
            renewed = first is not None and (error.run_id, error.locked_until) != (first.run_id, first.locked_until)
            if patience is Patience.UNTIL_RENEWED and renewed:
                raise
            if first is None:
                log.info("waiting for the batch", batch=partition_key, held_by=error.run_id)
                first = error
            time.sleep(_LOOK_AGAIN_SECONDS)


def _keep(url: str, lease: Lease, lease_seconds: float, stop: threading.Event) -> None:
    """Renews three times a lease; a lost connection is opened again for as long as the lease may still be ours."""
    while not stop.is_set():
        try:
            with connect(url, application="billing lease") as connection:
                while not stop.wait(lease_seconds / 3):
                    began = time.monotonic()
                    batch_lock.renew(connection, lease.lock, lease_seconds)
                    lease.valid_until = began + lease_seconds
        except StaleLockError:
            lease.lost.set()
            return
        except psycopg.Error as error:
            log.warning("lease not renewed", batch=lease.lock.partition_key, error=type(error).__name__)
            stop.wait(min(_LOOK_AGAIN_SECONDS, lease_seconds / 3))


def _release(url: str, connection: Connection, lease: Lease, unknown_after: float) -> None:
    """Releases on the connection, or on a new one where that is lost, for as long as the lease lasts.

    Where that fails too, the lease runs out; but the next run need not wait for it where it need not.
    """
    try:
        batch_lock.release(connection, lease.lock, unknown_after, rests=lease.rests)
    except psycopg.OperationalError:
        while not _release_again(url, lease, unknown_after):
            if time.monotonic() > lease.valid_until:
                raise
            time.sleep(_RECONNECT_SECONDS)


def _release_again(url: str, lease: Lease, unknown_after: float) -> bool:
    try:
        with connect(url) as connection:
            batch_lock.release(connection, lease.lock, unknown_after, rests=lease.rests)
    except psycopg.OperationalError:
        return False
    return True


def _let_go(url: str, connection: Connection, lease: Lease, unknown_after: float) -> None:
    """Releases after a failure, which is the one to see, whatever becomes of the release."""
    try:
        _release(url, connection, lease, unknown_after)
    except (psycopg.Error, StaleLockError) as error:
        log.warning("batch not released", batch=lease.lock.partition_key, error=type(error).__name__)
