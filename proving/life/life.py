"""One life: what happens in a world, with what a model must remember of it to judge whether all is well.

The real code does the work; a step only says which, when, and with what accident.
"""

import itertools
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

import psycopg

from billing_assets.decisions.store import Subject, recorder
from billing_assets.erp import bindings
from billing_assets.erp.batches import planning, unlocking
from billing_assets.erp.batches.ledger import DOCUMENTS, lease_policy
from billing_assets.erp.documents.documents import Document, Kind
from billing_assets.erp.documents.rules import finding
from billing_assets.erp.netsuite import wire
from billing_assets.erp.netsuite.mapping import RECORD_TYPES, NetSuiteMapping
from billing_assets.erp.netsuite.sink import netsuite_sink, run_policy
from billing_assets.erp.staging import verbs
from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.foundation.runtime import BoundElsewhereError
from billing_assets.operations.retention.archive import archive_documents
from billing_assets.operations.retention.settings import RetentionSettings
from billing_assets.posting import attempts as attempts_of
from billing_assets.posting import locks
from billing_assets.posting.attempts import Intent, Outcome
from billing_assets.posting.lease import holding
from billing_assets.posting.locks import LockHeldError, StaleLockError
from billing_assets.posting.run import post_batch
from billing_assets.posting.states import ItemState
from proving.life import clerk, invariants
from proving.life.answers import ANSWERS
from proving.life.run import Run, start
from proving.life.view import Row, SourceDocument, look, look_at_ours, look_here
from proving.life.world import (
    ABSENCE_COUNTS_AFTER_SECONDS,
    LAG_SECONDS,
    LEASE_SECONDS,
    SLOWEST_SECONDS,
    CutError,
    World,
)

_ROUNDS = 12


class Slow(NamedTuple):
    """A request that NetSuite still works on, until `deadline` (our clock) at the latest."""

    record_type: str
    body: bytes
    deadline: datetime


