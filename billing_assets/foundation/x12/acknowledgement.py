"""The 997: built for a group that came, read and matched for one that was sent. The TA1 for an interchange.

A 997 is never answered by a 997, and nothing is answered of an interchange that is refused or a duplicate.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from billing_assets.foundation.x12.findings import CODES, Scope
from billing_assets.foundation.x12.form import Note
from billing_assets.foundation.x12.interchange import Acknowledgement, Group, Interchange, SetResult
from billing_assets.foundation.x12.rules import ElementKind, ElementRule, SegmentRule, SetRules
from billing_assets.foundation.x12.segments import Segment
from billing_assets.foundation.x12.writer import IN_VALUES, Elements, SetToWrite

GROUP = "FA"
"""GS01 of a group of 997s."""

_LONGEST_COPY = 99
"""Characters of AK404."""

_HARMLESS = str.maketrans("", "", IN_VALUES)

_LEADING_DIGITS = re.compile("[0-9]{1,9}")

_SET_SAYS = frozenset({"A", "E", "R", "M", "W", "X"})
_GROUP_SAYS = frozenset({"A", "E", "P", "R", "M", "W", "X"})
_COUNT = ElementKind.N0

RULES = SetRules(
    "997",
    GROUP,
    (
        SegmentRule(
            "AK1",
            (ElementRule(1, ElementKind.AN, mandatory=True), ElementRule(2, _COUNT, mandatory=True)),
            mandatory=True,
            at_most=1,
        ),
        SegmentRule(
            "AK2",
            (ElementRule(1, ElementKind.AN, mandatory=True), ElementRule(2, ElementKind.AN, mandatory=True)),
        ),
        SegmentRule("AK5", (ElementRule(1, ElementKind.ID, _SET_SAYS, mandatory=True),)),
        SegmentRule(
            "AK9",
            (
                ElementRule(1, ElementKind.ID, _GROUP_SAYS, mandatory=True),
                *(ElementRule(index, _COUNT, mandatory=True) for index in (2, 3, 4)),
            ),
            mandatory=True,
            at_most=1,
        ),
    ),
)
"""The form of a 997."""


def answers(interchange: Interchange) -> Iterator[SetToWrite]:
    """A 997 for each of its groups but those of 997s, numbered from 0001; none where nothing is to be answered."""
    if interchange.refused or interchange.duplicate:
        return
    groups = (group for group in interchange.groups if group.type != GROUP)
    for number, group in enumerate(groups, 1):
        yield acknowledge(group, f"{number:04}")


def acknowledge(group: Group, control: str) -> SetToWrite:
    """The 997 for a group. `control`: its own ST02. In a group that is rejected every set is."""
    segments: list[Elements] = [("AK1", _plain(group.type), _plain(group.control))]
    for result in group.results:
        segments.append(("AK2", _plain(result.type), _plain(result.control)))
        segments += _places(result.notes)
        segments.append(_result(result, rejected=group.findings.refused))
    received = len(group.results)
    declared = received if group.declared is None else group.declared
    counts = (str(declared), str(received), str(group.accepted))
    segments.append(("AK9", group.acknowledgement, *counts, *group.errors))
    return SetToWrite("997", control, segments)


def _places(notes: Sequence[Note]) -> Iterator[Elements]:
    for (segment, number, error), found in groupby(notes, key=lambda note: note[:3]):
        yield "AK3", _plain(segment), str(number), "", error
        for note in found:
            if note.element is not None:
                yield "AK4", str(note.element), "", note.element_error, _copy(note.value)


def _plain(text: str) -> str:
    """A text of the sender's, without what may be a delimiter of ours."""
    return "".join(one for one in text if one.isascii() and one.isalnum())


def _copy(value: str) -> str:
    """The bad element, where it can be written whatever our delimiters are."""
    return value[:_LONGEST_COPY].strip(" ") if _plain(value) == value.translate(_HARMLESS) else ""


def _result(result: SetResult, *, rejected: bool) -> Elements:
    if result.acknowledgement is Acknowledgement.WITH_ERRORS and not rejected:
        return "AK5", Acknowledgement.WITH_ERRORS, "5"
    said = Acknowledgement.REJECTED if rejected else result.acknowledgement
    return "AK5", said, *result.errors


def acknowledge_interchange(interchange: Interchange) -> Elements:
    """The TA1 for an interchange, where the partner wants one."""
    isa = interchange.isa
    codes = [CODES[one.code].ta1 for one in interchange.findings if one.scope is not Scope.WARNING]
    said = "R" if interchange.refused else "A"
    control, day, time = (_plain(text) for text in (isa.control, isa.date, isa.time))
    return "TA1", control, day, time, said, next(iter(codes), "000" if said == "A" else "024")


