"""One run over one batch, taken step by step through the product's own posting code, so that it can die in between.

The steps are those of `post_batch`, in one thread: what a worker does for one request, what the calling thread does
with its answer. A run that was put aside keeps what it knows and may wake up at any time.
"""

import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from heapq import heappop

from billing_assets.batches import store as batches
from billing_assets.batches.lease import Lease
from billing_assets.netsuite import dispatch, look_up, posting
from billing_assets.netsuite import store as netsuite
from billing_assets.netsuite.dispatch import Answered, Dispatch, Request
from billing_assets.netsuite.errors import NotSent
from billing_assets.netsuite.mapping import NetSuiteMapping
from billing_assets.state.database import Connection, connect
from billing_assets_tests.faults.life.client import KilledError
from billing_assets_tests.faults.life.view import View
from billing_assets_tests.faults.life.world import LEASE_SECONDS, World

SLICE = 2


@dataclass
class _OneRequest:
    """The permits of a worker that stops after one request."""

    dispatch: Dispatch

    def acquire(self, timeout: float) -> bool:
        return timeout >= 0

    def release(self) -> None:
        self.dispatch.stopping.set()


@dataclass
class Run:
    """A run that holds a batch, or believes that it does."""

    world: World
    connection: Connection
    lease: Lease
    mapping: NetSuiteMapping = field(repr=False)
    stack: ExitStack = field(repr=False)
    dispatch: Dispatch = field(default_factory=Dispatch, repr=False)
    progress: posting._Progress = field(default_factory=posting._Progress, repr=False)
    settled: bool = False

    @property
    def key(self) -> str:
        """The batch."""
        return self.lease.lock.partition_key

    @property
    def lease_ended(self) -> bool:
        """Whether it may not send any more."""
        return time.monotonic() >= self.lease.valid_until

    @property
    def has_requests(self) -> bool:
        """Whether there is something to send: intents are committed, no answer is known."""
        return bool(self.dispatch.requests.qsize() or self.progress.retries)

    @property
    def has_answers(self) -> bool:
        """Whether it knows answers that it has not written down."""
        return bool(self.progress.unsaved)

    @property
    def is_between_sendings(self) -> bool:
        """Whether nothing is under way."""
        return not self.has_requests and not self.has_answers

    def is_stale(self, view: View) -> bool:
        """Whether another run took the batch, or an operator did."""
        return bool(view.ours.batches[self.key]["epoch"] != self.lease.lock.epoch)

    def settle(self) -> None:
        """Looks up the open attempts."""
        with self._watched():
            settings = self.world.settings
            look_up.settle_open_attempts(
                self.connection, self.world.client, self.world.lanes, self.mapping, self.lease, settings
            )
        self.settled = True

    def intend(self) -> None:
        """Commits the intents of the next few documents."""
        posting._send_slice(self.connection, self.dispatch, self.mapping, self.lease.lock, self.progress, SLICE)

    def send(self) -> tuple[Request, bool]:
        """Sends one request as a worker does and keeps its answer in mind. The request, and whether it left."""
        if not self.dispatch.requests.qsize():
            self.dispatch.submit(heappop(self.progress.retries)[2])
        self.dispatch.stopping.clear()
        with self._watched():
            dispatch._send_until_stopped(self.dispatch, self.world.client, _OneRequest(self.dispatch), self.lease)
        answered: Answered
        (answered,) = self.dispatch.collect(timeout=0.001)
        posting._take(answered, self.world.lanes, self.progress)
        return answered.request, not isinstance(answered.answer, NotSent)

    def write(self) -> None:
        """Writes down what it knows."""
        if self.progress.stopped:
            posting._give_up(self.dispatch, self.progress)
        if self.progress.unsaved:
            netsuite.record_outcomes(self.connection, self.lease.lock, self.progress.unsaved)
            self.progress.unsaved.clear()

    def renew(self) -> None:
        """Extends its lease, as the thread beside it does."""
        batches.renew(self.connection, self.lease.lock, LEASE_SECONDS)
        self.lease.valid_until = time.monotonic() + LEASE_SECONDS

    def finish(self) -> None:
        """Looks up, reads back and lets go."""
        with self._watched():
            settings, world = self.world.settings, self.world
            look_up.settle_open_attempts(self.connection, world.client, world.lanes, self.mapping, self.lease, settings)
            look_up.read_back(self.connection, world.client, world.lanes, self.lease, settings.netsuite)
        self.release()

    def release(self) -> None:
        """Lets go."""
        batches.release(self.connection, self.lease.lock, self.world.settings.absence_counts_after_seconds)

    def post_all(self, dies_in: int | None = None, *, sends_before_it_dies: bool = False) -> bool:
        """The whole of `post_batch` with its threads, and the release; or its death in a create. Whether it lived."""
        client = self.world.client
        client.dies_in, client.sends_before_it_dies, client.alone = dies_in, sends_before_it_dies, False
        try:
            with self._watched():
                posting.post_batch(
                    self.connection,
                    client,
                    self.world.lanes,
                    self.mapping,
                    self.lease,
                    self.world.settings,
                )
        except KilledError:
            return False
        finally:
            client.dies_in, client.alone = None, True
        self.release()
        return True

    def die(self) -> None:
        """Its process ends: connection and memory are gone."""
        self.stack.close()

    def _watched(self) -> ExitStack:
        stack = ExitStack()
        self.world.client.connection = self.connection
        stack.callback(setattr, self.world.client, "connection", None)
        return stack


def start(world: World, key: str, run_id: str, *, retry_rejected: bool) -> Run:
    """A new run that locks a batch. Raises LockHeldError."""
    stack = ExitStack()
    try:
        connection = stack.enter_context(connect(world.url))
        with connection.transaction():
            lock = batches.lock(connection, key, run_id, LEASE_SECONDS, retry_rejected=retry_rejected)
    except BaseException:
        stack.close()
        raise
    return Run(world, connection, Lease(lock, time.monotonic() + LEASE_SECONDS), world.mapping, stack)