class Life:
    """What happened so far. `view` is how both sides stood after the last step; `check` ends a step."""

    def __init__(self, world: World) -> None:
        world.reset()
        self.world = world
        self.runs: list[Run] = []
        self.slow: list[Slow] = []
        self.seen: set[str] = set()  # ids that a staging has read
        self.visible_since: dict[str, datetime] = {}
        self.unstaged = False  # something changed at the source since the last staging
        self.lagging = False  # SuiteQL does not show what is new
        self.last = ""  # the last step
        self.sound = True  # no step was taken since the last check
        self._asked = False  # a step may have changed something in NetSuite
        self._numbers = itertools.count(500_001)
        self._names = itertools.count(1)
        self.view = look(world)

    def begin(self, name: str) -> None:
        """Counts a step."""
        self.sound = False
        self.last = name
        self.world.tally[name] += 1

    def check(self) -> None:
        """DESIGN §5, after a step."""
        now = look(self.world) if self._asked else look_here(self.world, self.view)
        self._asked = False
        invariants.check(self.view, now, self.seen, self.visible_since)
        self.view = now
        self.sound = True

    # At the source

    def create(
        self, kind: str, status: str, cents: int, oddity: str | None = None, other: SourceDocument | None = None
    ) -> None:
        """A new document."""
        self.begin("create")
        now = self.world.source_now()
        key = clerk.create(self.world, str(next(self._numbers)), kind, status, cents, oddity, other)
        self.visible_since[key] = now
        self.unstaged = True

    def edit(self, document: SourceDocument, what: str, cents: int) -> None:
        """Somebody changes a document."""
        self.begin(what if what in {"close", "void", "reopen", "delete"} else "change")
        clerk.edit(self.world, document, what, cents, str(next(self._numbers)))
        self.unstaged = True

    # Staging and planning

    def stage(self, *, twice: bool = False) -> None:
        """A staging; the same again writes nothing."""
        self.begin("stage")
        self.world.stage()
        self._staged()
        if twice:
            before = look_at_ours(self.world)
            self.world.stage()
            assert look_at_ours(self.world).documents == before.documents, "the same staging twice wrote something"

    def stage_cut_off(self, where: str) -> None:
        """A staging that dies in its transaction leaves rows and watermark as they were."""
        self.begin(f"stage cut off: {where}")

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

    def _staged(self) -> None:
        now = look_here(self.world, self.view)
        self.seen |= now.source.keys()
        self.unstaged = False
        invariants.staged_as_the_source_says(now)

    def plan(self) -> list[str]:
        """The planner: what waits becomes batches. Their keys."""
        self.begin("plan")
        made = planning.plan(self.world.state, self.world.settings.batches)
        after = look_at_ours(self.world)
        posted = {row["number"] for row in after.documents.values() if row["state"] == "posted"}
        for row in after.documents.values():
            if row["batch"] in made:
                assert row["state"] == "batched"
                waits = row["kind"] == "credit_memo" and row["applies_to"]
                assert not waits or row["applies_to"] in posted, "a credit memo did not wait for its invoice"
        return made

    # Runs

    def lock(self, key: str, *, again: bool = False, retry_rejected: bool = True) -> None:
        """A run takes a batch, or the run that had it takes it anew: refused while another one's lease is live."""
        self.begin("lock")
        batch = look_at_ours(self.world).batches[key]
        run_id = batch["run_id"] if again and batch["run_id"] else f"run-{next(self._names)}"
        live = batch["locked_until"] and batch["locked_until"] >= self.view.now and batch["run_id"] != run_id
        try:
            run = start(self.world, key, run_id, retry_rejected=retry_rejected)
        except LockHeldError:
            assert live, "a batch was refused that nobody holds"
            return
        self.runs.append(run)
        assert not live, f"batch {run.key} was given to {run_id} while {batch['run_id']} held it"

    def run_on(self, run: Run, answer: str) -> None:
        """A run does what comes next."""
        if run.has_requests:
            self.send(run, answer)
        elif run.has_answers:
            self.write(run)
        elif not run.settled and any(row["state"] == "posting" for row in self.view.of_batch(run.key)):
            self.settle(run)
        elif not run.sending.exhausted and not run.sending.stopped:
            self.intend(run)
        else:
            self.finish(run)

    def settle(self, run: Run) -> None:
        """A run looks up what is open."""
        self.begin("settle")
        self._act(run, run.settle)

    def intend(self, run: Run) -> None:
        """A run commits the intents of its next documents."""
        self.begin("intend")
        self._act(run, run.intend)

    def send(self, run: Run, answer: str) -> None:
        """A run sends one request and keeps the answer in its memory."""
        self.begin(f"send: {answer}")
        if fault := ANSWERS[answer]:
            self.world.switch(faults=[{"next": 1} | fault])
        self._asked, ended = True, run.lease_ended
        request, left = run.send()
        assert not (left and ended), "a run sent something after its lease had ended"
        if left and answer == "slow":
            deadline = self.view.now + timedelta(seconds=SLOWEST_SECONDS)
            self.slow.append(Slow(RECORD_TYPES[Kind(request.item.document.kind)], request.body, deadline))
        if fault and not left:
            self.world.switch(faults=[])

    def write(self, run: Run) -> None:
        """A run writes down what it was answered, however late it is."""
        self.begin("write")
        self._act(run, run.write)

    def renew(self, run: Run) -> None:
        """A run renews its lease."""
        self.begin("renew")
        self._act(run, run.renew)

    def finish(self, run: Run) -> None:
        """A run that has nothing left to send looks up, reads back and lets go."""
        self.begin("finish")
        if self._act(run, run.finish, reads_back=True):
            self._forget(run)

    def post_all(self, run: Run, answers: list[str], dies_in: int | None, *, sends: bool) -> None:
        """A run does all that is left with its threads, and dies in its n-th request, before or after, or not."""
        self.begin("post all" if dies_in is None else "post all, and die")
        self._asked = True
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

    def kill(self, run: Run) -> None:
        """A run's process dies between two of its steps."""
        self.begin("kill")
        self._forget(run)

    def stale_runs(self) -> list[Run]:
        """Runs that lost their batch and do not know it."""
        return [run for run in self.runs if run.is_stale(self.view)]

    def late_write(self, run: Run, what: str) -> None:
        """Whatever a run writes that lost its batch, it is told so and changes nothing."""
        self.begin("late write")
        held, rows = run.lease.lock, [row for row in self.view.of_batch(run.key) if row["state"] != "posted"]
        late = [finding("FIELD_UNMAPPED", "number", "", "Late.")]
        writes: dict[str, Callable[[], object]] = {
            "outcomes": lambda: attempts_of.record_outcomes(run.connection, held, self._all_landed(rows)),
            "intents": lambda: attempts_of.record_intents(
                run.connection, held, dict.fromkeys((row["id"] for row in rows), Intent(b"{}"))
            ),
            "hold": lambda: verbs.hold(run.connection, held, {rows[0]["id"]: late}),
            "renew": lambda: locks.renew(run.connection, held, LEASE_SECONDS),
            "release": lambda: locks.release(run.connection, held, ABSENCE_COUNTS_AFTER_SECONDS),
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

    def _all_landed(self, rows: list[Row]) -> list[Outcome]:
        attempts = {attempt["document"]: attempt["id"] for attempt in self.view.ours.attempts}
        return [
            Outcome(row["id"], attempts.get(row["id"], 0), "landed", ItemState.POSTED, remote_id="999999")
            for row in rows
        ]

    def _act(self, run: Run, action: Callable[[], None], *, reads_back: bool = False) -> bool:
        """Lets a run act. One that is stale changes nothing, and stops when it finds out. Whether it lives."""
        stale = run.is_stale(self.view)
        try:
            action()
        except StaleLockError:
            assert stale, "a run was told that it lost its batch, and it had not"
            self._forget(run)
        except BoundElsewhereError:
            assert run.mapping is not self.world.mapping, "a run was told that its prefixes are not ours, and they were"
            self._forget(run)
        if stale:
            # What is posted may be read back by anybody: that it is there does not depend on who sent it.
            kept = invariants.without_read_back if reads_back else (lambda ours: ours)
            assert kept(look_at_ours(self.world)) == kept(self.view.ours), "a stale run changed something"
        return run in self.runs

    def _forget(self, run: Run) -> None:
        run.die()
        self.runs.remove(run)

    # Operators, NetSuite, time

    def unlock(self, key: str) -> None:
        """An operator unlocks a batch, its run alive or not."""
        self.begin("unlock")
        unlocking.unlock(self.world.state, key, ABSENCE_COUNTS_AFTER_SECONDS)

    def unlock_stale(self) -> None:
        """The schedule gives back what dead runs hold."""
        self.begin("unlock stale")
        minutes = self.world.settings.batches.stale_lock_minutes
        unlocking.unlock_stale(self.world.state, minutes, ABSENCE_COUNTS_AFTER_SECONDS)

    def requeue(self, numbers: list[str] | None) -> None:
        """Rejected documents go back to the backlog."""
        self.begin("requeue")
        unlocking.requeue(self.world.state, numbers, ABSENCE_COUNTS_AFTER_SECONDS)

    def change_mapping(self) -> None:
        """Somebody edits the mapping, prefixes included, and decides so where that is allowed; stagings and runs that
        begin from now on go by it."""
        self.begin("mapping changes")
        first, other = self.world.mappings
        self._take_mapping(other if self.world.mapping is first else first)

    def _take_mapping(self, mapping: NetSuiteMapping) -> None:
        named = wire.named(self.world.settings, mapping.file.external_id.by_kind())
        try:
            decide = recorder(self.world.state, Subject.BINDING, "a clerk", "new numbering")
            bindings.move(self.world.state, bindings.Subject.PREFIX, named, decide)
        except bindings.MoveRefusedError:
            assert any(row["state"] in {"locked", "posting"} for row in self.view.ours.documents.values())
        else:
            self.world.mapping = mapping

    def archive(self) -> None:
        """The log of what is posted, read back and equal moves aside."""
        self.begin("archive")
        archive_documents(self.world.state, RetentionSettings.model_construct(attempts_days=0), chunk=2)

    def save_late(self, slow: Slow) -> None:
        """NetSuite saves a request of which its client has heard nothing for a while."""
        self.begin("slow commit")
        self._land(slow)

    def lag(self) -> None:
        """SuiteQL does not show what is saved from now on, for a while."""
        self.begin("lag")
        self.lagging = True
        self.world.switch(suiteql_lag_seconds=3_600)

    def all_read_back(self) -> bool:
        """Whether nobody will ask for what is in NetSuite by now: the sandbox's lag would hide it anew."""
        read = {row["external_id"] for row in self.view.ours.documents.values() if row["read_back_at"]}
        return all(record["externalId"] in read for record in self.view.records)

    def pass_time(self, seconds: float) -> None:
        """Time passes; before it is over, NetSuite has saved what it was to save, and shows it."""
        self.begin("time passes")
        then = self.view.now + timedelta(seconds=seconds)
        if self.lagging and seconds >= LAG_SECONDS:
            self.world.switch(suiteql_lag_seconds=0)
            self.lagging = False
        for slow in [one for one in self.slow if one.deadline <= then]:
            self._land(slow)
        self.world.pass_time(seconds)
        for run in self.runs:
            run.lease.valid_until -= seconds

    def _land(self, slow: Slow) -> None:
        self._asked = True
        self.slow.remove(slow)
        status = self.world.post_directly(slow.record_type, slow.body)
        assert status == 204, f"a slow request was refused with {status}: a document was sent again too early"

    # The end

    def end(self) -> None:
        """All runs die; unless something is wrong already, everything is healed, runs on to its end, and is counted."""
        for run in self.runs:
            run.die()
        self.runs.clear()
        if not self.last:
            return  # it never began
        self.world.tally["lives"] += 1
        if not self.sound:
            return
        for number in range(_ROUNDS):
            self._take_mapping(self.world.mappings[0])
            self.pass_time(ABSENCE_COUNTS_AFTER_SECONDS + 1)
            self.stage()
            if number < 2:  # one whose cause is not fixed is refused again
                self.requeue(None)
            made = self.plan()
            wanted = planning.runs_wanted(self.world.state, {})
            for one in wanted:
                self._run(one.partition_key)
            self.check()
            if not made and not wanted and self.world.mapping is self.world.mappings[0]:
                break
        self._asked = True
        self.check()
        invariants.all_is_done(self.view)

    def _run(self, key: str) -> None:
        """One run as the sensor asks for it."""
        self.begin("run")
        world, self._asked = self.world, True
        name, settings = f"run-{next(self._names)}", self.world.settings
        with (
            connect(world.state_url) as connection,
            holding(
                world.state_url, connection, DOCUMENTS, key, name, lease_policy(settings), retry_rejected=False
            ) as lease,
        ):
            sink = netsuite_sink(world.client, world.mapping, settings)
            post_batch(connection, sink, world.lanes, lease, run_policy(settings))
