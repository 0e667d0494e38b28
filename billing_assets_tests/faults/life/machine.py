"""The state machine: whatever a clerk, a schedule, an operator, NetSuite and a failing machine may do, in any order."""

import itertools
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar, NamedTuple, TypeVar

import psycopg
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from billing_assets.batches import planning, unlocking
from billing_assets.batches import store as batches
from billing_assets.batches.lease import holding
from billing_assets.batches.store import LockHeldError, StaleLockError
from billing_assets.domain.documents import Document, State
from billing_assets.domain.rules import finding
from billing_assets.netsuite import posting
from billing_assets.netsuite import store as netsuite
from billing_assets.netsuite.store import Outcome
from billing_assets.state.database import Connection, connect
from billing_assets_tests import builders
from billing_assets_tests.builders import CUSTOMER, ITEM, OTHER_CUSTOMER, OTHER_ITEM
from billing_assets_tests.faults.life import invariants
from billing_assets_tests.faults.life.run import Run, start
from billing_assets_tests.faults.life.view import Row, look, look_at_ours, look_here
from billing_assets_tests.faults.life.world import (
    ABSENCE_COUNTS_AFTER_SECONDS,
    OVERLAP_SECONDS,
    SLOWEST_SECONDS,
    CutError,
    World,
)

Thing = TypeVar("Thing")

ANSWERS: dict[str, dict[str, Any] | None] = {
    "landed": None,
    "landed, answer lost": {"fault": "commit_then_drop"},
    "landed, then 500": {"fault": "commit_then_500"},
    "lost before it was saved": {"fault": "drop_without_commit"},
    "500": {"fault": "error_500_without_commit"},
    "gateway's page": {"fault": "html_502"},
    "refused": {"fault": "refuse", "code": "INVALID_CONTENT", "detail": "Invalid Field Value 9999", "path": "entity"},
    "refused in other words": {"fault": "refuse", "code": "USER_ERROR", "detail": "Das geht so nicht."},
    # What follows asks for a repetition or a stop.
    "too busy": {"fault": "refuse_concurrency"},
    "record changed": {"fault": "refuse_record_changed"},
    "login refused": {"fault": "refuse_unauthorized", "next": 2},  # once more with a new token
    "forbidden": {"fault": "refuse_permission"},
    # Saved whenever it pleases NetSuite, long after the client gave up: see `NetSuite finishes a slow request`.
    "slow": {"fault": "drop_without_commit"},
}
QUICK_ANSWERS = list(ANSWERS)[:8]
"""Those after which a whole run does not pause."""
MOST_DOCUMENTS, MOST_RUNS = 8, 4
PICK = st.integers(0, MOST_DOCUMENTS - 1)
CENTS = st.integers(2_000, 9_999)
ANSWER = st.sampled_from(["landed"] * 6 + ["landed, answer lost"] * 2 + ["slow"] * 2 + sorted(ANSWERS))


class Slow(NamedTuple):
    """A request that NetSuite still works on, until `deadline` (our clock) at the latest."""

    record_type: str
    body: bytes
    deadline: datetime


def when(condition: Callable[["LifeOfADocument"], object]) -> Callable[[Any], Any]:
    """A precondition."""
    return precondition(lambda machine: bool(condition(machine)))


