"""One run over one batch, taken step by step through the product's own posting code, so that it can die in between.

The steps are those of `post_batch`, in one thread: what a worker does for one request, what the calling thread does
with its answer. A run that was put aside keeps what it knows and may wake up at any time.
"""

import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from heapq import heappop
from typing import TypeAlias

from billing_assets.erp.batches.ledger import DOCUMENTS
from billing_assets.erp.netsuite.mapping import NetSuiteMapping
from billing_assets.erp.netsuite.sink import NetSuiteSink, netsuite_sink, run_policy
from billing_assets.erp.netsuite.store import Posting, Unread
from billing_assets.erp.settings import absence_counts_after_seconds
from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.posting import batch_lock, dispatch, look_up
from billing_assets.posting.answers import NotSent
from billing_assets.posting.batch_lease import Lease
from billing_assets.posting.dispatch import Dispatch, Request
from billing_assets.posting.run import Pass, post_batch
from proving.life.client import KilledError
from proving.life.view import View
from proving.life.world import LEASE_SECONDS, World

Sending: TypeAlias = Pass[Posting, Unread]

SLICE = 2


@dataclass
class _OneRequest:
    """The permits of a worker that stops after one request."""

    dispatch: Dispatch[Posting]

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
    sink: NetSuiteSink = field(repr=False)
    sending: Sending = field(repr=False)
    stack: ExitStack = field(repr=False)
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
        return bool(self.sending.dispatch.requests.qsize() or self.sending.retries)

    @property
    def has_answers(self) -> bool:
        """Whether it knows answers that it has not written down."""
        return bool(self.sending.unsaved)

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
            self._settle()
        self.settled = True

    def intend(self) -> None:
        """Commits the intents of the next few documents."""
        with self._watched():
            self.sending.intend(SLICE)

    def send(self) -> tuple[Request[Posting], bool]:
        """Sends one request as a worker does and keeps its answer in mind. The request, and whether it left."""
        queues = self.sending.dispatch
        if not queues.requests.qsize():
            queues.submit(heappop(self.sending.retries)[2])
        queues.stopping.clear()
        with self._watched():
            dispatch._send_until_stopped(queues, self.sink.send, _OneRequest(queues), self.lease)
        (answered,) = queues.collect(timeout=0.001)
        self.sending.take(answered)
        return answered.request, not isinstance(answered.answer, NotSent)

    def write(self) -> None:
        """Writes down what it knows."""
        self.sending._flush_at = 0.0
        self.sending.write()

    def renew(self) -> None:
        """Extends its lease, as the thread beside it does."""
        batch_lock.renew(self.connection, self.lease.lock, LEASE_SECONDS)
        self.lease.valid_until = time.monotonic() + LEASE_SECONDS

    def finish(self) -> None:
        """Looks up, reads back and lets go."""
        with self._watched():
            self._settle()
            absence = run_policy(self.world.settings).absence
            look_up.read_back(self.connection, self.sink, self.world.lanes, self.lease, absence)
        self.release()

    def release(self) -> None:
        """Lets go."""
        batch_lock.release(self.connection, self.lease.lock, absence_counts_after_seconds(self.world.settings))

    def post_all(self, dies_in: int | None = None, *, sends_before_it_dies: bool = False) -> bool:
        """The whole of `post_batch` with its threads, and the release; or its death in a create. Whether it lived."""
        client = self.world.client
        client.dies_in, client.sends_before_it_dies, client.alone = dies_in, sends_before_it_dies, False
        try:
            with self._watched():
                policy = run_policy(self.world.settings)
                post_batch(self.connection, self.sink, self.world.lanes, self.lease, policy)
        except KilledError:
            return False
        finally:
            client.dies_in, client.alone = None, True
        self.release()
        return True

    def die(self) -> None:
        """Its process ends: connection and memory are gone."""
        self.stack.close()

    def _settle(self) -> None:
        absence = run_policy(self.world.settings).absence
        look_up.settle_open_attempts(self.connection, self.sink, self.world.lanes, self.lease, absence)

    def _watched(self) -> ExitStack:
        stack = ExitStack()
        self.world.client.connection = self.connection
        stack.callback(setattr, self.world.client, "connection", None)
        return stack


def start(world: World, key: str, run_id: str, *, retry_rejected: bool) -> Run:
    """A new run that locks a batch. Raises LockHeldError."""
    stack = ExitStack()
    try:
        connection = stack.enter_context(connect(world.state_url))
        with connection.transaction():
            lock = batch_lock.lock(connection, DOCUMENTS, key, run_id, LEASE_SECONDS, retry_rejected=retry_rejected)
    except BaseException:
        stack.close()
        raise
    lease = Lease(lock, time.monotonic() + LEASE_SECONDS)
    sink = netsuite_sink(world.client, world.mapping, world.settings)
    sending: Sending = Pass(connection, sink, world.lanes, lease, run_policy(world.settings), first=False)
    return Run(world, connection, lease, world.mapping, sink, sending, stack)
