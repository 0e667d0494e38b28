"""What NEM12 and NEM13 have in common: one 100 header first, one 900 end last, and between them only their records."""

from collections.abc import Iterable
from datetime import timedelta

from billing_assets.metering.import_engine.findings import note
from billing_assets.metering.import_engine.messages import FileReport, Severity
from billing_assets.metering.import_engine.nem.codes import NEM
from billing_assets.metering.import_engine.nem.fields import Found, moment

RECORDS = {"NEM12": frozenset({"200", "300", "400", "500"}), "NEM13": frozenset({"250", "550"})}
LONGEST_RECORD = 4_096
"""Bytes of any record but a 300: twice what all its fields may have."""

_BODY = frozenset[str]().union(*RECORDS.values())


def starts_as(head: bytes) -> str | None:
    """Which of the two a file wants to be, by its first record; None for another kind of file."""
    first = head[:64].split(b"\n")[0].rstrip().split(b",")
    indicator = first[0].strip().decode("latin-1")
    if indicator in {"100", "900"}:
        return "NEM13" if len(first) > 1 and first[1].strip() == b"NEM13" else "NEM12"
    return next((version for version, records in RECORDS.items() if indicator in records), None)


class Frame:
    """The header, the end, and the order of both."""

    def __init__(self, version: str, report: FileReport) -> None:
        self.version = version
        self._report = report
        self._begun = False
        self._header = False
        self._ended = False
        self._goes_on = False

    @property
    def is_open(self) -> bool:
        """Whether a record of the body may come."""
        return self._begun and not self._ended

    def admit(self, number: int, line: bytes) -> list[str] | None:
        """The fields of a line, without blanks around; None where it is none of the body's records."""
        text = line.decode()
        fields = [field.strip() for field in text.split(",")]
        if not any(fields):
            self._blank(number, text)
            return None
        if sum(map(len, fields)) + len(fields) - 1 != len(text):
            note(self._report, NEM["W-SPACES"], number)
        indicator = fields[0]
        if len(line) > LONGEST_RECORD and indicator != "300":
            note(self._report, NEM["R-LINE-LENGTH"], number, limit=f"{LONGEST_RECORD:,}")
            return None
        if not self._begun:
            self._begun = True
            if indicator != "100":
                note(self._report, NEM["R-NO-100"], number, indicator=indicator)
        if self._ended and not self._goes_on:
            self._goes_on = True
            note(self._report, NEM["R-AFTER-900"], number)
        if indicator == "100":
            self._head(number, fields)
        elif indicator == "900":
            self._end(number, fields)
        elif indicator in RECORDS[self.version]:
            return fields
        else:
            code = "R-WRONG-VERSION" if indicator in _BODY else "R-UNKNOWN-RECORD"
            note(self._report, NEM[code], number, indicator=indicator, version=self.version)
        return None

    def finish(self, number: int, *, has_data: bool) -> None:
        """Notes what is missing at the end; `number`: of the last line."""
        if not self._ended:
            note(self._report, NEM["R-NO-900"], number)
        if not has_data:
            note(self._report, NEM["W-NO-DATA"])

    def _blank(self, number: int, text: str) -> None:
        if "," in text:
            note(self._report, NEM["W-PADDING"], number)
        elif not self._begun:
            note(self._report, NEM["W-BLANK-LEAD"], number)
        elif not self._ended:
            note(self._report, NEM["W-BLANK-LINE"], number)

    def _head(self, number: int, fields: list[str]) -> None:
        if self._header:
            note(self._report, NEM["R-SECOND-100"], number)
            return
        self._header = True
        _, version, created, sender, receiver = fit(fields, 2, 5, self._report, number)
        if version not in RECORDS:
            note(self._report, NEM["R-VERSION"], number, version=version)
        if moment(created, 12, timedelta(0)) is None:
            note(self._report, NEM["R-HEADER-DATE"], number, value=created)
        if not (1 <= len(sender) <= 10 and 1 <= len(receiver) <= 10):
            note(self._report, NEM["W-PARTICIPANT"], number, sender=sender, receiver=receiver)
        self._report.header = {"version": version, "created": created, "from": sender, "to": receiver}

    def _end(self, number: int, fields: list[str]) -> None:
        fit(fields, 1, 1, self._report, number)
        if self._ended:
            note(self._report, NEM["R-SECOND-900"], number)
        self._ended = True


def fit(fields: list[str], least: int, most: int, report: FileReport, number: int) -> list[str]:
    """The fields of a record, filled up with empty ones to `most`. Notes a wrong number of them."""
    if len(fields) > most and not any(fields[most:]):
        note(report, NEM["W-PADDING"], number)
    elif not least <= len(fields) <= most:
        want = str(most) if least == most else f"{least} to {most}"
        note(report, NEM["R-FIELDS"], number, got=len(fields), want=want, indicator=fields[0])
    return fields[:most] + [""] * (most - len(fields))


def note_all(report: FileReport, number: int, found: Iterable[Found]) -> bool:
    """Notes findings of a line; whether one of them refuses the file."""
    refused = False
    for name, facts in found:
        code = NEM[name]
        note(report, code, number, **facts)
        refused = refused or code.severity is Severity.REFUSE
    return refused
