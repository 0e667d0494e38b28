"""The state machine: whatever a clerk, a schedule, an operator, NetSuite and a failing machine may do, in any order."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeVar

from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from proving.life.answers import ANSWERS, QUICK_ANSWERS
from proving.life.clerk import EDITS, ODDITIES
from proving.life.life import Life
from proving.life.world import ABSENCE_COUNTS_AFTER_SECONDS, World

MOST_DOCUMENTS, MOST_RUNS = 8, 4

_PICK = st.integers(0, MOST_DOCUMENTS - 1)
_CENTS = st.integers(2_000, 9_999)
_ANSWER = st.sampled_from(["landed"] * 6 + ["landed, answer lost"] * 2 + ["slow"] * 2 + sorted(ANSWERS))
_SECONDS = st.sampled_from([5, 31, 90, 400, ABSENCE_COUNTS_AFTER_SECONDS + 1])

Thing = TypeVar("Thing")


def when(condition: Callable[[Life], object]) -> Callable[[Any], Any]:
    """A precondition."""
    return precondition(lambda machine: bool(condition(machine.life)))


def _going_on(number: int) -> Any:
    def go_on(self: "LifeOfADocument", pick: int, answer: str) -> None:
        self.go_on(pick, answer)

    go_on.__name__ = f"go_on_{number}"
    return rule(pick=_PICK, answer=_ANSWER)(go_on)


class LifeOfADocument(RuleBasedStateMachine):
    """Drives the real code in `world`; after every step everything in `invariants` must hold.

    A rule gathers what comes about equally often, so that most of a life goes into runs and their accidents.
    """

    world: ClassVar[World]

    def __init__(self) -> None:
        super().__init__()
        self.life = Life(self.world)

    @initialize(
        count=st.integers(1, 4),
        so_far=st.sampled_from(["locked", "planned", "staged", "created"]),
        simplest=st.sampled_from([True] + [False] * 50),
    )
    def first_documents(self, count: int, so_far: str, simplest: bool) -> None:
        """Most lives begin with something to bill that is on its way."""
        assume(not simplest)  # Hypothesis begins with the simplest choices only: fifty times the same step
        for number in range(count):
            self.life.create("invoice", "closed", 4_000 + number)
        if so_far != "created":
            self.life.stage()
        if so_far in {"planned", "locked"}:
            for key in self.life.plan():
                if so_far == "locked":
                    self.life.lock(key)

    @invariant()
    def everything_holds(self) -> None:
        """DESIGN §5."""
        self.life.check()

    def teardown(self) -> None:
        """Heals everything and counts."""
        self.life.end()

    # At the source

    @when(lambda life: len(life.view.source) < MOST_DOCUMENTS)
    @rule(
        kind=st.sampled_from(["invoice", "invoice", "credit_memo", "credit", "credit"]),
        status=st.sampled_from(["closed", "closed", "closed", "open"]),
        cents=_CENTS,
        oddity=st.sampled_from([*[None] * len(ODDITIES), *ODDITIES]),
        pick=_PICK,
    )
    def create(self, kind: str, status: str, cents: int, oddity: str | None, pick: int) -> None:
        """A new document, now and then with something wrong."""
        others = list(self.life.view.source.values())
        if kind == "credit":
            others = [one for one in others if one.kind == "invoice"]
        self.life.create(kind, status, cents, oddity, _pick(others, pick) if others else None)

    @when(lambda life: life.view.source)
    @rule(pick=_PICK, what=st.sampled_from(EDITS), cents=_CENTS)
    def edit(self, pick: int, what: str, cents: int) -> None:
        """Somebody changes, closes, voids, opens again or deletes a document."""
        self.life.edit(_pick(list(self.life.view.source.values()), pick), what, cents)

    # Staging and planning

    @when(lambda life: life.unstaged or life.last not in {"stage", "time passes"})
    @rule(twice=st.booleans())
    def stage(self, twice: bool) -> None:
        """A staging."""
        self.life.stage(twice=twice)

    @when(lambda life: life.unstaged and not life.last.startswith("stage cut off"))
    @rule(where=st.sampled_from(["reading", "connection", "commit"]))
    def stage_cut_off(self, where: str) -> None:
        """A staging that dies in its transaction."""
        self.life.stage_cut_off(where)

    @when(lambda life: any(row["state"] == "ready" for row in life.view.ours.documents.values()))
    @rule()
    def plan(self) -> None:
        """The planner."""
        self.life.plan()

    # What should come next, under several names: as often as everything that gets in its way.
    go_on_1, go_on_2, go_on_3, go_on_4, go_on_5, go_on_6 = map(_going_on, range(1, 7))

    def go_on(self, pick: int, answer: str) -> None:
        """A run's next step, or, where nobody runs, that of the schedule or the clerk."""
        life = self.life
        if life.runs:
            life.run_on(_pick(life.runs, pick), answer)
        elif undone := _undone(life):
            life.lock(_pick(undone, pick))
        elif any(row["state"] == "ready" for row in life.view.ours.documents.values()):
            life.plan()
        elif life.unstaged:
            life.stage()
        elif len(life.view.source) < MOST_DOCUMENTS:
            life.create("invoice", "closed", 5_000 + pick)
        else:
            life.pass_time(ABSENCE_COUNTS_AFTER_SECONDS + 1)

    # Runs

    @when(lambda life: life.view.ours.batches and len(life.runs) < MOST_RUNS)
    @rule(pick=_PICK, again=st.booleans(), retry_rejected=st.booleans())
    def lock(self, pick: int, again: bool, retry_rejected: bool) -> None:
        """One more run wants a batch, or the one that had it wants it anew."""
        keys = _undone(self.life) or list(self.life.view.ours.batches)
        self.life.lock(_pick(keys, pick), again=again, retry_rejected=retry_rejected)

    @when(lambda life: life.runs)
    @rule(pick=_PICK, what=st.sampled_from(["settle", "intend", "write", "renew", "kill"]))
    def out_of_turn(self, pick: int, what: str) -> None:
        """A run does something else, or dies."""
        run = _pick(self.life.runs, pick)
        if what == "settle" and (run.has_requests or run.has_answers):
            what = "kill"  # in the middle of sending no run looks up
        getattr(self.life, what)(run)

    @when(lambda life: any(run.is_between_sendings for run in life.runs))
    @rule(
        pick=_PICK,
        answers=st.lists(st.sampled_from(QUICK_ANSWERS), max_size=3),
        dies_in=st.sampled_from([None, None, 0, 1, 2]),
        sends=st.booleans(),
    )
    def post_all(self, pick: int, answers: list[str], dies_in: int | None, sends: bool) -> None:
        """A run does all that is left with its threads, and dies on the way, or not."""
        run = _pick([run for run in self.life.runs if run.is_between_sendings], pick)
        self.life.post_all(run, answers, dies_in, sends=sends)

    @when(lambda life: life.stale_runs())
    @rule(pick=_PICK, what=st.sampled_from(["outcomes", "intents", "hold", "renew", "release"]))
    def a_stale_run_writes_late(self, pick: int, what: str) -> None:
        """A run that lost its batch writes as if it had it."""
        self.life.late_write(_pick(self.life.stale_runs(), pick), what)

    # Operators, NetSuite, time

    @when(lambda life: life.view.ours.batches)
    @rule(pick=_PICK, what=st.sampled_from(["unlock", "unlock stale", "requeue", "requeue all", "mapping", "archive"]))
    def operator(self, pick: int, what: str) -> None:
        """Somebody unlocks, requeues or edits the mapping, or the schedule gives back what is stale."""
        life = self.life
        rejected = [row["number"] for row in life.view.ours.documents.values() if row["state"] == "rejected"]
        if what == "unlock":
            life.unlock(_pick(list(life.view.ours.batches), pick))
        elif what == "mapping":
            life.change_mapping()
        elif what == "archive":
            life.archive()
        elif what == "unlock stale" or not rejected:
            life.unlock_stale()
        else:
            life.requeue(None if what == "requeue all" else [_pick(rejected, pick)])

    @when(lambda life: life.slow)
    @rule(pick=_PICK)
    def netsuite_saves_late(self, pick: int) -> None:
        """NetSuite comes to a request that its client has long given up."""
        self.life.save_late(_pick(self.life.slow, pick))

    @when(lambda life: not life.lagging and life.all_read_back())
    @rule()
    def netsuite_lags(self) -> None:
        """SuiteQL shows nothing new for a while."""
        self.life.lag()

    @when(lambda life: life.last != "time passes")
    @rule(seconds=_SECONDS)
    def time_passes(self, seconds: float) -> None:
        """Leases end, absences begin to count."""
        self.life.pass_time(seconds)


def machine_in(world: World) -> type[LifeOfADocument]:
    """The machine for one world."""
    return type("LifeOfADocument", (LifeOfADocument,), {"world": world})


def _undone(life: Life) -> list[str]:
    return [key for key, batch in life.view.ours.batches.items() if batch["state"] != "posted"]


def _pick(things: Sequence[Thing], index: int) -> Thing:
    return things[index % len(things)]
