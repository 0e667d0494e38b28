"""Master data from CSV files: service points, meters with registers and clocks, streams, supply periods.

A folder has a file for each kind, as far as it brings that kind: `service_points.csv`, `meters.csv`, `registers.csv`,
`streams.csv`, `meter_clocks.csv`, `supply_periods.csv`, in UTF-8, with a line of column names, as a text editor or a
spreadsheet writes it. The columns are those of `KINDS`; those with a default may be missing or empty. A row is known by
its key and its `valid_from`: one that says something else takes the place of the row before, which is kept; what a file
does not name stays as it is.
"""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from billing_assets.foundation.calendar.business_days import parse_zone
from billing_assets.foundation.cells import read_csv, spoiled
from billing_assets.foundation.errors import BillingError

Row = dict[str, Any]
_REQUIRED = object()


class MasterDataError(BillingError):
    """Master data cannot be taken; none of it was. `where`: file and line."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__(f"{where}: {what} Nothing was loaded.")
        self.where = where


@dataclass(frozen=True, slots=True)
class Column:
    """A column: how its text is read, and its value where there is none."""

    read: Callable[[str], Any] = str
    default: Any = _REQUIRED


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of master data. `key`: what a row is of, without the date from which it counts."""

    name: str
    table: str
    key: tuple[str, ...]
    columns: Mapping[str, Column]


def read_whole(text: str) -> int:
    """A whole number of a cell. Raises ValueError, as all of these do."""
    if not (text.isascii() and text.isdigit()):
        raise ValueError("is no whole number")
    return int(text)


def _seconds(text: str) -> int:
    """A whole number of seconds, with a sign where it is below zero."""
    return -read_whole(text[1:]) if text.startswith("-") else read_whole(text.removeprefix("+"))


def read_number(text: str) -> Decimal:
    """A number above zero."""
    try:
        found = Decimal(text)
    except InvalidOperation:
        raise ValueError("is no number") from None
    if not found.is_finite() or found <= 0:
        raise ValueError("is no number above zero")
    return found


def read_day(text: str) -> date:
    """A date."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError("is no date; write YYYY-MM-DD") from None


def _zone(text: str) -> str:
    parse_zone(text)
    return text


def read_one_of(*choices: str) -> Callable[[str], str]:
    """One of some words."""

    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"is none of {', '.join(choices)}")
        return text

    return read


def read_yes(text: str) -> bool:
    """True or false."""
    found = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(text.lower())
    if found is None:
        raise ValueError("is neither true nor false")
    return found


PERIOD = {"valid_from": Column(read_day), "valid_until": Column(read_day, None)}
"""The columns that every kind has."""
_DIRECTION = Column(read_one_of("consumption", "generation"), "consumption")
_TEXT = Column(str, "")

KINDS = (
    Kind(
        "service_points",
        "service_points",
        ("point",),
        {
            "point": Column(),
            **PERIOD,
            "zone": Column(_zone, "UTC"),
            "service": Column(str, "electricity"),
            "class": _TEXT,
            "market": _TEXT,
            "utility": _TEXT,
        },
    ),
    Kind("meters", "meters", ("point", "serial"), {"point": Column(), "serial": Column(), **PERIOD}),
    Kind(
        "registers",
        "registers",
        ("point", "serial", "register"),
        {
            "point": Column(),
            "serial": Column(),
            "register": Column(),
            "suffix": _TEXT,
            "digits": Column(read_whole, None),
            "decimals": Column(read_whole, 0),
            "multiplier": Column(read_number, Decimal(1)),
            "unit": _TEXT,
            "direction": _DIRECTION,
            **PERIOD,
        },
    ),
    Kind(
        "streams",
        "stream_terms",
        ("point", "suffix"),
        {
            "point": Column(),
            "suffix": Column(),
            "unit": _TEXT,
            "length_seconds": Column(read_whole, 0),
            "billed": Column(read_yes, default=True),
            "direction": _DIRECTION,
            "part_of": _TEXT,
            **PERIOD,
        },
    ),
    Kind(
        "meter_clocks",
        "meter_clocks",
        ("point", "serial"),
        {"point": Column(), "serial": Column(), "seconds": Column(_seconds), **PERIOD},
    ),
    Kind("supply_periods", "supply_periods", ("point",), {"point": Column(), "account": Column(), **PERIOD}),
)
"""All of it, in the order in which it is loaded."""


def read_folder(folder: Path, kinds: Sequence[Kind] = KINDS) -> dict[str, Iterator[Row]]:
    """The rows of a folder's files, by kind. Raises MasterDataError when they are read, and where there is no file."""
    found = {kind.name: folder / f"{kind.name}.csv" for kind in kinds}
    there = {name: path for name, path in found.items() if path.is_file()}
    if not there:
        raise MasterDataError(str(folder), f"there is none of {', '.join(path.name for path in found.values())}.")
    return {kind.name: read_file(kind, there[kind.name]) for kind in kinds if kind.name in there}


def read_file(kind: Kind, path: Path) -> Iterator[Row]:
    """The rows of a file. Raises MasterDataError."""
    seen: dict[tuple[Any, ...], int] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = read_csv(file, kind.columns)
            names = [name.strip() for name in next(rows, (0, []))[1]]
            _check_names(kind, path, names)
            for line, values in rows:
                if not any(values):
                    continue
                where = f"{path.name} line {line}"
                if len(values) != len(names):
                    raise MasterDataError(where, f"{len(values)} fields, and {len(names)} columns.")
                row = read_row(kind, dict(zip(names, values, strict=True)), where)
                key = (*(row[name] for name in kind.key), row["valid_from"])
                if (before := seen.setdefault(key, line)) != line:
                    raise MasterDataError(where, f"the same as line {before} from {row['valid_from']}.")
                yield row
    except UnicodeDecodeError:
        raise MasterDataError(path.name, "it is not UTF-8.") from None
    except csv.Error as error:
        raise MasterDataError(path.name, f"{error}.") from None
    except OSError as error:
        raise MasterDataError(path.name, f"it cannot be read ({error.strerror}).") from None


def _check_names(kind: Kind, path: Path, names: list[str]) -> None:
    if unknown := [name for name in names if name not in kind.columns]:
        raise MasterDataError(path.name, f"there is no column {unknown[0]!r}; use {', '.join(kind.columns)}.")
    if len(set(names)) < len(names):
        raise MasterDataError(path.name, "a column is there twice.")
    if missing := [name for name, one in kind.columns.items() if one.default is _REQUIRED and name not in names]:
        raise MasterDataError(path.name, f"the column {missing[0]} is missing.")


def read_row(kind: Kind, texts: Mapping[str, str], where: str) -> Row:
    """A row of texts as values. Raises MasterDataError."""
    row: Row = {}
    for name, column in kind.columns.items():
        text = texts.get(name, "").strip()
        if not text:
            if column.default is _REQUIRED:
                raise MasterDataError(where, f"{name} is empty.")
            row[name] = column.default
            continue
        if spoiled(text):
            what = f"{name} {text!r} is what a spreadsheet made of another text. Write what it should be, with a text"
            raise MasterDataError(where, f"{what} editor or in a column of texts.")
        try:
            row[name] = column.read(text)
        except ValueError as error:
            raise MasterDataError(where, f"{name} {text!r} {error}.") from None
    if row["valid_until"] is not None and row["valid_until"] <= row["valid_from"]:
        raise MasterDataError(where, "valid_until is not after valid_from; it is the first day that no longer counts.")
    return row
