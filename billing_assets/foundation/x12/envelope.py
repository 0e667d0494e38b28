"""An interchange: its groups and their sets, with every check of the envelope, set by set as the file streams by.

    for found in read(source, rules, checks):  # TransactionSet, …, Group, …, Interchange, …, FileEnd

A set comes when it is whole, its group after its last set, its interchange after its last group, and `FileEnd` last.
What refuses a group or an interchange is known only then, so a caller keeps nothing of a set that it cannot take
back. Memory is that of the largest set, and a few words for each set of a group.
"""

import hashlib
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO, NamedTuple

from billing_assets.foundation.x12.delimiters import Isa
from billing_assets.foundation.x12.findings import Findings, Scope, quoted
from billing_assets.foundation.x12.form import Form, check, form_of
from billing_assets.foundation.x12.interchange import (
    Acknowledgement,
    FileEnd,
    Group,
    Interchange,
    SetResult,
    TransactionSet,
    acknowledged_as,
)
from billing_assets.foundation.x12.rules import SetRules
from billing_assets.foundation.x12.segments import Segment
from billing_assets.foundation.x12.syntax import Tokenizer

MOST_SEGMENTS = 100_000
"""Of a set."""

MOST_SETS = 200_000
"""Of an interchange."""

MOST_GROUPS = 10_000
"""Of an interchange."""

VERSIONS = frozenset({"004010", "005010"})
"""GS08 that is known where the caller names none."""

_CONTROL = re.compile("[0-9]{9}")
_NUMBER = re.compile("[0-9]{1,9}")
_SET_CONTROL = re.compile("[A-Za-z0-9]{4,9}")
_BLANK = " \t\r\n"


class Seen(StrEnum):
    """Whether an ISA13 of a sender was here before."""

    NO = "no"
    SAME = "same"  # with the same content
    OTHER = "other"  # for another content


class Problem(NamedTuple):
    """What the caller has against an interchange: a code of `CODES`, and its sentence."""

    code: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Checks:
    """What only the caller knows. `admit`: partner, receiver and environment (`Partners.admit`). `seen`: whether an
    interchange with these identifiers (qualifier and id of the sender, ISA13) was taken, and its SHA-256.
    """

    versions: frozenset[str] = VERSIONS
    admit: Callable[[Isa], Iterable[Problem]] | None = None
    seen: Callable[[tuple[str, str], str, str], Seen] | None = None


def read(
    source: BinaryIO,
    rules: Mapping[str, SetRules] | Callable[[Isa], Mapping[str, SetRules]],
    checks: Checks | None = None,
) -> Iterator[TransactionSet | Group | Interchange | FileEnd]:
    """Reads a file of interchanges. `rules`: by ST01, or what gives those of an interchange. Raises nothing for
    what is in the file."""
    tokenizer, count = Tokenizer(source), 0
    given, findings, before = checks or Checks(), Findings(), dict[tuple[str, str, str], str]()
    while (isa := tokenizer.header()) is not None:
        count += 1
        interchange = Interchange(isa, tokenizer.position)
        forms = {kind: form_of(one) for kind, one in (rules(isa) if callable(rules) else rules).items()}
        yield from _Reading(tokenizer, interchange, forms, given.versions).events()
        _sort_out(tokenizer, interchange, findings)
        _judge(interchange, given, before)
        yield interchange
    findings.extend(tokenizer.findings)
    yield FileEnd(findings, count, tokenizer.position)


def _sort_out(tokenizer: Tokenizer, interchange: Interchange, findings: Findings) -> None:
    """What the tokenizer found goes to the interchange or to the file."""
    for found in tokenizer.findings:
        mine = found.scope is Scope.INTERCHANGE
        (interchange.findings if mine else findings).note(*found)
    tokenizer.findings.clear()


