"""The made corpus of X12, written from the specification by someone who had not read the machine: its sequences."""

import io
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice, permutations
from pathlib import Path
from typing import Any

import pytest

from billing_assets.metering.import_engine.formats import read_file
from billing_assets.metering.import_engine.message_store import as_json
from billing_assets.metering.import_engine.messages import FileReport, SetMessage, Verdict
from billing_assets.metering.usage.contents import KINDS, fact_of
from billing_assets.metering.usage.facts import CandidateKind, CandidateState, Decided, Fact, Settled
from billing_assets.metering.usage.machine import settle_points
from billing_assets.metering.usage.states import Kind, Purpose, State
from billing_assets_tests.unit.metering.x12_sets.test_corpus import CORPUS, options_of

SEQUENCES = sorted(path.parent for path in CORPUS.glob("6*/expected.json"))
ARRIVED = datetime(2026, 7, 10, tzinfo=UTC)
OF_THE_IMPORT = {"625-interchange-twice", "626-control-number-used-again"}
"""Whether an interchange came before, the import knows: it reads the second file not at all."""
CANCELLED = (State.SUPERSEDED, State.RESTATED)
ORDERS = 24


class Played:
    """The messages of some files, and what the machine makes of them."""

    def __init__(self, files: Sequence[bytes], expected: dict[str, Any]) -> None:
        self.facts: list[Fact] = []
        self.expected = expected
        given = expected.get("given", {})
        self.billed: set[int] = set()
        self.points = given.get("points")
        for place, file in enumerate(files, 1):
            self._arrive(file, ARRIVED + timedelta(hours=place), given)
            if place == given.get("billed_after_file"):
                self._bill(given["billed"])
        self.now = ARRIVED + timedelta(days=given.get("days_without_charges", 1))
        self.settled = self.settle()

    def _arrive(self, file: bytes, at: datetime, given: dict[str, Any]) -> None:
        options = options_of({name: value for name, value in given.items() if name != "partners"})  # each is one
        for one in read_file(io.BytesIO(file), FileReport(), options):
            assert isinstance(one, SetMessage)
            if one.type in KINDS and one.verdict is not Verdict.REFUSE:
                control = f"{one.interchange} {one.group} {one.control}"
                content = as_json(one.content)
                fact = fact_of(len(self.facts) + 1, one.type, content, one.codes, at, None, control)
                assert fact is not None
                self.facts.append(fact)

    def _bill(self, ids: Iterable[str]) -> None:
        """Usage by its id, with the charges that it is paired with."""
        for settled in self.settle().values():
            for pair in settled.pairs:
                if self._fact(pair.usage).id in ids:
                    self.billed |= {pair.usage, pair.charges}

    def settle(self, points: Sequence[str] | None = None) -> dict[str, Settled]:
        """Settled with these points in master data; None: every point is ours."""
        points = points or self.points
        not_ours = frozenset(one.message for one in self.facts if points is not None and one.point not in points)
        return settle_points(self.facts, self.now_or_then(), Decided(billed=frozenset(self.billed), not_ours=not_ours))

    def now_or_then(self) -> datetime:
        return getattr(self, "now", ARRIVED + timedelta(days=1))

    def _fact(self, message: int) -> Fact:
        return self.facts[message - 1]

    def state(self, kind: Kind, name: str) -> tuple[State, tuple[str, ...]]:
        """Of the message that counts for an id."""
        states = [
            (outcome.state, outcome.codes)
            for one in self.facts
            if (one.kind, one.id) == (kind, name)
            for outcome in [self.settled[one.point].outcomes[one.message]]
        ]
        return next((one for one in states if one[0] is not State.DUPLICATE), states[0])

    def pairs(self, *, suggested: bool) -> list[list[str]]:
        """Ids of pairs: those that may be billed, or that a person has to confirm."""
        found = []
        for settled in self.settled.values():
            for pair in settled.pairs:
                both = settled.outcomes[pair.usage].state, settled.outcomes[pair.charges].state
                if pair.suggested is suggested and (suggested or both == (State.READY, State.READY)):
                    found.append([self._fact(pair.usage).id, self._fact(pair.charges).id])
        return sorted(found)

    def candidates(self, kind: CandidateKind) -> list[str]:
        """Ids of what is proposed."""
        return [
            self._fact(one.message).id for each in self.settled.values() for one in each.candidates if one.kind is kind
        ]

    def wrong(self) -> Iterator[str]:
        """What is not as expected; what the corpus leaves open is not looked at."""
        for kind in Kind:
            for name, wanted in self.expected.get(kind, {}).items():
                state, codes = self.state(kind, name)
                if state not in (CANCELLED if wanted["state"] == "cancelled" else (wanted["state"],)):
                    yield f"{name}: {state} {codes} for {wanted}"
                if "code" in wanted and (codes[0] if codes else None) != wanted["code"]:
                    yield f"{name}: {codes} for {wanted}"
            ids = {one.id for one in self.facts if one.kind is kind}
            if self.expected.get(kind) == {} and ids:
                yield f"{kind}: {ids} for none"
        for key, suggested in (("bill_ready", False), ("suggested", True)):
            if key in self.expected and self.pairs(suggested=suggested) != sorted(self.expected[key]):
                yield f"{key}: {self.pairs(suggested=suggested)} for {self.expected[key]}"
        yield from self._wrong_in_all()

    def _wrong_in_all(self) -> Iterator[str]:
        outcomes = {number: one for each in self.settled.values() for number, one in each.outcomes.items()}
        ignored = [
            (self._fact(number).id, one.codes[0]) for number, one in outcomes.items() if one.state == "duplicate"
        ]
        for one in self.expected.get("ignored", ()):
            if (one["id"], one["code"]) not in ignored:
                yield f"ignored: {ignored} for {one}"
        codes = {code for one in outcomes.values() for code in one.codes}
        if not set(self.expected.get("codes_somewhere", ())) <= codes:
            yield f"{codes} without {self.expected['codes_somewhere']}"
        gaps = [[str(one.gap_from), str(self._fact(number).start)] for number, one in outcomes.items() if one.gap_from]
        if "gaps" in self.expected and gaps != self.expected["gaps"]:
            yield f"gaps: {gaps}"
        for kind, ids in self.expected.get("candidates", {}).items():
            if self.candidates(CandidateKind(kind)) != ids:
                yield f"{kind}: {self.candidates(CandidateKind(kind))} for {ids}"
        closed = sorted({one.point for one in self.facts if one.final and outcomes[one.message].live})
        if closed != self.expected.get("supply_closed", []):
            yield f"supply closed: {closed}"


