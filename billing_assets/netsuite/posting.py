"""Posting one batch (DESIGN §8): settle what is open, commit intents, send, record outcomes, read back.

The order is the safety: an intent is committed before its request leaves, an outcome is recorded only under the epoch
of the lock, and nothing is sent again before NetSuite was asked for it.
"""

import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from heapq import heappop, heappush

import psycopg
import structlog

from billing_assets.batches.lease import Lease
from billing_assets.batches.store import Lock
from billing_assets.domain.documents import Kind, State
from billing_assets.domain.rules import Finding, finding, state_for, validate
from billing_assets.netsuite import found, store
from billing_assets.netsuite.applying import apply_now
from billing_assets.netsuite.client import NetSuiteClient, RecordType
from billing_assets.netsuite.dispatch import Answered, Dispatch, Request, dispatching
from billing_assets.netsuite.errors import (
    Landed,
    NetSuiteLoginRefused,
    NetSuiteUnavailable,
    NotSent,
    Retry,
    Unauthorized,
    Unknown,
)
from billing_assets.netsuite.lanes import Lanes
from billing_assets.netsuite.look_up import one_lane, open_amounts, read_back, settle_open_attempts
from billing_assets.netsuite.mapping import RECORD_TYPES, NetSuiteMapping
from billing_assets.netsuite.outage import wait_until_netsuite_answers
from billing_assets.netsuite.outcomes import outcome_of, reason_to_stop, sign_of_an_outage
from billing_assets.netsuite.privacy import withheld
from billing_assets.netsuite.proof import proven, why_nothing_is_sent
from billing_assets.netsuite.store import Outcome, Posting
from billing_assets.netsuite.wire import named
from billing_assets.settings import Settings
from billing_assets.state.bindings import Named, bind, compare
from billing_assets.state.database import Connection, connect

log = structlog.get_logger(__name__)

_TRIES = 8
"""Sendings of one document in one run while NetSuite answers that it did nothing."""
_TRIES_UNREACHED = 3
"""The same while no connection comes about: then asking for life is the quicker way to notice its end."""
_PASSES = 3
"""Times that one run takes up what its own look-ups proved not to have landed."""
_FLUSH_SECONDS = 0.5
_FLUSH_ROWS = 100
_REFRESH_SECONDS = 1.0
_WAIT_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 60.0
_LAST_ANSWERS_SECONDS = 5.0
_WORKED_SECONDS = 10.0
_RECONNECT_SECONDS = 0.5
_FOUND = "NetSuite had it before this database first sent it."


Check = Callable[[Connection, Lease], None]
"""A look at a held batch before anything of it is sent: `netsuite.recheck.Recheck`."""


@dataclass(frozen=True)
class PostingResult:
    """What one run sent: requests that left, seconds on the wall, and why it ended early, if it did. `sent_back`:
    numbers of what was not sent because the billing system had changed it."""

    sent: int
    seconds: float
    stopped: str | None
    sent_back: tuple[str, ...] = ()


@dataclass
class _Progress:
    """What one run keeps in mind while it sends."""

    unbound: Named | None = None  # what our database is to be bound to before the first intent
    refresh_at: float = 0.0
    retries: list[tuple[float, int, Request]] = field(default_factory=list)
    unsaved: list[Outcome] = field(default_factory=list)
    flush_at: float = 0.0
    unknown_in_a_row: int = 0
    sent: int = 0
    last_taken: int = 0  # row of the last document taken up: each is taken up once a run
    landed: int = 0
    still_open: dict[str, Decimal] = field(default_factory=dict)  # of invoices that are credited, by internal id
    given_away: set[str] = field(default_factory=set)  # internal ids of such invoices that are another's by now
    proven_absent: int = 0  # at the end: attempts that surely did not land, to be sent again
    exhausted: bool = False
    stopped: str | None = None  # why nothing more is sent
    outage: str | None = None  # the same, where waiting may fix it

    def note(self, outcomes: Iterable[Outcome]) -> None:
        """Keeps outcomes to be recorded soon."""
        if not self.unsaved:
            self.flush_at = time.monotonic() + _FLUSH_SECONDS
        self.unsaved.extend(outcomes)


