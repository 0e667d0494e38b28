"""Messages in any order, twice, half an interchange at a time, a run killed in between: the end is the same."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from billing_assets.metering.usage.facts import CandidateKind, Decided, Fact, Settled
from billing_assets.metering.usage.machine import settle_points
from billing_assets.metering.usage.states import TRANSITIONS, Kind, Purpose, State
from billing_assets.metering.usage.versions import common_days

POINTS = ("10032780000000042", "10032780000000059")
SENT = datetime(2026, 7, 1, 8, tzinfo=UTC)
NOW = SENT + timedelta(days=15)
PERIODS = [
    (date(2026, 5, 1), date(2026, 6, 1)),
    (date(2026, 6, 1), date(2026, 7, 1)),
    (date(2026, 6, 2), date(2026, 7, 1)),
    (date(2026, 6, 20), date(2026, 7, 20)),
    (date(2026, 7, 5), date(2026, 7, 5)),
]
_LETTERS = {Purpose.ORIGINAL: "V", Purpose.CANCEL: "X", Purpose.REPLACE: "R"}


@st.composite
def interchanges(draw: st.DrawFn) -> list[list[Fact]]:
    """Some interchanges of a few messages each. Ids are few, so that they meet; the number is the place of making."""
    number = 0
    made = []
    for interchange in range(draw(st.integers(1, 4))):
        sets = []
        for place in range(draw(st.integers(1, 5))):
            number += 1
            kind = draw(st.sampled_from(Kind))
            purpose = draw(st.sampled_from(Purpose))
            which = draw(st.integers(1, 3))
            name = f"{_LETTERS[purpose]}{which}"
            start, end = draw(st.sampled_from([PERIODS[which], PERIODS[which], *PERIODS]))
            named = [f"V{which}", f"V{which}", "V1", "R1", "V9", ""]
            of = draw(st.sampled_from(named)) if purpose is not Purpose.ORIGINAL else ""
            amount = Decimal(draw(st.sampled_from([100, 100, 200])))
            names = draw(st.sampled_from(["", "V1", "V2", "R1"])) if kind is Kind.CHARGES else ""
            sent = SENT + timedelta(days=interchange)
            point = draw(st.sampled_from([POINTS[0], *POINTS]))
            estimated = kind is Kind.USAGE and draw(st.booleans())
            sets.append(
                Fact(
                    number,
                    kind,
                    name,
                    purpose,
                    of,
                    point,
                    start,
                    end,
                    f"{purpose} {of} {point} {start} {end} {amount} {names} {estimated}",
                    sent,
                    sent + timedelta(hours=1),
                    amount,
                    estimated=estimated,
                    cross_reference=names,
                    control=f"{interchange:04} {place:04}",
                )
            )
        made.append(sets)
    return made


def end(messages: Iterable[Fact], numbers: dict[int, int], billed: frozenset[int] = frozenset()) -> dict[str, Settled]:
    """Settled as a store would: each message under the number that it got when it arrived."""
    arrived = [one._replace(message=numbers[one.message]) for one in messages]
    return settle_points(arrived, NOW, Decided(billed=billed))


def seen(settled: dict[str, Settled], messages: Iterable[Fact], numbers: dict[int, int]) -> Counter[tuple[object, ...]]:
    """What became of every message, without our numbers. Equal copies are one thing, and so are cancels of the same."""
    found: Counter[tuple[object, ...]] = Counter()
    for one in messages:
        outcome = settled[one.point].outcomes[numbers[one.message]]
        what = one.refers_to if one.purpose is Purpose.CANCEL else one.content
        name = "" if one.purpose is Purpose.CANCEL else one.id
        found[one.point, one.kind, name, what, outcome.state, outcome.codes, outcome.live] += 1
    for point, each in settled.items():
        found[point, "candidates", tuple(sorted((one.kind, one.state) for one in each.candidates))] += 1
        found[point, "pairs", tuple(sorted((one.by, one.suggested) for one in each.pairs))] += 1
    return found


def numbered(order: Iterable[Fact]) -> dict[int, int]:
    return {one.message: number for number, one in enumerate(order, 1)}


@given(interchanges(), st.randoms(use_true_random=False))
@settings(max_examples=150)
def test_the_order_of_arrival_does_not_matter(made: list[list[Fact]], chance: object) -> None:
    messages = [one for sets in made for one in sets]
    messages = _without_changed_cancels(messages)
    shuffled = list(messages)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = numbered(messages), numbered(shuffled)
    assert seen(end(messages, one), messages, one) == seen(end(messages, other), messages, other)


def _without_changed_cancels(messages: list[Fact]) -> list[Fact]:
    """Two cancels with one id and other content are a conflict whose first one counts: by time, not by arrival."""
    kept: dict[tuple[object, ...], str] = {}
    return [
        one
        for one in messages
        if one.purpose is not Purpose.CANCEL
        or kept.setdefault((one.point, one.kind, one.id), one.content) == one.content
    ]


class Arrivals(RuleBasedStateMachine):
    """A store that takes messages in, settles after each, bills what is ready, and is killed before it settles."""

    def __init__(self) -> None:
        super().__init__()
        self.settled: dict[str, Settled] = {}
        self.taken: list[Fact] = []
        self.numbers: dict[int, int] = {}
        self.billed: frozenset[int] = frozenset()
        self.to_come: list[Fact] = []

    @initialize(made=interchanges(), chance=st.randoms(use_true_random=False))
    def sent(self, made: list[list[Fact]], chance: object) -> None:
        self.to_come = [one for sets in made for one in sets]
        chance.shuffle(self.to_come)  # type: ignore[attr-defined]

    @rule(settled=st.booleans())
    def one_arrives(self, settled: bool) -> None:
        """Without settling: the run was killed in between, and the next one settles all that is there."""
        if self.to_come:
            one = self.to_come.pop()
            self.numbers[one.message] = len(self.numbers) + 1
            self.taken.append(one)
        if settled:
            self.settle()

    @rule()
    def one_comes_again(self) -> None:
        if self.taken:
            again = self.taken[0]._replace(message=1000 + len(self.numbers))
            self.numbers[again.message] = len(self.numbers) + 1
            self.taken.append(again)
            self.settle()

    @rule()
    def what_is_ready_is_billed(self) -> None:
        self.settle()
        ready = {
            number
            for each in self.settled.values()
            for number, outcome in each.outcomes.items()
            if outcome.state is State.READY and outcome.live
        }
        self.billed |= ready
        self.settle()

    def settle(self) -> None:
        """Every move is one of the table."""
        before = {number: one.state for each in self.settled.values() for number, one in each.outcomes.items()}
        self.settled = end(self.taken, self.numbers, self.billed)
        for each in self.settled.values():
            for number, outcome in each.outcomes.items():
                was = before.get(number, State.ACCEPTED)
                assert outcome.state is was or outcome.state in TRANSITIONS[was], (was, outcome)

    @invariant()
    def what_is_held_or_waits_says_why(self) -> None:
        for each in self.settled.values():
            for outcome in each.outcomes.values():
                assert bool(outcome.codes) == (outcome.state in (State.HELD, State.WAITING, State.DUPLICATE))

    @invariant()
    def each_day_is_billed_once(self) -> None:
        facts = {self.numbers[one.message]: one for one in self.taken}
        for each in self.settled.values():
            live = [facts[number] for number, outcome in each.outcomes.items() if outcome.live]
            for place, one in enumerate(live):
                assert not any(one.kind is other.kind and common_days(one, other) for other in live[:place])

    @invariant()
    def what_is_ready_is_ready_with_its_pair(self) -> None:
        for each in self.settled.values():
            partner = {one.usage: one.charges for one in each.pairs if not one.suggested}
            partner |= {charges: usage for usage, charges in partner.items()}
            for number, outcome in each.outcomes.items():
                if outcome.state is State.READY and outcome.live:
                    other = each.outcomes[partner[number]]
                    assert other.state in (State.READY, State.BILLED)

    @invariant()
    def an_invoice_is_credited_once_and_rebilled_once(self) -> None:
        for each in self.settled.values():
            credited = [one.original for one in each.candidates if one.kind is CandidateKind.CREDIT]
            assert len(credited) == len(set(credited))
            assert set(credited) <= self.billed

    def teardown(self) -> None:
        """However it went, the end is that of all messages settled once."""
        self.settle()
        once = end(self.taken, self.numbers, self.billed)
        assert seen(self.settled, self.taken, self.numbers) == seen(once, self.taken, self.numbers)
        assert sum(len(each.outcomes) for each in self.settled.values()) == len(self.taken)


Arrivals.TestCase.settings = settings(max_examples=60, stateful_step_count=25)
test_messages_as_they_come = Arrivals.TestCase