class LifeOfADocument(RuleBasedStateMachine):
    """Drives the real code in `world`; after every step everything in `invariants` must hold.

    A rule gathers what comes about equally often, so that most of an example goes into runs and their accidents.
    """

    world: ClassVar[World]

    def __init__(self) -> None:
        super().__init__()
        self.world.reset()
        self.runs: list[Run] = []
        self.slow: list[Slow] = []
        self.seen: set[str] = set()
        self.visible_since: dict[str, datetime] = {}
        self.numbers = itertools.count(500_001)
        self.names = itertools.count(1)
        self.lagging = False
        self.unstaged = False  # something changed at the source since the last staging
        self.last = ""  # the last step
        self.asked = False  # whether it may have changed something in NetSuite
        self.sound = True
        self.view = look(self.world)

    @initialize(
        count=st.integers(1, 4),
        so_far=st.sampled_from(["locked", "planned", "staged", "created"]),
        simplest=st.sampled_from([True] + [False] * 50),
    )
    def first_documents(self, count: int, so_far: str, simplest: bool) -> None:
        """Most lives begin with something to bill that is well on its way."""
        assume(not simplest)  # Hypothesis begins with the simplest choices only: fifty times the same step
        self._begin("begin")
        for number in range(count):
            self._create("invoice", "closed", 4_000 + number, {})
        if so_far != "created":
            self._stage()
        if so_far in {"planned", "locked"}:
            keys = planning.plan(self.world.state, self.world.settings.batches)
            if so_far == "locked":
                self.runs = [start(self.world, key, f"run-{key}", retry_rejected=False) for key in keys]

    # At the source

    @when(lambda m: len(m.view.source) < MOST_DOCUMENTS)
    @rule(
        kind=st.sampled_from(["invoice", "invoice", "credit_memo", "credit"]),
        status=st.sampled_from(["closed", "closed", "closed", "open"]),
        cents=CENTS,
        oddity=st.sampled_from(
            [None, None, None, None, "namesake", "zero", "customer", "total", "late", "adjustment", "target"]
        ),
        pick=PICK,
    )
    def create(self, kind: str, status: str, cents: int, oddity: str | None, pick: int) -> None:
        """A new document, now and then with something wrong. A `credit` is a memo that applies to an invoice."""
        self._begin("create")
        columns: dict[str, Any] = {}
        invoices = [one for one in self.view.source.values() if one.kind == "invoice"]
        if kind == "credit" and invoices:
            invoice = _pick(invoices, pick)
            columns = {"applies_to": invoice.number, "customer_no": invoice.customer}
            cents = cents % 200 + 1
        if kind == "credit":
            kind = "credit_memo"
        if oddity == "namesake" and self.view.source:
            other = _pick(list(self.view.source.values()), pick)
            kind, columns["number"] = other.kind, other.number
        elif oddity == "zero":
            cents = 0
        elif oddity == "customer":
            columns["customer_no"] = "unheard of"
        elif oddity == "total":
            columns["total"] = "77.77"
        elif oddity == "adjustment":
            kind = "adjustment"
        elif oddity == "target":
            columns["applies_to"] = "499999"
        self._create(kind, status, cents, columns, late=oddity == "late")

    @when(lambda m: m.view.source)
    @rule(
        pick=PICK,
        what=st.sampled_from(
            [
                "amount",
                "memo",
                "number",
                "month",
                "customer",
                "line",
                "total",
                "close",
                "close",
                "void",
                "reopen",
                "delete",
            ]
        ),
        cents=CENTS,
    )
    def edit(self, pick: int, what: str, cents: int) -> None:
        """Somebody changes, closes, voids, opens again or deletes a document; nothing tells that they did."""
        self._begin(what if what in {"close", "void", "reopen", "delete"} else "change")
        self.unstaged = True
        source, document = self.world.source, _pick(list(self.view.source.values()), pick)
        columns: dict[str, dict[str, Any]] = {
            "memo": {"memo": f"As of {cents}"},
            "number": {"number": str(next(self.numbers))},
            "month": {"document_date": "2010-12-05" if document.month == "2010-11" else "2010-11-05"},
            "customer": {"customer_no": OTHER_CUSTOMER if document.customer == CUSTOMER else CUSTOMER},
            "total": {"total": document.total + 1},
            "close": {"status": "closed"},
            "void": {"status": "void"},
            "reopen": {"status": "open"},
        }
        if what in columns:
            builders.change_document(source, document.id, **columns[what])
        elif what == "delete":
            builders.delete_document(source, document.id)
        elif what == "line":
            builders.change_line(source, document.id, 1, stock_code=OTHER_ITEM)
        else:
            lines = _lines(document.kind, cents % 200 + 1 if document.applies_to else cents)
            with source.transaction():
                for number, (_, quantity, price, amount) in enumerate(lines, 1):
                    builders.change_line(source, document.id, number, quantity=quantity, price=price, amount=amount)
                total = sum(Decimal(amount) for *_, amount in lines)
                builders.change_document(source, document.id, total=total)

    # Staging and planning

    @when(lambda m: m.unstaged or m.last not in {"stage", "time passes"})
    @rule(twice=st.booleans())
    def stage(self, twice: bool) -> None:
        """A staging; the same again writes nothing."""
        self._begin("stage")
        self._stage()
        if twice:
            before = look_at_ours(self.world)
            self._stage()
            assert look_at_ours(self.world).documents == before.documents, "the same staging twice wrote something"

    @when(lambda m: m.unstaged and m.last != "stage cut off")
    @rule(where=st.sampled_from(["reading", "connection", "commit"]))
    def stage_cut_off(self, where: str) -> None:
        """A staging that dies in its transaction leaves rows and watermark as they were."""
        self._begin("stage cut off")

        def during(_: Document, connection: Connection) -> None:
            if where == "reading":
                raise CutError
            self.world.state.execute("select pg_terminate_backend(%s)", [connection.info.backend_pid])

        try:
            self.world.stage(during=None if where == "commit" else during, fails_to_commit=where == "commit")
        except (CutError, psycopg.OperationalError):
            # The watermark is judged by the invariants: it may not have passed what is not staged.
            after = look_at_ours(self.world)
            assert after.documents == self.view.ours.documents, "a staging that was cut off left rows"
        else:
            self._staged()  # there was nothing to read at which it could be cut off

    @when(lambda m: any(row["state"] == "ready" for row in m.view.ours.documents.values()))
    @rule()
    def plan(self) -> None:
        """The planner: what waits becomes batches."""
        self._plan()

    # Runs

    @when(lambda m: m.view.ours.batches and len(m.runs) < MOST_RUNS)
    @rule(pick=PICK, again=st.booleans(), retry_rejected=st.booleans())
    def lock(self, pick: int, again: bool, retry_rejected: bool) -> None:
        """A run takes a batch, or the run that had it takes it anew: refused while another one's lease is live."""
        undone = [one for one in self.view.ours.batches.values() if one["state"] != "posted"]
        batch = _pick(undone or list(self.view.ours.batches.values()), pick)
        self._lock(batch, again=again, retry_rejected=retry_rejected)

    def _go_on(self, pick: int, answer: str) -> None:
        """What should come next: a run's next step, or, where nobody runs, that of the schedule or the clerk."""
        if self.runs:
            self._run_on(_pick(self.runs, pick), answer)
        elif undone := [key for key, batch in self.view.ours.batches.items() if batch["state"] != "posted"]:
            self._lock(self.view.ours.batches[_pick(undone, pick)], again=False, retry_rejected=True)
        elif any(row["state"] == "ready" for row in self.view.ours.documents.values()):
            self._plan()
        elif self.unstaged:
            self._begin("stage")
            self._stage()
        elif len(self.view.source) < MOST_DOCUMENTS:
            self._begin("create")
            self._create("invoice", "closed", 5_000 + pick, {})
        else:
            self._begin("time passes")
            self._pass(ABSENCE_COUNTS_AFTER_SECONDS)

    # Several times, that it comes as often as everything that gets in its way.
    @rule(pick=PICK, answer=ANSWER)
    def go_on(self, pick: int, answer: str) -> None:
        """See above."""
        self._go_on(pick, answer)

    @rule(pick=PICK, answer=ANSWER)
    def go_on_further(self, pick: int, answer: str) -> None:
        """See above."""
        self._go_on(pick, answer)

    @rule(pick=PICK, answer=ANSWER)
    def and_further(self, pick: int, answer: str) -> None:
        """See above."""
        self._go_on(pick, answer)

    @rule(pick=PICK, answer=ANSWER)
    def and_on(self, pick: int, answer: str) -> None:
        """See above."""
        self._go_on(pick, answer)

    @when(lambda m: m.runs)
    @rule(pick=PICK, what=st.sampled_from(["settle", "intend", "write", "renew", "kill"]))
    def out_of_turn(self, pick: int, what: str) -> None:
        """A run does something else, or dies."""
        run = _pick(self.runs, pick)
        if what == "kill" or (what == "settle" and (run.has_requests or run.has_answers)):
            self._begin("kill")  # a run in the middle of sending does not look up; let it die instead
            self._forget(run)
        elif what == "renew":
            self._begin("renew")
            self._act(run, run.renew)
        else:
            {"settle": self._settle, "intend": self._intend, "write": self._write}[what](run)

    @when(lambda m: any(not run.has_requests and not run.has_answers for run in m.runs))
    @rule(
        pick=PICK,
        answers=st.lists(st.sampled_from(QUICK_ANSWERS), max_size=3),
        dies_in=st.sampled_from([None, None, 0, 1, 2]),
        sends=st.booleans(),
    )
    def post_all(self, pick: int, answers: list[str], dies_in: int | None, sends: bool) -> None:
        """A run does all that is left with its threads, and dies on the way, or not."""
        self._begin("post all")
        self.asked = True
        run = _pick([run for run in self.runs if not run.has_requests and not run.has_answers], pick)
        if faults := [{"next": 1} | fault for answer in answers if (fault := ANSWERS[answer])]:
            self.world.switch(faults=faults)
        done = all(row["state"] == "posted" for row in self.view.of_batch(run.key))

        def renew_and_post() -> None:
            run.renew()
            run.post_all(dies_in, sends_before_it_dies=sends)

        if self._act(run, renew_and_post, reads_back=True):
            self._forget(run)
        if faults:
            self.world.switch(faults=[])
        if done:
            received = self.world.admin("summary")["posts"]["received"]
            assert received == self.view.posts["received"], "a finished batch was sent again"

    @when(lambda m: m.stale_runs())
    @rule(pick=PICK, what=st.sampled_from(["outcomes", "intents", "hold", "renew", "release"]))
    def a_stale_run_writes_late(self, pick: int, what: str) -> None:
        """Whatever a run writes that lost its batch, it is told so and changes nothing."""
        self._begin("late write")
        run = _pick(self.stale_runs(), pick)
        rows = [row for row in self.view.of_batch(run.key) if row["state"] != "posted"]
        writes: dict[str, Callable[[], object]] = {
            "outcomes": lambda: self._claim_all_landed(run, rows),
            "intents": lambda: netsuite.record_intents(run.connection, run.lease.lock, _hashes(rows)),
            "hold": lambda: netsuite.hold(
                run.connection, run.lease.lock, rows[0]["id"], [finding("FIELD_UNMAPPED", "number", "", "Late.")]
            ),
            "renew": lambda: batches.renew(run.connection, run.lease.lock, 30),
            "release": lambda: batches.release(run.connection, run.lease.lock, ABSENCE_COUNTS_AFTER_SECONDS),
        }
        if not rows and what in {"outcomes", "intents", "hold"}:
            return
        try:
            writes[what]()
        except StaleLockError:
            told = True
        else:
            told = False
        assert look_at_ours(self.world) == self.view.ours, f"a stale run's late write changed something ({what})"
        assert told, f"a stale run was not told so when it wrote ({what})"

    # Operators, NetSuite, time

    @when(lambda m: m.view.ours.batches)
    @rule(pick=PICK, what=st.sampled_from(["unlock", "unlock stale", "requeue", "requeue all"]))
    def operator(self, pick: int, what: str) -> None:
        """Somebody unlocks a batch, its run alive or not; the schedule gives back what dead runs hold; a requeue."""
        state, after = self.world.state, ABSENCE_COUNTS_AFTER_SECONDS
        rejected = [row["number"] for row in self.view.ours.documents.values() if row["state"] == "rejected"]
        if what.startswith("requeue") and not rejected:
            what = "unlock stale"
        self._begin(what)
        if what == "unlock":
            unlocking.unlock(state, _pick(list(self.view.ours.batches), pick), after)
        elif what == "unlock stale":
            unlocking.unlock_stale(state, self.world.settings.batches.stale_lock_minutes, after)
        else:
            unlocking.requeue(state, None if what == "requeue all" else [_pick(rejected, pick)], after)

    @when(lambda m: m.slow)
    @rule(pick=PICK)
    def netsuite_saves_late(self, pick: int) -> None:
        """NetSuite saves a request of which its client has heard nothing for a while."""
        self._begin("slow commit")
        self._land(_pick(self.slow, pick))

    @when(lambda m: not m.lagging and m.all_read_back())
    @rule()
    def netsuite_lags(self) -> None:
        """SuiteQL does not show what is saved from now on, for a while; nor, here, what it has shown to all who ask."""
        self._begin("lag")
        self.lagging = True
        self.world.switch(suiteql_lag_seconds=3_600)

    @when(lambda m: m.last != "time passes")
    @rule(seconds=st.sampled_from([5, 31, 90, 400, ABSENCE_COUNTS_AFTER_SECONDS + 1]))
    def time_passes(self, seconds: float) -> None:
        """Leases end, absences begin to count, NetSuite comes to an end with slow requests."""
        self._begin("time passes")
        self._pass(seconds)

    # After every step, and at the end

    @invariant()
    def everything_holds(self) -> None:
        """DESIGN §5."""
        now = look(self.world) if self.asked else look_here(self.world, self.view)
        self.asked = False
        invariants.check(self.view, now, self.seen, self.visible_since)
        self.view = now
        self.sound = True

    def teardown(self) -> None:
        """Heals everything, runs on until nothing is left to do, and counts."""
        for run in self.runs:
            run.die()
        self.world.tally["examples"] += 1
        if self.sound:
            self._heal()

    # What the steps are made of

    def _run_on(self, run: Run, answer: str) -> None:
        if run.has_requests:
            self._send(run, answer)
        elif run.has_answers:
            self._write(run)
        elif not run.settled:
            self._settle(run)
        elif not run.progress.exhausted and not run.progress.stopped:
            self._intend(run)
        else:
            self._finish(run)

    def _plan(self) -> None:
        self._begin("plan")
        made = planning.plan(self.world.state, self.world.settings.batches)
        after = look_at_ours(self.world)
        posted = {row["number"] for row in after.documents.values() if row["state"] == "posted"}
        for row in after.documents.values():
            if row["batch"] in made:
                assert row["state"] == "batched"
                waits = row["kind"] == "credit_memo" and row["applies_to"]
                assert not waits or row["applies_to"] in posted, "a credit memo did not wait for its invoice"

    def _lock(self, batch: Row, *, again: bool, retry_rejected: bool) -> None:
        self._begin("lock")
        run_id = batch["run_id"] if again and batch["run_id"] else f"run-{next(self.names)}"
        live = batch["locked_until"] and batch["locked_until"] >= self.view.now and batch["run_id"] != run_id
        try:
            run = start(self.world, batch["partition_key"], run_id, retry_rejected=retry_rejected)
        except LockHeldError:
            assert live, "a batch was refused that nobody holds"
            return
        self.runs.append(run)
        assert not live, f"batch {run.key} was given to {run_id} while {batch['run_id']} held it"

    def _begin(self, name: str) -> None:
        """Counts a step; until the invariants were checked after it, nothing is known to hold."""
        self.sound = False
        self.last = name
        self.world.tally[name] += 1

    def _settle(self, run: Run) -> None:
        """A run looks up what is open."""
        self._begin("settle")
        self._act(run, run.settle)

    def _intend(self, run: Run) -> None:
        """A run commits the intents of its next documents."""
        self._begin("intend")
        self._act(run, run.intend)

    def _send(self, run: Run, answer: str) -> None:
        """A run sends one request and keeps the answer in its memory."""
        self._begin(f"send: {answer}")
        if fault := ANSWERS[answer]:
            self.world.switch(faults=[{"next": 1} | fault])
        self.asked, ended = True, run.lease_ended
        request, left = run.send()
        assert not (left and ended), "a run sent something after its lease had ended"
        if left and answer == "slow":
            deadline = self.view.now + timedelta(seconds=SLOWEST_SECONDS)
            self.slow.append(Slow(request.record_type, request.body, deadline))
        if fault and not left:
            self.world.switch(faults=[])

    def _write(self, run: Run) -> None:
        """A run writes down what it was answered, however late it is."""
        self._begin("write")
        self._act(run, run.write)

    def _finish(self, run: Run) -> None:
        """A run that has nothing left to send looks up, reads back and lets go."""
        self._begin("finish")
        if self._act(run, run.finish, reads_back=True):
            self._forget(run)

    def stale_runs(self) -> list[Run]:
        """Runs that lost their batch and do not know it."""
        return [run for run in self.runs if run.is_stale(self.view)]

    def all_read_back(self) -> bool:
        """Whether nobody will ask for what is in NetSuite by now."""
        read = {row["external_id"] for row in self.view.ours.documents.values() if row["read_back_at"]}
        return all(record["externalId"] in read for record in self.view.records)

    def _create(self, kind: str, status: str, cents: int, columns: dict[str, Any], *, late: bool = False) -> None:
        now = self.world.source_now()
        number = columns.pop("number", None) or str(next(self.numbers))
        created_at = now - timedelta(seconds=OVERLAP_SECONDS - 20) if late else now
        columns = {"created_at": created_at} | columns
        key = builders.insert_document(
            self.world.source, number, kind=kind, status=status, lines=_lines(kind, cents), **columns
        )
        self.visible_since[key] = now
        self.unstaged = True

    def _stage(self) -> None:
        self.world.stage()
        self._staged()

    def _staged(self) -> None:
        now = look_here(self.world, self.view)
        self.seen |= now.source.keys()
        self.unstaged = False
        invariants.staged_as_the_source_says(now)

    def _act(self, run: Run, action: Callable[[], None], *, reads_back: bool = False) -> bool:
        """Lets a run act. One that is stale changes nothing, and stops when it finds out. Whether it lives."""
        stale = run.is_stale(self.view)
        try:
            action()
        except StaleLockError:
            assert stale, "a run was told that it lost its batch, and it had not"
            self._forget(run)
        if stale:
            # What is posted may be read back by anybody: that it is there does not depend on who sent it.
            kept = invariants.without_read_back if reads_back else (lambda ours: ours)
            assert kept(look_at_ours(self.world)) == kept(self.view.ours), "a stale run changed something"
        return run in self.runs

    def _forget(self, run: Run) -> None:
        run.die()
        self.runs.remove(run)

    def _claim_all_landed(self, run: Run, rows: list[Row]) -> None:
        attempts = {attempt["document"]: attempt["id"] for attempt in self.view.ours.attempts}
        outcomes = [
            Outcome(row["id"], attempts.get(row["id"], 0), "landed", State.POSTED, netsuite_id="999999") for row in rows
        ]
        netsuite.record_outcomes(run.connection, run.lease.lock, outcomes)

    def _land(self, slow: Slow) -> None:
        self.asked = True
        self.slow.remove(slow)
        status = self.world.post_directly(slow.record_type, slow.body)
        assert status == 204, f"a slow request was refused with {status}: a document was sent again too early"

    def _pass(self, seconds: float) -> None:
        """Time passes; before it is over, NetSuite has saved what it was to save, and shows it."""
        then = self.view.now + timedelta(seconds=seconds)
        if self.lagging and seconds >= 30:
            self.world.switch(suiteql_lag_seconds=0)
            self.lagging = False
        for slow in [one for one in self.slow if one.deadline <= then]:
            self._land(slow)
        self.world.pass_time(seconds)
        for run in self.runs:
            run.lease.valid_until -= seconds

    def _heal(self) -> None:
        self.runs.clear()
        for _ in range(12):
            self._pass(ABSENCE_COUNTS_AFTER_SECONDS + 1)
            self._stage()
            unlocking.requeue(self.world.state, None, ABSENCE_COUNTS_AFTER_SECONDS)
            made = planning.plan(self.world.state, self.world.settings.batches)
            wanted = planning.runs_wanted(self.world.state, [])
            for one in wanted:
                self._run(one.partition_key)
            self.everything_holds()
            if not made and not wanted:
                break
        self.asked = True
        self.everything_holds()
        invariants.all_is_done(self.view)

    def _run(self, key: str) -> None:
        """One run as the sensor asks for it."""
        world, self.asked = self.world, True
        with (
            connect(world.url) as connection,
            holding(
                world.url, connection, key, f"run-{next(self.names)}", world.settings, retry_rejected=False
            ) as lease,
        ):
            posting.post_batch(connection, world.client, world.lanes, builders.shipped_mapping(), lease, world.settings)


def machine_in(world: World) -> type[LifeOfADocument]:
    """The machine for one world."""
    return type("LifeOfADocument", (LifeOfADocument,), {"world": world})


def _pick(things: Sequence[Thing], index: int) -> Thing:
    return things[index % len(things)]


def _lines(kind: str, cents: int) -> list[builders.LineValues]:
    """Two lines that add up, of the kind's sign."""
    sign = -1 if kind == "credit_memo" else 1
    amounts = [Decimal(cents - cents // 3).scaleb(-2), Decimal(cents // 3).scaleb(-2)]
    return [(ITEM, str(sign), str(amount), str(sign * amount)) for amount in amounts]


def _hashes(rows: list[Row]) -> dict[int, bytes]:
    return {row["id"]: bytes(32) for row in rows}
