"""Files of prices and of profile weights: a CSV with an instant and a value a row."""

import csv
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import NamedTuple

from billing_assets.foundation.cells import read_csv
from billing_assets.foundation.errors import BillingError
from billing_assets.invoicing.tariffs.store import SeriesKind

VALUES = {"price": "price", "profile": "weight"}
"""The title of the values' column by kind of series."""

_SHOWN = 5
_MOST_DIGITS = 20


class SeriesFileError(BillingError):
    """A file of values cannot be taken; the message names rows, values and what to do. Nothing of it is loaded."""


class _Fault(NamedTuple):
    row: int
    value: str
    message: str


def read_values(path: Path, kind: SeriesKind, minutes: int) -> tuple[bytes, list[tuple[datetime, Decimal]]]:
    """The bytes of a file, and its values by instant of UTC, in order. An empty value is a missing one.

    The columns are `start`, with an offset or Z, and `price` (per MWh) or `weight`. Raises SeriesFileError, OSError.
    """
    content = path.read_bytes()
    titles = ("start", VALUES[kind])
    try:
        rows = list(read_csv(content.decode("utf-8-sig"), titles))
    except (UnicodeDecodeError, csv.Error) as error:
        raise SeriesFileError(f"{path} cannot be read as CSV in UTF-8: {error}.") from None
    head = [title.strip().casefold() for title in rows[0][1]] if rows else []
    if any(head.count(title) != 1 for title in titles):
        raise SeriesFileError(f"{path}: its first row must have the columns {titles[0]} and {titles[1]} once.")
    places = [head.index(title) for title in titles]
    found: dict[datetime, Decimal] = {}
    faults: list[_Fault] = []
    for number, cells in rows[1:]:
        start, value = (cells[place].strip() if place < len(cells) else "" for place in places)
        if start or value:
            _take(found, number, start, value, minutes, faults)
    if faults:
        raise SeriesFileError(f"{path}: {_said(faults)}")
    if not found:
        raise SeriesFileError(f"{path} has no values.")
    return content, sorted(found.items())


def _take(found: dict[datetime, Decimal], row: int, start: str, value: str, minutes: int, faults: list[_Fault]) -> None:
    try:
        at = datetime.fromisoformat(start)
    except ValueError:
        faults.append(_Fault(row, start, "write an instant such as 2026-04-12T00:00:00Z."))
        return
    if at.tzinfo is None:
        faults.append(_Fault(row, start, "it has no offset: in autumn an hour is there twice. Add Z or +10:00."))
        return
    at = at.astimezone(UTC)
    if at.second or at.microsecond or (at.hour * 60 + at.minute) % minutes:
        faults.append(_Fault(row, start, f"it does not begin an interval of {minutes} minutes."))
    elif at in found:
        faults.append(_Fault(row, start, "the same instant is there twice."))
    elif value:
        try:
            number = Decimal(value)
        except InvalidOperation:
            number = Decimal("nan")
        if not number.is_finite() or abs(number.adjusted()) > _MOST_DIGITS:
            faults.append(_Fault(row, value, "write a number with a point, such as 21.35, or nothing."))
        else:
            found[at] = number


def _said(faults: Sequence[_Fault]) -> str:
    said = " ".join(f"Row {one.row}, “{one.value}”: {one.message}" for one in faults[:_SHOWN])
    more = len(faults) - _SHOWN
    return f"{said} And {more:,} more." if more > 0 else said
