"""The state machine: whatever the utility, a clerk, workers and a failing machine may do to invoices, in any order."""

from collections.abc import Callable
from typing import Any, ClassVar

from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from proving.invoicing.ending import end
from proving.invoicing.life import Life, pick, world_numbers
from proving.invoicing.lives import GROUPS, PERIODS, World
from proving.invoicing.points import CHECKING, CORRECTING, DRAFTING, FINISHING, ISSUING, TAKING, Point

MOST_WORKERS = 3

_PICK = st.integers(0, 7)
_KWH = st.sampled_from([300, 812, 1000, 1500, 0, 5000, 7, 1000, 950, 20_000])
_NUMBER = st.sampled_from(world_numbers())
_PLACE = st.integers(0, len(PERIODS) - 1)


def when(condition: Callable[[Life], object]) -> Callable[[Any], Any]:
    """A precondition."""
    return precondition(lambda machine: bool(condition(machine.life)))


def _dies(points: dict[str, Point]) -> Any:
    return st.sampled_from(sorted(points)).map(lambda name: points[name])


def _going_on(number: int) -> Any:
    def go_on(self: "LifeOfInvoices", index: int) -> None:
        self.go_on(index)

    go_on.__name__ = f"go_on_{number}"
    return rule(index=_PICK)(go_on)


