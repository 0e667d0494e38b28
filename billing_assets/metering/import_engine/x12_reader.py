"""X12: the sets of a file, each with its verdict: envelope and form by `foundation/x12`, content by `x12_sets`.

A set that cannot be read is refused without touching the others. Whether its group and its interchange are good is
known only at their end, so the texts of an interchange's sets are kept until then: in memory, and beyond a few
megabytes in a temporary file.
"""

import tempfile
from collections.abc import Iterator
from decimal import Decimal
from typing import IO, BinaryIO, NamedTuple

from billing_assets.foundation.x12 import findings as x12_findings
from billing_assets.foundation.x12.acknowledgement import GROUP as ACKNOWLEDGEMENTS
from billing_assets.foundation.x12.envelope import read as read_envelope
from billing_assets.foundation.x12.interchange import Acknowledgement, FileEnd, Interchange, TransactionSet
from billing_assets.foundation.x12.syntax import segments_of
from billing_assets.metering.import_engine.messages import EXACT, FileReport, Finding, SetMessage, Severity, Verdict
from billing_assets.metering.import_engine.options import ReadOptions
from billing_assets.metering.import_engine.x12_sets.codes import finding
from billing_assets.metering.import_engine.x12_sets.options import SetOptions
from billing_assets.metering.import_engine.x12_sets.reading import read_set
from billing_assets.metering.import_engine.x12_sets.rules import set_rules
from billing_assets.metering.import_engine.x12_sets.usage_content import Usage

KEPT_CHARACTERS = 8_000_000
"""Text of the sets of an interchange that are kept in memory."""

_ORDER = {Severity.REFUSE: 0, Severity.HOLD: 1, Severity.WARN: 2}


def recognises(head: bytes) -> bool:
    """An ISA segment begins the file."""
    return head.startswith(b"ISA")


def read(source: BinaryIO, options: ReadOptions, report: FileReport) -> Iterator[SetMessage]:
    """The sets of a file. `report.interchanges` has the interchanges, with what the 997 says of each group: none of a
    file that is refused as a whole.
    """
    total = _Total()
    with _Kept() as kept:
        for event in read_envelope(source, lambda isa: set_rules(options.sets_of(isa)), options.x12_checks):
            if isinstance(event, TransactionSet):
                _note_all(report, event.findings)
                kept.add(event)
            elif isinstance(event, Interchange):
                report.interchanges.append(event)
                yield from _settle(event, kept, total, options.sets_of(event.isa), report)
                kept.clear()
            elif isinstance(event, FileEnd):
                _note_all(report, event.findings)
                total.refused = total.refused or event.refused
    if total.refused:
        report.interchanges.clear()
    report.acknowledgement = total.acknowledgement()
    if total.is_refused():
        report.worst = Verdict.REFUSE
    elif total.held and report.worst is Verdict.ACCEPT:
        report.worst = Verdict.HOLD


class _Set(NamedTuple):
    """A set as it is kept. `group`: position of its GS. `characters`: of its text."""

    type: str
    control: str
    position: int
    group: int
    refused: bool
    codes: tuple[str, ...]  # of its envelope and form
    characters: int


class _Kept:
    """Sets of an interchange, in their order; their texts in bounded memory."""

    def __init__(self) -> None:
        self._sets: list[_Set] = []
        self._texts: list[str] = []
        self._characters = 0
        self._file: IO[bytes] | None = None
        self._in_file = 0

    def __enter__(self) -> "_Kept":
        return self

    def __exit__(self, *exc: object) -> None:
        self.clear()

    def add(self, found: TransactionSet) -> None:
        codes = tuple(dict.fromkeys(one.code for one in found.findings)) if found.findings else ()
        text, refused = found.text, bool(codes) and found.findings.refused
        kept = (found.type, found.control, found.position, found.group.position, refused, codes, len(text))
        self._sets.append(_Set(*kept))
        self._texts.append(text)
        self._characters += len(text)
        if self._characters > KEPT_CHARACTERS:
            if self._file is None:
                self._file = tempfile.TemporaryFile()  # noqa: SIM115  (closed by `clear`)
            self._file.write("".join(self._texts).encode("latin-1"))
            self._in_file += len(self._texts)
            self._texts, self._characters = [], 0

    def __iter__(self) -> Iterator[tuple[_Set, str]]:
        in_file = self._in_file
        if self._file is not None:
            self._file.seek(0)
            for found in self._sets[:in_file]:
                yield found, self._file.read(found.characters).decode("latin-1")
        yield from zip(self._sets[in_file:], self._texts, strict=True)

    def clear(self) -> None:
        self._sets, self._texts, self._characters, self._in_file = [], [], 0, 0
        if self._file is not None:
            self._file.close()
            self._file = None


