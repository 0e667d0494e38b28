"""X12: the sets of a file, each with its verdict: envelope and form by `foundation/x12`, content by `x12_sets`.

A set that cannot be read is refused without touching the others. Whether its group and its interchange stand is known
only at their end, so the sets of an interchange are kept until then: in memory, and beyond a few megabytes in a
temporary file.
"""

import pickle
import tempfile
from collections.abc import Iterator
from decimal import Decimal
from typing import IO, BinaryIO, NamedTuple

from billing_assets.foundation.x12 import findings as x12_findings
from billing_assets.foundation.x12.envelope import read as read_envelope
from billing_assets.foundation.x12.interchange import Acknowledgement, FileEnd, Interchange, TransactionSet
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
    """The sets of a file. `report.interchanges` has the interchanges, with what the 997 says of each group."""
    total = _Total()
    with _Kept() as kept:
        for event in read_envelope(source, set_rules(options.sets), options.x12_checks):
            if isinstance(event, TransactionSet):
                kept.add(_message(event, options.sets))
            elif isinstance(event, Interchange):
                report.interchanges.append(event)
                yield from _settle(event, kept, total, report)
                kept.clear()
            elif isinstance(event, FileEnd):
                _note_all(report, event.findings)
                total.refused = total.refused or event.refused
    report.acknowledgement = total.acknowledgement()
    if total.refused or report.acknowledgement == Acknowledgement.REJECTED:
        report.worst = Verdict.REFUSE
    elif total.held and report.worst is Verdict.ACCEPT:
        report.worst = Verdict.HOLD


class _Judged(NamedTuple):
    """A set with what was found in it. `group`: position of its GS."""

    message: SetMessage
    findings: list[Finding]
    group: int


class _Kept:
    """Sets of an interchange, in their order, in bounded memory."""

    def __init__(self) -> None:
        self._sets: list[_Judged] = []
        self._characters = 0
        self._file: IO[bytes] | None = None
        self._in_file = 0

    def __enter__(self) -> "_Kept":
        return self

    def __exit__(self, *exc: object) -> None:
        self.clear()

    def add(self, judged: _Judged) -> None:
        self._sets.append(judged)
        self._characters += len(judged.message.text)
        if self._characters > KEPT_CHARACTERS:
            if self._file is None:
                self._file = tempfile.TemporaryFile()  # noqa: SIM115  (closed by `clear`)
            for one in self._sets:
                pickle.dump(tuple(one), self._file, protocol=5)
            self._in_file += len(self._sets)
            self._sets, self._characters = [], 0

    def __iter__(self) -> Iterator[_Judged]:
        if self._file is not None:
            self._file.seek(0)
            for _ in range(self._in_file):
                yield _Judged(*pickle.load(self._file))  # noqa: S301  (we have written it, and no one else can)
        yield from self._sets

    def clear(self) -> None:
        self._sets, self._characters, self._in_file = [], 0, 0
        if self._file is not None:
            self._file.close()
            self._file = None


class _Total:
    """What came of a file so far."""

    def __init__(self) -> None:
        self.refused = False
        self.held = False
        self.said: set[Acknowledgement] = set()

    def acknowledgement(self) -> Acknowledgement:
        """All interchanges in one word."""
        if self.refused or not self.said or self.said == {Acknowledgement.REJECTED}:
            return Acknowledgement.REJECTED
        if self.said & {Acknowledgement.REJECTED, Acknowledgement.PARTLY}:
            return Acknowledgement.PARTLY
        return Acknowledgement.WITH_ERRORS if Acknowledgement.WITH_ERRORS in self.said else Acknowledgement.ACCEPTED


def _message(found: TransactionSet, options: SetOptions) -> _Judged:
    """The set as a message, as if its group and its interchange were good."""
    findings = [Finding(one.code, one.position, one.sentence, _severity(one)) for one in found.findings]
    read = read_set(found.type, found.segments, options)
    group = found.group
    message = SetMessage(
        found.type,
        found.control,
        found.position,
        Verdict.REFUSE,
        [],
        found.text,
        read.keys,
        interchange=group.interchange.isa.control,
        group=group.control,
        sender=group.interchange.isa.sender,
    )
    if not found.findings.refused:
        findings += read.findings
        message.verdict = Verdict.ACCEPT
        message.quantities, message.total, message.content = read.quantities, read.total, read.content
        if any(one.severity is Severity.HOLD for one in read.findings):
            message.verdict = Verdict.HOLD
    if findings:
        message.codes = list(dict.fromkeys(one.code for one in sorted(findings, key=lambda one: _ORDER[one.severity])))
    return _Judged(message, findings, group.position)


def _settle(interchange: Interchange, kept: _Kept, total: _Total, report: FileReport) -> Iterator[SetMessage]:
    """The sets of an interchange with their last word, and its findings in the report."""
    if interchange.duplicate and not interchange.refused:
        sentence = f"The interchange {interchange.isa.control} was read before; it has no second effect."
        _add(report, finding("DUPLICATE_INTERCHANGE", interchange.position, sentence))
        total.said.add(Acknowledgement.ACCEPTED)
        return
    total.said.add(interchange.acknowledgement)
    _note_all(report, interchange.findings)
    refused: dict[int, list[str]] = {}
    for group in interchange.groups:
        _note_all(report, group.findings)
        codes = _refusing(interchange.findings) + _refusing(group.findings)
        if interchange.refused or group.findings.refused:
            refused[group.position] = codes
    for message, findings, group_position in kept:
        for one in findings:
            _add(report, one)
        if group_position in refused:
            _refuse(message, refused[group_position])
        total.held = total.held or message.verdict is Verdict.HOLD
        if isinstance(message.content, Usage):
            _count_intervals(message.content, report)
        yield message


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
