"""Findings as a CSV file that a person fills in, and the decisions and edits that come back, for many at once."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from billing_assets.foundation.cells import FOR_PEOPLE, read_csv, spoiled, write_csv
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.errors import BillingError
from billing_assets.metering.validation import store
from billing_assets.metering.validation.clerk import Change, edit, estimate, verify
from billing_assets.metering.validation.profiles import Profile

FINDING_COLUMNS = (
    "finding",
    "point",
    "suffix",
    "begin",
    "end",
    "day",
    "rule",
    "severity",
    "observed",
    "allowed",
    "sentence",
    "action",
    "why",
)
EDIT_COLUMNS = ("point", "suffix", "start", "value")
ACTIONS = ("verify", "estimate", "replace")
"""What `action` may say: the data is right; estimate what is missing of the day or the period; estimate all of it."""


class FileError(BillingError, ValueError):
    """A file that is not as it should be."""


class Problem(NamedTuple):
    """A row that was not taken. `line`: from 1, the head is line 1."""

    line: int
    sentence: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.sentence}"


class Taken(NamedTuple):
    """What was taken of a file; the rows with problems were not."""

    decisions: int
    problems: list[Problem]


def write_findings(path: Path, findings: Iterable[Mapping[str, Any]]) -> int:
    """Writes findings for people to fill in `action` and `why`. How many."""
    with path.open("w", encoding=FOR_PEOPLE, newline="") as file:
        return write_csv(file, [FINDING_COLUMNS, *(_cells(one) for one in findings)]) - 1


def _cells(one: Mapping[str, Any]) -> list[Any]:
    known = {"finding": one["id"], "begin": one["begins"], "end": one["ends"], "action": "", "why": ""}
    return ["" if (value := (dict(one) | known)[name]) is None else value for name in FINDING_COLUMNS]


def decide_from(
    connection: Connection,
    path: Path,
    by: str,
    *,
    today: date,
    profiles: Mapping[str, Profile] = MappingProxyType({}),
) -> Taken:
    """Takes the decisions of a file of findings, each row on its own; rows without an action are left as they are.

    Raises FileError for a file without the columns.
    """
    taken, problems = 0, []
    for line, row in _rows(path, ("finding", "action", "why")):
        action = row["action"].strip().lower()
        if not action:
            continue
        try:
            _decide(connection, row, action, by, today, profiles)
        except (BillingError, ValueError) as error:
            problems.append(Problem(line, str(error)))
        else:
            taken += 1
    return Taken(taken, problems)


def _decide(
    connection: Connection,
    row: Mapping[str, str],
    action: str,
    by: str,
    today: date,
    profiles: Mapping[str, Profile],
) -> None:
    if action not in ACTIONS:
        raise FileError(f"“{action}” is no action: use one of {', '.join(ACTIONS)}.")
    if not row["why"].strip():
        raise FileError("It does not say why.")
    if not row["finding"].strip().isdecimal():
        raise FileError(f"“{row['finding']}” is not the number of a finding.")
    number = int(row["finding"])
    if action == "verify":
        verify(connection, number, by, row["why"])
        return
    found = store.finding(connection, number)
    if found is None:
        raise FileError(f"There is no finding {number}.")
    day, point, suffix, over = found["day"], found["point"], found["suffix"], action == "replace"
    begin, end = (day, day + timedelta(days=1)) if day else (found["begins"], found["ends"])
    done = estimate(connection, point, suffix, begin, end, by, row["why"], today=today, over=over, profiles=profiles)
    if not done.intervals:
        raise FileError(f"It could not be estimated. {done.left[0][2] if done.left else ''}".strip())


def edit_from(connection: Connection, path: Path, by: str, why: str, *, today: date) -> Taken:
    """Takes the values of a file, one interval a row (`start` with its offset from UTC), each stream on its own.

    Raises FileError for a file without the columns.
    """
    streams: dict[tuple[str, str], list[Change]] = {}
    lines: dict[tuple[str, str], int] = {}
    problems = []
    for line, row in _rows(path, EDIT_COLUMNS):
        key = row["point"].strip(), row["suffix"].strip()
        lines.setdefault(key, line)
        if spoiled(key[0]):
            said = f"“{key[0]}” is what a spreadsheet made of a point: format the column as text."
            problems.append(Problem(line, said))
            continue
        try:
            streams.setdefault(key, []).append(Change(_moment(row["start"]), _value(row["value"])))
        except FileError as error:
            problems.append(Problem(line, str(error)))
    if problems:  # half of a day's values would be worse than none
        return Taken(0, problems)
    taken = 0
    for (point, suffix), changes in streams.items():
        try:
            edit(connection, point, suffix, changes, by, why, today=today)
        except (BillingError, ValueError) as error:
            problems.append(Problem(lines[point, suffix], str(error)))
        else:
            taken += 1
    return Taken(taken, problems)


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise FileError(f"“{text}” is not a time such as 2026-07-01T00:15:00-05:00.") from None
    if found.tzinfo is None:
        raise FileError(f"“{text}” does not say its offset from UTC, such as 2026-07-01T00:15:00-05:00.")
    return found


def _value(text: str) -> Decimal:
    try:
        found = Decimal(text.strip())
    except InvalidOperation:
        raise FileError(f"“{text}” is not a quantity.") from None
    if not found.is_finite():
        raise FileError(f"“{text}” is not a quantity.")
    return found


def _rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a file by the titles of their columns, with their lines. Raises FileError."""
    try:
        rows = list(read_csv(path.read_text(encoding=FOR_PEOPLE), columns))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FileError(f"{path.name} cannot be read as a CSV file: {error}.") from error
    titles = [cell.strip().casefold() for cell in rows[0][1]] if rows else []
    if missing := [name for name in columns if name not in titles]:
        raise FileError(f"{path.name} has no column {', '.join(missing)}.")
    for line, cells in rows[1:]:
        if any(cell.strip() for cell in cells):
            by_title = dict(zip(titles, cells, strict=False))
            yield line, {name: by_title.get(name, "") for name in columns}