class LifeOfInvoices(RuleBasedStateMachine):
    """Drives the real code in `world`; after every step everything in `invariants` must hold."""

    world: ClassVar[World]

    def __init__(self) -> None:
        super().__init__()
        self.life = Life(self.world)

    @initialize(
        kwh=st.lists(_KWH, min_size=3, max_size=5),
        validated=st.booleans(),
        simplest=st.sampled_from([True] + [False] * 50),
    )
    def first_usage(self, kwh: list[int], validated: bool, simplest: bool) -> None:
        """Most lives begin with something to bill."""
        assume(not simplest)  # Hypothesis begins with the simplest choices only: the same step again and again
        for number, one in zip(world_numbers(), kwh, strict=False):
            self.life.arrive(number, 0, one)
        if validated:
            for group in GROUPS:
                self.life.lock(group=group)
            for batch in self.life.ids("invoice_batches", "pending_validation"):
                self.life.validate(batch)

    @invariant()
    def everything_holds(self) -> None:
        """After every step."""
        self.life.check()

    def teardown(self) -> None:
        """Brings everything to its end and counts."""
        end(self.life)

    # The utility

    @rule(number=_NUMBER, place=_PLACE, kwh=_KWH)
    def usage_arrives(self, number: int, place: int, kwh: int) -> None:
        """Of any period, now and then of one that has some already."""
        if (number, place) not in self.life.cancelled:
            self.life.arrive(number, place, kwh)

    @when(lambda life: life.versions)
    @rule(index=_PICK)
    def usage_is_cancelled(self, index: int) -> None:
        """Before, while or after it is billed."""
        self.life.cancel_usage(pick(sorted(self.life.versions), index))

    @when(lambda life: life.cancelled)
    @rule(index=_PICK, kwh=_KWH)
    def usage_is_replaced(self, index: int, kwh: int) -> None:
        """A new version of what was cancelled."""
        self.life.replace_usage(pick(sorted(self.life.cancelled), index), kwh)

    # A clerk, and the night

    go_on_1, go_on_2, go_on_3, go_on_4, go_on_5, go_on_6 = map(_going_on, range(1, 7))

    def go_on(self, index: int) -> None:
        """The next step of what is under way: as often as everything that gets in its way."""
        life = self.life
        if life.workers:
            life.step(pick(life.workers, index))
        elif unchecked := life.with_drafts("drafted"):
            life.release(pick(unchecked, index), "check")
        elif approved := life.with_drafts("approved"):
            life.release(pick(approved, index), "issue")
        elif life.ids("invoice_batches", "pending", "processing"):
            if not life.claim():
                life.pass_time()
        elif batches := life.ids("invoice_batches", "in_review"):
            if held := life.ids("batch_members", "held"):
                life.decide(pick(held, index), "waive" if index % 3 else "take out")
            else:
                life.proceed(pick(batches, index))
        elif batches := life.ids("invoice_batches", "pending_validation"):
            life.validate(pick(batches, index))
        elif index % 2:
            life.night("G2")
        else:
            life.lock(group=pick(list(GROUPS), index // 2))

    @rule(index=_PICK, what=st.sampled_from(["group", "customer", "night"]))
    def somebody_asks(self, index: int, what: str) -> None:
        """A group, a customer, or the machine alone."""
        if what == "customer":
            self.life.lock(number=pick(world_numbers(), index))
        elif what == "group":
            self.life.lock(group=pick(list(GROUPS), index))
        else:
            self.life.night(pick(list(GROUPS), index))

    @when(lambda life: life.ids("invoice_batches", "pending_validation", "in_review", "pending", "completed"))
    @rule(index=_PICK, what=st.sampled_from(["validate", "validate twice", "proceed", "unlock"]))
    def a_clerk_at_a_batch(self, index: int, what: str) -> None:
        """In any state, most of which refuse it."""
        batch = pick(self.life.ids("invoice_batches", "pending_validation", "in_review", "pending", "completed"), index)
        if what.startswith("validate"):
            self.life.validate(batch, twice=what.endswith("twice"))
        elif what == "proceed":
            self.life.proceed(batch)
        else:
            self.life.unlock(batch)

    @when(lambda life: life.ids("batch_members", "clear", "held", "invoiced"))
    @rule(index=_PICK, what=st.sampled_from(["waive", "take out"]))
    def a_clerk_at_a_member(self, index: int, what: str) -> None:
        """In any state, too."""
        self.life.decide(pick(self.life.ids("batch_members", "clear", "held", "invoiced"), index), what)

    @when(lambda life: life.ids("invoice_batches", "error_occurred"))
    @rule(index=_PICK)
    def retry(self, index: int) -> None:
        """What failed."""
        self.life.retry(pick(self.life.ids("invoice_batches", "error_occurred"), index))

    @rule(number=_NUMBER, ends=st.booleans())
    def hold(self, number: int, ends: bool) -> None:
        """An account is on hold, or no longer."""
        if ends:
            self.life.end_hold(number)
        else:
            self.life.hold(number)

    # Workers

    @when(lambda life: len(life.workers) < MOST_WORKERS)
    @rule(dies_at=st.none() | _dies(TAKING))
    def a_worker_begins(self, dies_at: Point | None) -> None:
        """And dies at once, or not."""
        self.life.claim(dies_at)

    @when(lambda life: life.workers)
    @rule(index=_PICK, dies_at=_dies(DRAFTING | FINISHING))
    def a_worker_dies_in_its_step(self, index: int, dies_at: Point) -> None:
        """Where it passes the point."""
        self.life.step(pick(self.life.workers, index), dies_at)

    @when(lambda life: life.workers)
    @rule(index=_PICK)
    def a_worker_dies_between_steps(self, index: int) -> None:
        """No one is told: only the clock shows it."""
        self.life.kill(pick(self.life.workers, index))

    @when(lambda life: life.workers and len(life.workers) < MOST_WORKERS)
    @rule(index=_PICK, completes=st.booleans())
    def a_worker_is_late(self, index: int, completes: bool) -> None:
        """Its lease ends, another takes the batch, and it goes on."""
        self.life.pass_time()
        self.life.claim()
        if late := self.life.late():
            if completes:
                self.life.finish_late(pick(late, index))
            else:
                self.life.step(pick(late, index))

    @when(lambda life: life.last != "time passes")
    @rule()
    def time_passes(self) -> None:
        """Leases end."""
        self.life.pass_time()

    # The release

    @when(lambda life: life.ids("invoice_batches", "completed", "error_occurred"))
    @rule(index=_PICK, dies_at=st.none() | _dies(CHECKING | ISSUING), what=st.sampled_from(["check", "issue", "issue"]))
    def a_batch_is_released(self, index: int, dies_at: Point | None, what: str) -> None:
        """And who does it dies, or not."""
        batch = pick(self.life.ids("invoice_batches", "completed", "error_occurred"), index)
        self.life.release(batch, what, dies_at)

    @when(lambda life: life.ids("utility_invoices", "drafted", "qa_hold", "approved", "issued"))
    @rule(index=_PICK, what=st.sampled_from(["approve", "discard"]))
    def a_clerk_at_a_draft(self, index: int, what: str) -> None:
        """Lets it go or drops it; what is issued stays."""
        invoices = self.life.ids("utility_invoices", "qa_hold") or self.life.ids(
            "utility_invoices", "drafted", "approved", "issued"
        )
        self.life.decide_draft(pick(invoices, index), what)

    # Corrections

    @when(lambda life: life.numbers("issued", "cancelled", "rebilled"))
    @rule(index=_PICK, what=st.sampled_from(["cancel", "rebill", "rebill"]), dies_at=st.none() | _dies(CORRECTING))
    def an_invoice_is_corrected(self, index: int, what: str, dies_at: Point | None) -> None:
        """Cancelled, or cancelled and rebilled; what is corrected already is refused."""
        numbers = self.life.numbers("issued", "cancelled") or self.life.numbers("rebilled")
        self.life.correct(pick(numbers, index), what, dies_at)


def machine_in(world: World) -> type[LifeOfInvoices]:
    """The machine for one world."""
    return type("LifeOfInvoices", (LifeOfInvoices,), {"world": world})
