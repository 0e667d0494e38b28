"""One worker of a queue: takes an item, keeps its lease alive beside the work, and says what became of it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg
import structlog

from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.foundation.errors import BillingError
from billing_assets.work_queue import claims
from billing_assets.work_queue.claims import Claim, Queue, StaleClaimError

log = structlog.get_logger(__name__)

_LOOK_AGAIN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class WorkPolicy:
    """How long a claim lives without being renewed, and how long an item that failed rests: the first time this long,
    then twice as long each time."""

    lease_seconds: float = 30.0
    retry_seconds: float = 10.0

    def pause(self, attempts: int) -> float:
        """Seconds that an item rests after this many attempts."""
        return self.retry_seconds * float(2 ** (attempts - 1))


@dataclass
class Work:
    """An item in work. `lost`: another worker has it; stop."""

    claim: Claim
    lost: threading.Event = field(default_factory=threading.Event)

    def check(self) -> None:
        """Raises StaleClaimError once the item is lost: for long work, between its steps."""
        if self.lost.is_set():
            raise StaleClaimError(self.claim)


@contextmanager
def next_item(url: str, connection: Connection, queue: Queue, worker: str, policy: WorkPolicy) -> Iterator[Work | None]:
    """The next item that is due, for the block, or None. The block writes the result and calls `claims.complete` in one
    transaction of its own, or `claims.park`.

    A BillingError that is `retryable` gives the item back for later, any other parks it, with its sentence. Both end
    here, so that the next item has its turn. Everything else (a lost connection, a fault of ours) is raised; the item
    is tried again when its lease has ended, until it was tried too often.
    """
    claim = claims.claim(connection, queue, worker, policy.lease_seconds)
    if claim is None:
        yield None
        return
    work, stop = Work(claim), threading.Event()
    keeper = threading.Thread(target=_keep, args=(url, work, policy.lease_seconds, stop), name="claim", daemon=True)
    keeper.start()
    try:
        yield work
    except StaleClaimError:
        log.warning("claim lost", table=queue.table, item=claim.item, epoch=claim.epoch)
    except BillingError as error:
        _note(connection, claim, error, policy)
    finally:
        stop.set()
        keeper.join(timeout=_LOOK_AGAIN_SECONDS)


def _note(connection: Connection, claim: Claim, error: BillingError, policy: WorkPolicy) -> None:
    try:
        if error.retryable:
            claims.retry(connection, claim, str(error), policy.pause(claim.attempts))
        else:
            claims.park(connection, claim, str(error))
    except StaleClaimError:
        log.warning("claim lost", table=claim.queue.table, item=claim.item, epoch=claim.epoch)


def _keep(url: str, work: Work, lease_seconds: float, stop: threading.Event) -> None:
    """Renews three times a lease; a lost connection is opened again for as long as the claim may still be ours."""
    while not stop.is_set():
        try:
            with connect(url, application="billing claim") as connection:
                while not stop.wait(lease_seconds / 3):
                    claims.renew(connection, work.claim, lease_seconds)
        except StaleClaimError:
            if not stop.is_set():  # the block may have completed it a moment ago
                work.lost.set()
            return
        except psycopg.Error as error:
            log.warning("claim not renewed", table=work.claim.queue.table, error=type(error).__name__)
            stop.wait(min(_LOOK_AGAIN_SECONDS, lease_seconds / 3))