def files_of(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(folder.glob("*.x12"), key=lambda path: int(path.stem))]


@pytest.mark.parametrize("folder", SEQUENCES, ids=lambda folder: folder.name)
def test_every_sequence_ends_as_the_specification_says(folder: Path) -> None:
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    files = files_of(folder)
    if folder.name in OF_THE_IMPORT:
        files = files[:1]
    orders = islice(permutations(files), ORDERS) if expected.get("any_order") else [files]
    for order in orders:
        assert list(Played(order, expected).wrong()) == [], expected["why"]


def test_a_point_that_comes_into_master_data_frees_what_came_for_it() -> None:
    expected = json.loads((CORPUS / "618-point-unknown-then-known/expected.json").read_text(encoding="utf-8"))
    played = Played(files_of(CORPUS / "618-point-unknown-then-known"), expected)
    played.settled = played.settle(expected["then"]["points"])
    played.expected = expected["then"]
    assert list(played.wrong()) == []


def test_a_credit_waits_as_long_as_the_corpus_says() -> None:
    folder = CORPUS / "665-billed-cancelled"
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    played = Played(files_of(folder), expected)
    cancelled = min(one.arrived_at for one in played.facts if one.purpose is Purpose.CANCEL)
    for days, state in ((expected["wait_days"] - 1, CandidateState.WAITING), (expected["wait_days"], "due")):
        played.now = cancelled + timedelta(days=days)
        (found,) = [one for each in played.settle().values() for one in each.candidates]
        assert found.state == state


def test_there_are_sequences() -> None:
    assert len(SEQUENCES) > 60