def post_batch(
    connection: Connection,
    client: NetSuiteClient,
    lanes: Lanes,
    mapping: NetSuiteMapping,
    lease: Lease,
    settings: Settings,
    unwritten: list[Outcome] | None = None,
    recheck: Check | None = None,
) -> PostingResult:
    """Posts what is left of a held batch and reads it back. Sends nothing for a batch that is done.

    `recheck` is called each time before anything is sent, once the open attempts are settled: it takes out of the batch
    what must not be sent. What it raises ends the run with nothing sent.

    `unwritten` is what an earlier call could not write down when it lost the database; after psycopg.OperationalError
    it holds what this one could not. Raises NetSuiteError when NetSuite cannot be asked, StaleLockError when another
    run took over; everything recorded until then stays, and the next run goes on from there.
    """
    began = time.monotonic()
    unwritten = [] if unwritten is None else unwritten
    if unwritten:
        store.record_outcomes(connection, lease.lock, unwritten, some_may_be_written=True)
        unwritten.clear()
    ours = named(settings, mapping.file.external_id.by_kind())
    compare(connection, ours)  # before anything is looked up: in another account it would be proven absent
    sent = passes = 0
    while True:
        passes += 1
        progress = _Progress(unbound=ours)
        failure: NetSuiteUnavailable | None = None
        try:
            _post_what_is_left(
                connection, client, lanes, mapping, lease, settings, progress, passes == 1, unwritten, recheck
            )
        except NetSuiteUnavailable as error:
            failure = error
        sent += progress.sent
        if progress.proven_absent and not progress.stopped and passes < _PASSES:
            continue  # they can be sent now
        outage = str(failure) if failure else progress.outage
        if outage is None or (passes > 1 and not progress.landed):
            break  # NetSuite that answers questions and still takes nothing is no outage to wait through again
        if not wait_until_netsuite_answers(client, lanes, lease, settings.netsuite.outage_seconds, outage):
            lease.rests = False  # the next run waits as long again
            break
    if failure:
        raise failure
    seconds = time.monotonic() - began
    log.info("posted", sent=sent, seconds=round(seconds, 1), stopped=progress.stopped)
    return PostingResult(sent, seconds, progress.stopped)


def post_through_outages(
    url: str,
    client: NetSuiteClient,
    lanes: Lanes,
    mapping: NetSuiteMapping,
    lease: Lease,
    settings: Settings,
    recheck: Check | None = None,
) -> PostingResult:
    """The same on connections of its own to our database, on a new one as often as one is lost.

    Raises psycopg.OperationalError when there is none for `outage_seconds`, and what `post_batch` raises.
    """
    unwritten: list[Outcome] = []
    lost_at: float | None = None
    while True:
        began = time.monotonic()
        try:
            with connect(url, idle_transaction_seconds=settings.batches.lease_seconds) as connection:
                return post_batch(connection, client, lanes, mapping, lease, settings, unwritten, recheck)
        except psycopg.OperationalError as error:
            lease.check()
            now = time.monotonic()
            lost_at = now if lost_at is None or now - began > _WORKED_SECONDS else lost_at
            if now - lost_at > settings.netsuite.outage_seconds:
                raise
            log.warning("database_lost", error=type(error).__name__, unwritten=len(unwritten))
            time.sleep(_RECONNECT_SECONDS)


def _post_what_is_left(
    connection: Connection,
    client: NetSuiteClient,
    lanes: Lanes,
    mapping: NetSuiteMapping,
    lease: Lease,
    settings: Settings,
    progress: _Progress,
    first: bool,
    unwritten: list[Outcome],
    recheck: Check | None = None,
) -> None:
    lanes.refresh(1)  # for the look-up; a run with little to do takes no more than it needs
    settle_open_attempts(connection, client, lanes, mapping, lease, settings, apply_anew=first)
    _look_before_the_first_send(connection, client, lanes, mapping, lease, settings, progress, recheck)
    progress.still_open, progress.given_away = open_amounts(connection, client, lanes, lease)
    with dispatching(client, lanes, settings.netsuite.lanes, lease) as dispatch:
        try:
            _send_all(connection, dispatch, lanes, mapping, lease, progress)
        except psycopg.OperationalError:
            unwritten += _last_words(dispatch, lanes, progress)
            raise
    lanes.refresh(1)  # all that is left to do are queries; other runs may have the rest
    if progress.outage and (first or progress.landed):
        return  # asking now would take minutes: first NetSuite must answer again
    settled = settle_open_attempts(connection, client, lanes, mapping, lease, settings, apply_anew=first)
    progress.proven_absent = sum(outcome.state == State.LOCKED for outcome in settled)
    read_back(connection, client, lanes, lease, settings.netsuite)


