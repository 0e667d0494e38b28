"""One run over one batch: settle what is open, commit intents, send, record outcomes, read back.

The order is the safety: an intent is committed before its request leaves, an outcome is recorded only under the epoch
of the lock, and nothing is sent again before the outside system was asked for it.
"""

import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from heapq import heappop, heappush
from typing import Generic

import psycopg
import structlog

from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.posting import attempts as store
from billing_assets.posting.answers import Landed, NotSent, Retry, Unauthorized, Unavailable, Unknown
from billing_assets.posting.attempts import AnItem, Outcome
from billing_assets.posting.dispatch import Answered, Dispatch, Request, dispatching
from billing_assets.posting.lanes import QUESTIONS, Lanes
from billing_assets.posting.lease import Lease
from billing_assets.posting.look_up import AbsencePolicy, one_lane, read_back, settle_open_attempts
from billing_assets.posting.outage import wait_until_it_answers
from billing_assets.posting.outcomes import outcome_of, reason_to_stop, sign_of_an_outage
from billing_assets.posting.sink import AnUnread, Prepared, Sink
from billing_assets.posting.states import ItemState

log = structlog.get_logger(__name__)

_TRIES = 8
"""Sendings of one item in one run while the system answers that it did nothing."""
_TRIES_UNREACHED = 3
"""The same while no connection comes about: then asking for life is the quicker way to notice its end."""
_PASSES = 3
"""Times that one run takes up what its own look-ups proved not to have landed."""
_FLUSH_SECONDS = 0.5
_FLUSH_ROWS = 100
_REFRESH_SECONDS = 0.2
_REFRESH_CHANGING_SECONDS = 0.05
_WAIT_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 60.0
_LAST_ANSWERS_SECONDS = 5.0
_WORKED_SECONDS = 10.0
_RECONNECT_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class RunPolicy:
    """`lanes`: requests at once at most. `outage_seconds`: how long a run waits for the system, or for our database.
    `lease_seconds`: how long a transaction of ours may idle, as a run that hangs must not keep its locks."""

    lanes: int
    outage_seconds: float
    lease_seconds: float
    absence: AbsencePolicy


@dataclass(frozen=True)
class PostingResult:
    """What one run sent: requests that left, seconds on the wall, and why it ended early, if it did."""

    sent: int
    seconds: float
    stopped: str | None


def post_batch(
    connection: Connection,
    sink: Sink[AnItem, AnUnread],
    lanes: Lanes,
    lease: Lease,
    policy: RunPolicy,
    unwritten: list[Outcome] | None = None,
) -> PostingResult:
    """Posts what is left of a held batch and reads it back. Sends nothing for a batch that is done.

    `unwritten` is what an earlier call could not write down when it lost the database; after psycopg.OperationalError
    it holds what this one could not. Raises what the sink raises when the system cannot be asked, StaleLockError when
    another run took over; everything recorded until then stays, and the next run goes on from there.
    """
    began = time.monotonic()
    unwritten = [] if unwritten is None else unwritten
    if unwritten:
        store.record_outcomes(connection, lease.lock, unwritten, some_may_be_written=True)
        unwritten.clear()
    sink.compare(connection)
    sent = passes = 0
    while True:
        passes += 1
        one = Pass(connection, sink, lanes, lease, policy, first=passes == 1)
        failure: Unavailable | None = None
        try:
            one.post(unwritten)
        except Unavailable as error:
            failure = error
        sent += one.sent
        if one.proven_absent and not one.stopped and passes < _PASSES:
            continue  # they can be sent now
        outage = str(failure) if failure else one.outage
        if outage is None or (passes > 1 and not one.landed):
            break  # a system that answers questions and still takes nothing is no outage to wait through again
        if not wait_until_it_answers(sink.ask_for_life, lanes, lease, policy.outage_seconds, outage):
            lease.rests = False  # the next run waits as long again
            break
    if failure:
        raise failure
    seconds = time.monotonic() - began
    log.info("posted", sent=sent, seconds=round(seconds, 1), stopped=one.stopped)
    return PostingResult(sent, seconds, one.stopped)