def _judge(interchange: Interchange, checks: Checks, before: dict[tuple[str, str, str], str]) -> None:
    """What is known of an interchange only when it has been read."""
    isa, at = interchange.isa, interchange.position
    note = interchange.findings.note
    if not isa.has_width:
        note("R-ISA-WIDTH", at, f"Segment {at}: the ISA is not 106 characters wide.")
    if "\0" in isa.text:
        note("R-CHARACTER", at, f"Segment {at}: it has a NUL character.")
    if not _CONTROL.fullmatch(isa.control):
        note("R-ISA-CONTROL", at, f"Segment {at}: ISA13 {quoted(isa.control)} is not nine digits.")
    for code, sentence in checks.admit(isa) if checks.admit else ():
        note(code, at, f"Segment {at}: {sentence}")
    interchange.findings.sort(key=lambda found: found.position or 0)
    if interchange.refused:
        return
    key = (isa.sender_qualifier, isa.sender, isa.control)
    seen = Seen.NO
    if key in before:
        seen = Seen.SAME if before[key] == interchange.digest else Seen.OTHER
    elif checks.seen:
        seen = checks.seen(key[:2], isa.control, interchange.digest)
    before.setdefault(key, interchange.digest)
    interchange.duplicate = seen is Seen.SAME
    if seen is Seen.OTHER:
        note("CONTROL_REUSED", at, f"Segment {at}: the sender used ISA13 {isa.control} before, for another content.")


class _OpenSet(NamedTuple):
    group: Group
    segments: list[Segment]
    texts: list[str]


