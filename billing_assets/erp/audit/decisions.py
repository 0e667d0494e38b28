"""What auditors decide: rows of their files checked one by one, kept with who and when, and what follows from them."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import structlog

from billing_assets.erp.audit import decision_store as store
from billing_assets.erp.audit import files
from billing_assets.erp.audit.decision_store import Subject
from billing_assets.erp.audit.files import DECISIONS, FileRow
from billing_assets.erp.documents.documents import State
from billing_assets.erp.documents.validation_rules import Finding, finding
from billing_assets.erp.staging import audit_holds
from billing_assets.foundation.cells import changed_by_spreadsheet, csv_cell
from billing_assets.foundation.database.connection import Connection

log = structlog.get_logger(__name__)

_LONGEST_COMMENT = 500
_LONGEST_NAME = 80
_ON_ITS_WAY = frozenset({State.LOCKED, State.POSTING, State.POSTED})


class Problem(NamedTuple):
    """Why a row of a file is not taken: where it stands, what stands there, and what to do."""

    row: int
    column: str
    value: str
    message: str

    def __str__(self) -> str:
        value = "".join(char if char.isprintable() else " " for char in self.value)
        shown = value if len(value) <= 60 else f"{value[:59]}…"
        return f"row {self.row}, column {self.column}, “{shown}”: {self.message}"


class Decision(NamedTuple):
    """A row of a file that is taken."""

    row: int
    subject: Subject
    decision: str
    comment: str


@dataclass(frozen=True)
class Imported:
    """What an import did. `unchanged` rows say what stands already, or were taken before: `taken_before` in an earlier
    import of this very file. `notes` say what a hold came too late for."""

    taken: list[Decision]
    unchanged: int
    taken_before: int
    problems: list[Problem]
    notes: list[str]


def check(
    rows: Sequence[FileRow], subjects: Mapping[str, Subject], taken_before: Container[int], by: str
) -> tuple[list[Decision], int, list[Problem]]:
    """The decisions of a file's rows, how many say what stands already, and what is wrong with the others.

    `subjects` by reference; `taken_before` are the rows of this very file that an earlier import took.
    """
    decisions: list[Decision] = []
    problems: list[Problem] = []
    unchanged = 0
    seen: dict[str, int] = {}
    numbers = {(subject.number or "").strip() for subject in subjects.values()}
    for row in rows:
        if not row.filled_in:
            continue
        if row.row in taken_before:
            seen[row.reference] = row.row
            unchanged += 1
        elif row.fault:
            problems.append(Problem(row.row, *row.fault))
        elif problem := _problem(row, subjects.get(row.reference), numbers, seen):
            problems.append(problem)
        else:
            subject, decision = subjects[row.reference], row.decision.casefold()
            if (subject.last_decision, subject.last_comment, subject.last_by) == (decision, row.comment, by):
                unchanged += 1
            elif stale := _stale(row, subject):
                problems.append(stale)
            else:
                decisions.append(Decision(row.row, subject, decision, row.comment))
            seen[row.reference] = row.row
    return decisions, unchanged, problems


def _problem(row: FileRow, subject: Subject | None, numbers: Container[str], seen: Mapping[str, int]) -> Problem | None:
    decision = row.decision.casefold()
    if subject is None:
        what = (
            "no document or contract in the queue has this reference. Take the row from a new `billing audit export`."
        )
        return Problem(row.row, "Reference", row.reference, what)
    if other := _other_number(row, subject, numbers):
        return Problem(row.row, "Number", row.number, other)
    if row.reference in seen:
        what = f"decided in row {seen[row.reference]} already. Leave one of the two rows."
        return Problem(row.row, "Reference", row.reference, what)
    if not decision:
        return Problem(row.row, "Decision", "", f"empty beside a comment. Write {_choice()}.")
    if decision not in DECISIONS:
        return Problem(row.row, "Decision", row.decision, f"write {_choice()}, or leave it and the comment empty.")
    if decision in {"hold", "comment"} and not row.comment:
        return Problem(row.row, "Comment", "", f"say why: a {decision} needs words that others understand.")
    if len(row.comment) > _LONGEST_COMMENT:
        what = f"{len(row.comment)} characters; at most {_LONGEST_COMMENT} are kept. Shorten it."
        return Problem(row.row, "Comment", row.comment, what)
    if "\0" in row.comment:
        return Problem(row.row, "Comment", row.comment.replace("\0", "␀"), "holds a NUL character. Remove it.")
    if decision == "hold":
        return _not_to_be_held(row, subject)
    return None


def _other_number(row: FileRow, subject: Subject, numbers: Container[str]) -> str | None:
    """What is wrong where the number is not that of the reference. A spreadsheet that made 7 of 007 is forgiven.

    `numbers` are those of all the file's documents: another's number was sorted here.
    """
    exported = subject.number or ""
    known = " ".join(exported.split())
    shown = " ".join(row.number.split())
    if shown in {known, " ".join(csv_cell(exported).split())}:
        return None
    if shown not in numbers and shown.lstrip("0") == known.lstrip("0"):
        return None
    if changed_by_spreadsheet(known, shown) and (shown not in numbers or known.startswith("0")):
        return (
            f"the reference {row.reference} is of number {known}, which a spreadsheet took for a number or a date and "
            "changed. Fill in the .xlsx of a new `billing audit export`: it keeps numbers as they are."
        )
    return f"the reference {row.reference} is of number {known or '(none)'}. Undo the sorting of single columns."


def _stale(row: FileRow, subject: Subject) -> Problem | None:
    """Why a row is not taken that was filled in before others decided, or before the document changed.

    A hold is taken also where the document changed: that it waits harms less than that it goes.
    """
    seen = files.parse_seen(row.seen)
    if seen is None:
        what = "not as it was exported. Take the row from a new `billing audit export`."
        return Problem(row.row, "For the machine", row.seen, what)
    if seen.last_decision != (subject.last_id or 0):
        at = f"{subject.last_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if subject.last_at else "an unknown time"
        what = f"since this file was exported, {subject.last_by} decided {subject.last_decision} ({at}). Export again."
        return Problem(row.row, "Decision", row.decision, what)
    if seen.content != subject.content and row.decision.casefold() != "hold":
        what = "what the document charges has changed since this file was exported. Export again."
        return Problem(row.row, "Decision", row.decision, what)
    return None


def _not_to_be_held(row: FileRow, subject: Subject) -> Problem | None:
    if subject.document is None:
        what = "the contract has no document in this month, so there is nothing to hold. Write comment, or approve."
        return Problem(row.row, "Decision", row.decision, what)
    if subject.state == State.POSTED:
        known = f" as {subject.transaction_number}" if subject.transaction_number else ""
        what = (
            f"it is in NetSuite already{known} and cannot be held. Write comment, and have it credited if it is wrong."
        )
        return Problem(row.row, "Decision", row.decision, what)
    return None


def _choice() -> str:
    return f"{', '.join(DECISIONS[:-1])} or {DECISIONS[-1]}"


def import_decisions(
    connection: Connection, source: str, path: Path, by: str, *, strict: bool = False, now: datetime | None = None
) -> Imported:
    """Takes over an auditor's file; importing the same file is safe to repeat. With `strict` all of it or nothing.

    A hold takes effect at once on what no run has locked; an approval at the next staging. Raises FileError.
    """
    by = " ".join(by.split())
    if not by or len(by) > _LONGEST_NAME:
        raise files.FileError(f"--by: say who decided, in at most {_LONGEST_NAME} characters.")
    digest, rows = files.read(path)
    with connection.transaction():
        store.serialise(connection, source)
        references = [row.reference for row in rows if "\0" not in row.reference]  # PostgreSQL takes no such text
        subjects = store.subjects(connection, source, references)
        before = store.rows_taken(connection, digest)
        decisions, unchanged, problems = check(rows, subjects, before, by)
        if strict and problems:
            return Imported([], unchanged, len(before), problems, [])
        store.append(
            connection, source, by, digest, [(one.row, one.subject, one.decision, one.comment) for one in decisions]
        )
        notes = _follow(connection, decisions, by, now or datetime.now(UTC))
    counts = {name: sum(one.decision == name for one in decisions) for name in DECISIONS}
    log.info("decisions_imported", unchanged=unchanged, refused=len(problems), **counts)
    return Imported(decisions, unchanged, len(before), problems, notes)


def _follow(connection: Connection, decisions: Sequence[Decision], by: str, now: datetime) -> list[str]:
    held = {
        one.subject.document: _hold(one.comment, by, now)
        for one in decisions
        if one.decision == "hold" and one.subject.document is not None
    }
    approved = [
        one.subject.document for one in decisions if one.decision == "approve" and one.subject.document is not None
    ]
    if approved:
        audit_holds.release(connection, approved)
    if not held:
        return []
    audit_holds.place(connection, held)
    late = store.states(connection, list(held))
    return [
        f"{number}: a run has it just now ({state}). It is held unless it was sent already; look again in some minutes."
        for number, state in late
        if state in _ON_ITS_WAY
    ]


def _hold(comment: str, by: str, now: datetime) -> Finding:
    return finding("AUDIT_HOLD", "", by, f"Held by {by} on {now:%Y-%m-%d}: {comment}")