class Answer(NamedTuple):
    """A 997 that came. `group`, `control`: GS01 and GS06 of what it answers; `results`: of the sets that it names."""

    group: str
    control: str
    acknowledgement: str  # AK901; any but A, E and P means that the group was not taken
    declared: int
    received: int
    accepted: int
    errors: tuple[str, ...]
    results: tuple[SetResult, ...]


class UnreadableAnswer(NamedTuple):
    """A 997 that says nothing clear. `sentence`: why, for a person."""

    sentence: str


def read_answer(segments: Iterable[Segment]) -> Answer | UnreadableAnswer:
    """What a 997 says. Its form was checked by `RULES`, so only what is beyond them is looked at here."""
    group: Segment | None = None
    total: Segment | None = None
    open_set: Segment | None = None
    notes: list[Note] = []
    results: list[SetResult] = []
    for one in segments:
        match one.id:
            case "AK1":
                group = one
            case "AK2":
                if open_set is not None:
                    return UnreadableAnswer(f"Segment {one.position}: an AK2 follows an AK2 without its AK5.")
                open_set, notes = one, []
            case "AK3":
                notes.append(Note(one.at(1), _count(one.at(2)), one.at(4)))
            case "AK4" if notes:
                notes[-1:] = _with_element(notes[-1], one)
            case "AK5":
                if open_set is None:
                    return UnreadableAnswer(f"Segment {one.position}: an AK5 without its AK2.")
                said = Acknowledgement(one.at(1)) if one.at(1) in {"A", "E"} else Acknowledgement.REJECTED
                errors = tuple(code for code in one.elements[1:6] if code)
                results.append(SetResult(open_set.at(1), open_set.at(2), said, errors, tuple(notes)))
                open_set = None
            case "AK9":
                total = one
    if group is None or total is None or open_set is not None:
        return UnreadableAnswer("The 997 has no AK1, no AK9, or an AK2 without its AK5.")
    declared, received, accepted = (_count(total.at(index)) for index in (2, 3, 4))
    errors = tuple(code for code in total.elements[4:9] if code)
    return Answer(group.at(1), group.at(2), total.at(1), declared, received, accepted, errors, tuple(results))


def _with_element(note: Note, segment: Segment) -> list[Note]:
    """A place with one more element in error; the first replaces the segment's own note. Of a composite AK401 its first
    component counts, whatever divides them."""
    place = _LEADING_DIGITS.match(segment.at(1))
    element = _count(place[0]) if place else 0
    named = note._replace(element=element, element_error=segment.at(3), value=segment.at(4))
    return [named] if note.element is None else [note, named]


def _count(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0


class SentGroup(NamedTuple):
    """A group that was sent, and waits for its 997. `sets`: type and control number of each."""

    type: str
    control: str
    sets: tuple[tuple[str, str], ...]


def sent_groups(interchange: Interchange) -> list[SentGroup]:
    """What waits for a 997 of an interchange of ours, read from its stored bytes: every group but those of 997s."""
    return [
        SentGroup(group.type, group.control, tuple((one.type, one.control) for one in group.results))
        for group in interchange.groups
        if group.type != GROUP
    ]


class Matched(NamedTuple):
    """What a 997 means for a group that was sent: each set by its (ST01, ST02), and what does not fit (sentences)."""

    accepted: tuple[tuple[str, str], ...]
    rejected: tuple[tuple[str, str], ...]
    wrong: tuple[str, ...]

    @property
    def clear(self) -> bool:
        """Whether it fits what was sent, so that its word can be taken."""
        return not self.wrong


def match(answer: Answer, sent: SentGroup) -> Matched:
    """What became of each set. A set that the 997 does not name has the group's word if that is A, E or R; of a P a
    person must ask.
    """
    wrong: list[str] = []
    if (answer.group, answer.control) != (sent.type, sent.control):
        wrong.append(
            f"The 997 is for the group {answer.group} {answer.control}, and {sent.type} {sent.control} was sent."
        )
    named = {(one.type, one.control): one.acknowledgement for one in answer.results}
    unknown = sorted(set(named) - set(sent.sets))
    wrong += [f"The 997 names the set {kind} {control}, which was not sent." for kind, control in unknown]
    if answer.received != len(sent.sets):
        wrong.append(f"The 997 counts {answer.received} sets, and {len(sent.sets)} were sent.")
    rejected = answer.acknowledgement not in {"A", "E", "P"}
    taken: list[tuple[str, str]] = []
    refused: list[tuple[str, str]] = []
    for one in sent.sets:
        said = named.get(one)
        if said is None and answer.acknowledgement == "P":
            wrong.append(f"The 997 takes a part of the group, and does not name the set {one[0]} {one[1]}.")
        (refused if rejected or said is Acknowledgement.REJECTED else taken).append(one)
    if not wrong and len(taken) != answer.accepted:
        wrong.append(f"The 997 counts {answer.accepted} accepted sets, and names {len(taken)}.")
    return Matched(tuple(taken), tuple(refused), tuple(wrong))