def _look_before_the_first_send(
    connection: Connection,
    client: NetSuiteClient,
    lanes: Lanes,
    mapping: NetSuiteMapping,
    lease: Lease,
    settings: Settings,
    progress: _Progress,
    recheck: Check | None,
) -> None:
    """Lets nothing be sent with a mapping whose ids are other records in NetSuite, while NetSuite has something of ours
    that our database does not know, or while that cannot be asked; nor what the billing system changed meanwhile.

    Asks nothing where nothing waits.
    """
    if not store.next_to_send(connection, lease.lock, 1):
        return
    try:
        with one_lane(lanes, lease):
            if not proven(connection, client, mapping):
                client.ask_for_life()  # in an outage the questions proper would take minutes
                progress.stopped = why_nothing_is_sent(connection, client, mapping)
            if not progress.stopped:
                ahead = found.look(connection, client, mapping, settings.netsuite.read_back_seconds)
                progress.stopped = found.stop_reason(ahead) if ahead else None
    except NetSuiteLoginRefused as error:
        progress.stopped = f"NetSuite refused the login: {error}"
    except NetSuiteUnavailable as error:
        progress.stopped = progress.outage = str(error)
    if recheck and not progress.stopped:  # after the look-up of open attempts: what it proves absent is sent, too
        recheck(connection, lease)


def _send_all(
    connection: Connection,
    dispatch: Dispatch,
    lanes: Lanes,
    mapping: NetSuiteMapping,
    lease: Lease,
    progress: _Progress,
) -> None:
    while True:
        lease.check()
        now = time.monotonic()
        while progress.retries and progress.retries[0][0] <= now:
            dispatch.submit(heappop(progress.retries)[2])
        # No more intents than are soon sent: each that a dying run leaves costs NetSuite's longest request time.
        slice_size = 2 * max(1, lanes.usable)
        waiting = dispatch.requests.qsize() + len(progress.retries)
        if not progress.exhausted and not progress.stopped and waiting < slice_size:
            _send_slice(connection, dispatch, mapping, lease.lock, progress, slice_size)
        if now >= progress.refresh_at:
            lanes.refresh(dispatch.in_flight + len(progress.retries) if progress.exhausted else None)
            progress.refresh_at = now + _REFRESH_SECONDS
        for answered in dispatch.collect(timeout=_WAIT_SECONDS):
            _take(answered, lanes, progress)
        if progress.stopped:
            _give_up(dispatch, progress)
        idle = not dispatch.in_flight and not progress.retries
        full = len(progress.unsaved) >= _FLUSH_ROWS
        if progress.unsaved and (idle or full or time.monotonic() >= progress.flush_at):
            store.record_outcomes(connection, lease.lock, progress.unsaved)
            progress.unsaved.clear()
        if idle and (progress.exhausted or progress.stopped):
            return


def _send_slice(
    connection: Connection, dispatch: Dispatch, mapping: NetSuiteMapping, held: Lock, progress: _Progress, limit: int
) -> None:
    """Commits the next intents and queues their requests."""
    postings = store.next_to_send(connection, held, limit, progress.last_taken)
    progress.exhausted = len(postings) < limit
    if not postings:
        return
    progress.last_taken = postings[-1].id
    bodies: dict[int, bytes] = {}
    applied: dict[int, dict[str, Decimal]] = {}
    types: dict[int, RecordType] = {}
    contents = {posting.id: posting.document for posting in postings}
    for posting in postings:
        if findings := _unfit(posting, mapping) or _without_its_invoice(posting, progress.given_away):
            store.hold(connection, held, posting.id, findings)
            continue
        if posting.waits:  # it was put into the batch before the source said so
            store.put_back(connection, held, posting.id)
            continue
        # What NetSuite has already is in its amounts: it takes nothing more of them.
        adopted = posting.found and not posting.attempted
        apply = apply_now(posting, dict(progress.still_open) if adopted else progress.still_open, applied)
        bodies[posting.id] = mapping.payload(posting.document, posting.external_id, apply)
        types[posting.id] = RECORD_TYPES[Kind(posting.document.kind)]
    if bodies:
        if progress.unbound:
            bind(connection, progress.unbound, held.run_id)
            progress.unbound = None
        attempts = store.record_intents(connection, held, bodies, applied)
        progress.note(
            # Not sent: the look-up at the end of the run takes over what NetSuite has.
            Outcome(one.id, attempts[one.id], "exists", State.POSTING, detail=_FOUND)
            for one in postings
            if one.id in attempts and one.found and not one.attempted
        )
        known = {outcome.document for outcome in progress.unsaved}
        for document, body in bodies.items():
            if document in known:
                continue
            dispatch.submit(Request(document, attempts[document], types[document], body, contents[document]))