class _Total:
    """What came of a file so far."""

    def __init__(self) -> None:
        self.refused = False  # as a whole
        self.held = False
        self.interchanges = 0  # that are not refused
        self.sets = 0
        self.live_sets = 0  # that are not refused
        self.said: set[Acknowledgement] = set()  # of groups that are answered

    def acknowledgement(self) -> Acknowledgement | None:
        """All answers in one word; None where none goes back."""
        said = self.said
        if self.refused or not said:
            return None
        if said == {Acknowledgement.REJECTED}:
            return Acknowledgement.REJECTED
        if said & {Acknowledgement.REJECTED, Acknowledgement.PARTLY}:
            return Acknowledgement.PARTLY
        return Acknowledgement.WITH_ERRORS if Acknowledgement.WITH_ERRORS in said else Acknowledgement.ACCEPTED

    def is_refused(self) -> bool:
        """Whether nothing of the file counts."""
        return self.refused or not self.interchanges or (self.sets > 0 and not self.live_sets)


def _settle(
    interchange: Interchange, kept: _Kept, total: _Total, options: SetOptions, report: FileReport
) -> Iterator[SetMessage]:
    """The sets of an interchange with their last word, and its findings in the report."""
    if interchange.duplicate and not interchange.refused:
        sentence = f"The interchange {interchange.isa.control} was read before; it has no second effect."
        _add(report, finding("DUPLICATE_INTERCHANGE", interchange.position, sentence))
        total.interchanges += 1
        return
    total.interchanges += not interchange.refused
    _note_all(report, interchange.findings)
    controls: dict[int, str] = {}
    refused: dict[int, list[str]] = {}
    for group in interchange.groups:
        controls[group.position] = group.control
        _note_all(report, group.findings)
        if not interchange.refused and group.type != ACKNOWLEDGEMENTS:
            total.said.add(group.acknowledgement)
        if interchange.refused or group.findings.refused:
            refused[group.position] = _refusing(interchange.findings) + _refusing(group.findings)
    for found, text in kept:
        message = _message(found, text, interchange, options, report)
        message.group = controls[found.group]
        if found.group in refused:
            _refuse(message, refused[found.group])
        total.sets += 1
        total.live_sets += message.verdict is not Verdict.REFUSE
        total.held = total.held or message.verdict is Verdict.HOLD
        if isinstance(message.content, Usage) and message.content.intervals:
            _count_intervals(message.content, report)
        yield message


def _message(found: _Set, text: str, interchange: Interchange, options: SetOptions, report: FileReport) -> SetMessage:
    """The set as a message, as if its group and its interchange were good."""
    isa = interchange.isa
    read = read_set(found.type, segments_of(text, isa.delimiters, found.position), options)
    message = SetMessage(
        found.type,
        found.control,
        found.position,
        Verdict.REFUSE,
        list(found.codes),
        text,
        read.keys,
        interchange=isa.control,
        sender=isa.sender,
    )
    if found.refused:
        return message
    message.verdict = Verdict.ACCEPT
    message.quantities, message.total, message.content = read.quantities, read.total, read.content
    if read.findings:
        for one in sorted(read.findings, key=lambda one: _ORDER[one.severity]):
            if one.code not in message.codes:
                message.codes.append(one.code)
            if one.severity is Severity.HOLD:
                message.verdict = Verdict.HOLD
        for one in read.findings:
            _add(report, one)
    return message


def _refuse(message: SetMessage, codes: list[str]) -> None:
    """A set whose group or interchange is refused: nothing of it counts."""
    message.verdict, message.content, message.quantities, message.total = Verdict.REFUSE, None, {}, None
    message.codes = list(dict.fromkeys([*codes, *message.codes]))


def _count_intervals(usage: Usage, report: FileReport) -> None:
    for block in usage.intervals:
        quantity = sum(block.values.tolist())
        report.totals(block.stream).add(len(block.values), EXACT.scaleb(Decimal(quantity), -block.decimals), block.day)
        for run in block.runs:
            report.quality[run.quality] += run.last - run.first + 1
        if not block.runs:
            report.quality[block.quality] += len(block.values)


def _refusing(findings: x12_findings.Findings) -> list[str]:
    return [one.code for one in findings if one.scope is not x12_findings.Scope.WARNING]


def _severity(found: x12_findings.Finding) -> Severity:
    return Severity.WARN if found.scope is x12_findings.Scope.WARNING else Severity.REFUSE


def _note_all(report: FileReport, findings: x12_findings.Findings) -> None:
    for one in findings:
        report.add(one.code, one.position, one.sentence, _severity(one), whole=False)


def _add(report: FileReport, one: Finding) -> None:
    report.add(one.code, one.line, one.sentence, one.severity, whole=False)