class _Reading:
    """One interchange as it is read: the group and the set that are open."""

    def __init__(
        self, tokenizer: Tokenizer, interchange: Interchange, forms: Mapping[str, Form], versions: frozenset[str]
    ) -> None:
        self._tokenizer = tokenizer
        self._interchange = interchange
        self._forms = forms
        self._versions = versions
        self._group: Group | None = None
        self._controls: set[str] = set()
        self._set: _OpenSet | None = None
        self._sets = 0
        self._lost = False  # what came last belonged nowhere

    def events(self) -> Iterator[TransactionSet | Group]:
        """The sets and groups. What is wrong with the interchange is noted in it."""
        tokenizer, delimiters = self._tokenizer, self._interchange.isa.delimiters
        digest = hashlib.sha256(self._interchange.isa.text.encode("latin-1"))
        for part in tokenizer.parts(delimiters):
            texts = part.texts
            for index, (segment, text) in enumerate(zip(part.segments, part.texts, strict=True)):
                if not 1 < segment.number <= MOST_SEGMENTS and self._is_too_much(segment):
                    texts = texts[:index]
                    break
                if not segment.number:
                    yield from self._between(segment)
                    continue
                if segment.id == "ST":
                    yield from self._close_set()
                    if self._group is not None:
                        self._set = _OpenSet(self._group, [], [])
                if self._set is None:
                    self._misplaced(segment)
                    continue
                self._set.segments.append(segment)
                self._set.texts.append(text)
                if segment.id == "SE":
                    yield from self._close_set()
            digest.update("".join(one + delimiters.segment for one in texts).encode("latin-1"))
        yield from self._close_set()
        yield from self._close_group(None)
        self._interchange.digest = digest.hexdigest()

    def _between(self, segment: Segment) -> Iterator[TransactionSet | Group]:
        """A segment that is in no set."""
        if segment.id in {"GS", "GE", "IEA"}:
            yield from self._close_set()
            if segment.id == "GE" and self._group is None:
                self._misplaced(segment)
            yield from self._close_group(segment if segment.id == "GE" else None)
        if segment.id == "GS":
            self._begin_group(segment)
        elif segment.id == "IEA":
            self._end(segment)
        elif segment.id == "TA1" and self._group is None:
            self._interchange.acknowledged.append(segment)
        elif segment.id != "GE":
            self._misplaced(segment)

    def _misplaced(self, segment: Segment) -> None:
        """Of several in a row, the first is said."""
        if not self._lost:
            sentence = f"Segment {segment.position}: {quoted(segment.id)} does not belong here."
            self._interchange.findings.note("R-ORDER", segment.position, sentence)
        self._lost = True

    def _begin_group(self, segment: Segment) -> None:
        self._lost, self._controls = False, set()
        at = segment.at
        group = Group(self._interchange, segment.position, at(1), at(2), at(3), at(4), at(5), at(6), at(8))
        if group.version not in self._versions:
            sentence = f"Segment {segment.position}: GS08 {quoted(group.version)} is not a known version."
            group.findings.note("R-GS-VERSION", segment.position, sentence)
        if not _NUMBER.fullmatch(group.control):
            sentence = f"Segment {segment.position}: GS06 {quoted(group.control)} is not one to nine digits."
            group.findings.note("R-GS-CONTROL", segment.position, sentence)
        self._interchange.groups.append(group)
        self._group = group

    def _close_group(self, end: Segment | None) -> Iterator[Group]:
        group = self._group
        if group is None:
            return
        self._group, self._lost = None, False
        received, note = len(group.results), group.findings.note
        if end is None:
            note("R-NO-GE", group.position, f"Segment {group.position}: the group has no GE.")
            yield group
            return
        group.declared = _whole(end.at(1))
        if end.at(2) != group.control:
            sentence = f"GE02 {quoted(end.at(2))} is not GS06 {quoted(group.control)}."
            note("R-GE-CONTROL", end.position, f"Segment {end.position}: {sentence}")
        if group.declared != received:
            sentence = f"GE01 {quoted(end.at(1))}, and the group has {received} sets."
            note("R-GE-COUNT", end.position, f"Segment {end.position}: {sentence}")
        yield group

    def _close_set(self) -> Iterator[TransactionSet]:
        if self._set is None:
            return
        (group, segments, texts), terminator = self._set, self._interchange.isa.delimiters.segment
        text = terminator.join(texts).lstrip(_BLANK) + terminator
        self._set, self._lost = None, False
        self._sets += 1
        first, last, findings = segments[0], segments[-1], Findings()
        kind, control = sys.intern(first.at(1)), first.at(2)
        self._check_header(first, group, findings)
        if last.id != "SE":
            sentence = f"Segment {last.position}: the set of segment {first.position} ends without an SE."
            findings.note("R-NO-SE", last.position, sentence)
        else:
            if last.at(2) != control:
                sentence = f"SE02 {quoted(last.at(2))} is not ST02 {quoted(control)}."
                findings.note("R-SE-CONTROL", last.position, f"Segment {last.position}: {sentence}")
            if _whole(last.at(1)) != len(segments):
                sentence = f"SE01 {quoted(last.at(1))}, and the set has {len(segments)} segments."
                findings.note("R-SE-COUNT", last.position, f"Segment {last.position}: {sentence}")
        form = self._forms.get(kind)
        notes = check(segments, form, findings) if form else []
        said = Acknowledgement.ACCEPTED
        if findings:
            said = Acknowledgement.REJECTED if findings.refused else Acknowledgement.WITH_ERRORS
        result = SetResult(kind, control, said, acknowledged_as(findings), tuple(notes))
        group.results.append(result)
        yield TransactionSet(group, kind, control, first.position, segments, text, findings, result)

    def _check_header(self, first: Segment, group: Group, findings: Findings) -> None:
        kind, control, at = first.at(1), first.at(2), first.position
        form = self._forms.get(kind)
        if not kind:
            findings.note("R-ST", at, f"Segment {at}: ST01 is empty.")
        elif form and form.rules.group != group.type:
            sentence = f"a {kind} travels in a group {form.rules.group}, not in {quoted(group.type)}."
            findings.note("R-ST", at, f"Segment {at}: {sentence}")
        if not _SET_CONTROL.fullmatch(control):
            sentence = f"ST02 {quoted(control)} is not four to nine letters and digits."
            findings.note("R-ST-CONTROL", at, f"Segment {at}: {sentence}")
        elif control in self._controls:
            findings.note("R-ST-TWICE", at, f"Segment {at}: ST02 {quoted(control)} is that of an earlier set.")
        self._controls.add(control)

    def _end(self, segment: Segment) -> None:
        interchange, at = self._interchange, segment.position
        interchange.whole = True
        control, groups = interchange.isa.control, len(interchange.groups)
        if segment.at(2) != control:
            sentence = f"Segment {at}: IEA02 {quoted(segment.at(2))} is not ISA13 {quoted(control)}."
            interchange.findings.note("R-IEA-CONTROL", at, sentence)
        if _whole(segment.at(1)) != groups:
            sentence = f"Segment {at}: IEA01 {quoted(segment.at(1))}, and the interchange has {groups} groups."
            interchange.findings.note("R-IEA-COUNT", at, sentence)

    def _is_too_much(self, segment: Segment) -> bool:
        """Whether more came than any real file has; then nothing is read from this segment on."""
        too_many = segment.number > MOST_SEGMENTS or self._sets > MOST_SETS
        if not too_many and len(self._interchange.groups) <= MOST_GROUPS:
            return False
        self._tokenizer.give_up(
            segment.position - 1,
            f"more than {MOST_SEGMENTS:,} segments in a set, {MOST_SETS:,} sets or {MOST_GROUPS:,} groups.",
        )
        return True


def _whole(text: str) -> int | None:
    return int(text) if _NUMBER.fullmatch(text) else None