def _unfit(posting: Posting, mapping: NetSuiteMapping) -> list[Finding]:
    """Why a document cannot be sent: an auditor holds it, or the mapping as it is now, which may be newer than its
    staging."""
    if posting.hold:
        return [posting.hold]
    document, policy = posting.document, mapping.policy
    if posting.found and not posting.attempted:
        if document.posting_date:
            message = "NetSuite has it in its own month; the next staging takes it back there."
            return [finding("PERIOD_CLOSED", "document_date", document.document_date, message)]
        policy = replace(policy, closed_through=None)  # it is taken over, and not sent
    findings = validate(document, policy, mapping.check)
    if state_for(document.status, findings) != State.READY:
        return findings
    named = mapping.external_id(document.kind, document.number)
    if named != posting.external_id and not (posting.attempted or posting.found):  # its name is in NetSuite
        message = f"The mapping names it {named}, it was staged as {posting.external_id}; the next staging renames it."
        return [finding("FIELD_UNMAPPED", "number", document.number, message)]
    return []


def _without_its_invoice(posting: Posting, given_away: set[str]) -> list[Finding]:
    """Why a credit memo cannot be applied: NetSuite gave the internal id of its invoice to another transaction."""
    return [
        finding(
            "CREDIT_TARGET_UNKNOWN",
            "applies_to",
            number,
            f"NetSuite's internal id {one.netsuite_id}, under which invoice {number} was posted, is another "
            "transaction by now: was the account refreshed?",
        )
        for number, one in posting.credited.items()
        if one.netsuite_id in given_away
    ]


def _take(answered: Answered, lanes: Lanes, progress: _Progress) -> None:
    """Turns one answer into an outcome to record, and a retry or a stop where it asks for one."""
    request = answered.request
    answer = withheld(answered.answer, request.content)
    if not isinstance(answer, NotSent):
        progress.sent += 1
    progress.landed += isinstance(answer, Landed)
    progress.unknown_in_a_row = progress.unknown_in_a_row + 1 if isinstance(answer, Unknown) else 0
    if isinstance(answer, Retry) and answer.throttled:
        lanes.throttled()
    tries = _TRIES_UNREACHED if isinstance(answer, NotSent) else _TRIES
    again = isinstance(answer, Retry | NotSent | Unauthorized) and request.tries + 1 < tries and not progress.stopped
    if again:
        least = min(answer.retry_after or 0.0, _LONGEST_PAUSE_SECONDS) if isinstance(answer, Retry) else 0.0
        pause = max(least, random.uniform(0.5, 1.0) * min(0.25 * 2**request.tries, 10.0))  # noqa: S311  jitter
        retry = replace(request, tries=request.tries + 1)
        heappush(progress.retries, (time.monotonic() + pause, request.attempt, retry))
    elif reason := reason_to_stop(answer):
        progress.stopped = progress.stopped or reason
    elif reason := sign_of_an_outage(answer, progress.unknown_in_a_row):
        progress.stopped = progress.stopped or reason
        progress.outage = progress.outage or reason
    progress.note([outcome_of(request, answer, answered.seconds, again=again)])


def _last_words(dispatch: Dispatch, lanes: Lanes, progress: _Progress) -> list[Outcome]:
    """What is known of everything on its way when the database is lost: what never left, and the answers to the rest.

    An intent of which nothing is known waits for NetSuite's longest request time; so a few seconds are well spent.
    """
    progress.stopped = progress.stopped or "Our database was lost."
    dispatch.stopping.set()
    _give_up(dispatch, progress)
    deadline = time.monotonic() + _LAST_ANSWERS_SECONDS
    while dispatch.in_flight and time.monotonic() < deadline:
        for answered in dispatch.collect(timeout=_WAIT_SECONDS):
            _take(answered, lanes, progress)
    return progress.unsaved


def _give_up(dispatch: Dispatch, progress: _Progress) -> None:
    """Takes back what no worker has begun: surely not sent."""
    recalled = dispatch.recall() + [request for _, _, request in progress.retries]
    progress.retries.clear()
    progress.unsaved += [
        Outcome(request.document, request.attempt, "not_sent", State.LOCKED, detail="The run stopped before sending.")
        for request in recalled
    ]