def post_through_outages(
    url: str, sink: Sink[AnItem, AnUnread], lanes: Lanes, lease: Lease, policy: RunPolicy
) -> PostingResult:
    """The same on connections of its own to our database, on a new one as often as one is lost.

    Raises psycopg.OperationalError when there is none for `outage_seconds`, and what `post_batch` raises.
    """
    unwritten: list[Outcome] = []
    lost_at: float | None = None
    while True:
        began = time.monotonic()
        try:
            with connect(url, idle_transaction_seconds=policy.lease_seconds) as connection:
                return post_batch(connection, sink, lanes, lease, policy, unwritten)
        except psycopg.OperationalError as error:
            lease.check()
            now = time.monotonic()
            lost_at = now if lost_at is None or now - began > _WORKED_SECONDS else lost_at
            if now - lost_at > policy.outage_seconds:
                raise
            log.warning("database_lost", error=type(error).__name__, unwritten=len(unwritten))
            time.sleep(_RECONNECT_SECONDS)


class Pass(Generic[AnItem, AnUnread]):
    """One pass of a run over its batch: each item is taken up once. What it came to is in its public fields.

    `landed`: items that the system took. `proven_absent`: attempts that surely did not land, to be sent again.
    `exhausted`: every item was taken up. `stopped`: why nothing more is sent. `outage`: the same, where waiting may fix
    it.
    """

    def __init__(
        self,
        connection: Connection,
        sink: Sink[AnItem, AnUnread],
        lanes: Lanes,
        lease: Lease,
        policy: RunPolicy,
        *,
        first: bool,
    ) -> None:
        self.sent = self.landed = self.proven_absent = 0
        self.stopped: str | None = None
        self.outage: str | None = None
        self.dispatch: Dispatch[AnItem] = Dispatch()
        self.retries: list[tuple[float, int, Request[AnItem]]] = []
        self.unsaved: list[Outcome] = []
        self._connection, self._sink, self._lanes, self._lease = connection, sink, lanes, lease
        self._policy = policy
        self._first = first
        self.exhausted = self._bound = False
        self._refresh_at = self._flush_at = 0.0
        self._unknown_in_a_row = 0
        self._last_taken = 0  # row of the last item taken up
        self._prepare: Callable[[AnItem], Prepared | None] | None = None

    def post(self, unwritten: list[Outcome]) -> None:
        """Settles, sends, settles what that left open, and reads back. After psycopg.OperationalError `unwritten` has
        what could not be written down."""
        self._lanes.refresh(QUESTIONS)  # for the look-up; a run with little to do takes no more than it needs
        self._settle()
        self._look_before_sending()
        sender = dispatching(self._sink.send, self._lanes, self._policy.lanes, self._lease)
        with sender as self.dispatch:
            try:
                self._send_all()
            except psycopg.OperationalError:
                unwritten += self._last_words()
                raise
        self._lanes.refresh(1)  # all that is left to do are questions; other runs may have the rest
        if self.outage and (self._first or self.landed):
            return  # asking now would take minutes: first the system must answer again
        self.proven_absent = sum(outcome.state == ItemState.LOCKED for outcome in self._settle())
        read_back(self._connection, self._sink, self._lanes, self._lease, self._policy.absence)

    def _settle(self) -> list[Outcome]:
        return settle_open_attempts(
            self._connection, self._sink, self._lanes, self._lease, self._policy.absence, send_refused_again=self._first
        )

    def _look_before_sending(self) -> None:
        """Asks the sink whether anything may be sent. Asks nothing where nothing waits."""
        if not store.anything_to_send(self._connection, self._lease.lock):
            return
        try:
            self.stopped = self._sink.why_not(
                self._connection, self._lease, partial(one_lane, self._lanes, self._lease)
            )
        except Unavailable as error:
            self.stopped = self.outage = str(error)

    def _send_all(self) -> None:
        while True:
            self._lease.check()
            now = time.monotonic()
            while self.retries and self.retries[0][0] <= now:
                self.dispatch.submit(heappop(self.retries)[2])
            if now >= self._refresh_at:
                self._refresh_lanes(now)
            # No more intents than are soon sent: each that a dying run leaves costs the system's longest request time.
            size = 2 * max(1, self._lanes.usable)
            waiting = self.dispatch.requests.qsize() + len(self.retries)
            if not self.exhausted and not self.stopped and waiting < size:
                self.intend(size)
            for answered in self.dispatch.collect(timeout=_WAIT_SECONDS):
                self.take(answered)
            idle = self.write()
            if idle and (self.exhausted or self.stopped):
                return

    def _refresh_lanes(self, now: float) -> None:
        """Looks again soon while a lane that some run needs lies idle until it is passed on."""
        self._lanes.refresh(self.dispatch.in_flight + len(self.retries) if self.exhausted else None)
        soon = self.exhausted or self._lanes.changing
        self._refresh_at = now + (_REFRESH_CHANGING_SECONDS if soon else _REFRESH_SECONDS)

    def intend(self, limit: int) -> None:
        """Commits the intents of the next items, up to `limit`, and queues their requests."""
        held = self._lease.lock
        if self._prepare is None:
            lane = partial(one_lane, self._lanes, self._lease)
            self._prepare = self._sink.preparing(self._connection, held, lane)
        items = self._sink.next_to_send(self._connection, held, limit, self._last_taken)
        self.exhausted = len(items) < limit
        if not items:
            return
        self._last_taken = items[-1].id
        prepared = {one.id: ready for one in items if (ready := self._prepare(one))}
        if not prepared:
            return
        if not self._bound:
            self._sink.bind(self._connection, held.run_id)
            self._bound = True
        attempts = store.record_intents(self._connection, held, {one: ready.intent for one, ready in prepared.items()})
        for item in items:
            ready = prepared.get(item.id)
            if ready is None:
                continue
            attempt = attempts[item.id]
            if ready.taken_over:  # the look-up at the end of the run takes over what the system has
                self._note([Outcome(item.id, attempt, "exists", ItemState.POSTING, detail=ready.taken_over)])
            else:
                self.dispatch.submit(Request(item, attempt, ready.intent.body))

    def take(self, answered: Answered[AnItem]) -> None:
        """Turns one answer into an outcome to record, and a retry or a stop where it asks for one."""
        request, answer = answered.request, answered.answer
        if not isinstance(answer, NotSent):
            self.sent += 1
        self.landed += isinstance(answer, Landed)
        self._unknown_in_a_row = self._unknown_in_a_row + 1 if isinstance(answer, Unknown) else 0
        if isinstance(answer, Retry) and answer.throttled:
            self._lanes.throttled()
        tries = _TRIES_UNREACHED if isinstance(answer, NotSent) else _TRIES
        again = isinstance(answer, Retry | NotSent | Unauthorized) and request.tries + 1 < tries and not self.stopped
        system = self._sink.system
        if again:
            least = min(answer.retry_after or 0.0, _LONGEST_PAUSE_SECONDS) if isinstance(answer, Retry) else 0.0
            pause = max(least, random.uniform(0.5, 1.0) * min(0.25 * 2**request.tries, 10.0))  # noqa: S311  jitter
            retry = replace(request, tries=request.tries + 1)
            heappush(self.retries, (time.monotonic() + pause, request.attempt, retry))
        elif reason := reason_to_stop(system, answer):
            self.stopped = self.stopped or reason
        elif reason := sign_of_an_outage(system, answer, self._unknown_in_a_row):
            self.stopped = self.stopped or reason
            self.outage = self.outage or reason
        self._note([outcome_of(request, answer, answered.seconds, again=again)])

    def write(self, *, at_once: bool = False) -> bool:
        """Records outcomes, if there are enough or it is time; whether nothing is under way any more."""
        if self.stopped:
            self._give_up()
        idle = not self.dispatch.in_flight and not self.retries
        full = len(self.unsaved) >= _FLUSH_ROWS
        if self.unsaved and (at_once or idle or full or time.monotonic() >= self._flush_at):
            store.record_outcomes(self._connection, self._lease.lock, self.unsaved)
            self.unsaved.clear()
        return idle

    def _note(self, outcomes: Iterable[Outcome]) -> None:
        """Keeps outcomes to be recorded soon."""
        if not self.unsaved:
            self._flush_at = time.monotonic() + _FLUSH_SECONDS
        self.unsaved.extend(outcomes)

    def _last_words(self) -> list[Outcome]:
        """What is known of everything on its way when the database is lost: what never left, and the answers to the
        rest.

        An intent of which nothing is known waits for the system's longest request time; so a few seconds are well
        spent.
        """
        self.stopped = self.stopped or "Our database was lost."
        self.dispatch.stopping.set()
        self._give_up()
        deadline = time.monotonic() + _LAST_ANSWERS_SECONDS
        while self.dispatch.in_flight and time.monotonic() < deadline:
            for answered in self.dispatch.collect(timeout=_WAIT_SECONDS):
                self.take(answered)
        return self.unsaved

    def _give_up(self) -> None:
        """Takes back what no worker has begun: surely not sent."""
        recalled = self.dispatch.recall() + [request for _, _, request in self.retries]
        self.retries.clear()
        detail = "The run stopped before sending."
        self.unsaved += [
            Outcome(request.item.id, request.attempt, "not_sent", ItemState.LOCKED, detail=detail)
            for request in recalled
        ]
