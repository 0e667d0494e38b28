"""One cell of a tariff's sheet: a value of the JSON as text, and back, whatever a spreadsheet made of it meanwhile."""

import json
import re
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from billing_assets.foundation.cells import spoiled
from billing_assets.foundation.errors import BillingError
from billing_assets.invoicing.tariffs.sheet_columns import Form

_WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FLAGS = {"yes": True, "no": False, "true": True, "false": False}
_TIME = re.compile(r"(\d{1,2}):(\d{2})(?::00)?")
_MONTH_DAY = re.compile(r"(\d{2})-(\d{2})")
_LAST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


class CellError(BillingError):
    """A cell cannot be read as what its column holds; the message says what to write."""


def text_of(value: Any, form: Form) -> str:
    """A value as the text of its cell."""
    match form:
        case Form.FLAG:
            return "yes" if value else "no"
        case Form.LIST:
            return _list_text(value)
        case Form.DAYS:
            return _days_text(value)
        case _:
            return str(value)


def value_of(text: str, form: Form) -> Any:
    """The value of a cell that is not empty. Raises CellError."""
    if spoiled(text):
        raise CellError("a spreadsheet wrote this instead of what was there. Write it again.")
    match form:
        case Form.TEXT:
            return text
        case Form.NUMBER:
            return _number(text)
        case Form.WHOLE:
            return _whole(text)
        case Form.FLAG:
            if text.casefold() not in _FLAGS:
                raise CellError("write yes or no.")
            return _FLAGS[text.casefold()]
        case Form.LIST:
            return _list(text)
        case Form.DAYS:
            return _days(text)
        case Form.DATE:
            return _date(text)
        case Form.MONTH_DAY:
            return _month_day(text)
        case Form.TIME:
            return _time(text)


def _number(text: str) -> str:
    try:
        found = Decimal(text)
    except InvalidOperation:
        raise CellError("write a number with a point and without thousands separators, such as 0.0745.") from None
    if not found.is_finite():
        raise CellError("write a number, such as 0.0745.")
    return text if "E" not in text.upper() else format(found, "f")


def _whole(text: str) -> int:
    if not re.fullmatch(r"-?\d{1,9}", text, re.ASCII):
        raise CellError("write a whole number.")
    return int(text)


def _date(text: str) -> str:
    try:
        return date.fromisoformat(text.removesuffix(" 00:00:00")).isoformat()
    except ValueError:
        raise CellError("write a date such as 2026-07-01.") from None


def _month_day(text: str) -> str:
    found = _MONTH_DAY.fullmatch(text)
    if not found or not 1 <= int(found[1]) <= 12 or not 1 <= int(found[2]) <= _LAST[int(found[1]) - 1]:
        raise CellError("write month and day such as 11-01, in a cell of the format Text.")
    return text


def _time(text: str) -> str:
    found = _TIME.fullmatch(text)
    if not found or int(found[1]) * 60 + int(found[2]) > 24 * 60 or int(found[2]) > 59:
        raise CellError("write a time such as 07:00, or 24:00 for the end of the day.")
    return f"{int(found[1]):02}:{found[2]}"


def _list_text(items: list[str]) -> str:
    is_plain = items and all(one and one == one.strip() and ";" not in one and one[0] != "[" for one in items)
    return "; ".join(items) if is_plain else json.dumps(items, ensure_ascii=False)


def _list(text: str) -> list[str]:
    if not text.startswith("["):
        return [one.strip() for one in text.split(";") if one.strip()]
    try:
        found = json.loads(text)
    except json.JSONDecodeError:
        found = None
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise CellError('separate the names by ";".')
    return found


def _days_text(days: list[str]) -> str:
    """Three days in a row and more are `mon-fri`."""
    found: list[str] = []
    place = 0
    while place < len(days):
        run = [days[place]]
        while place + len(run) < len(days) and days[place + len(run)] == _after(run[-1]):
            run.append(days[place + len(run)])
        found += [f"{run[0]}-{run[-1]}"] if len(run) > 2 else run
        place += len(run)
    return "; ".join(found)


def _after(day: str) -> str | None:
    place = _WEEK.index(day) + 1 if day in _WEEK else len(_WEEK)
    return _WEEK[place] if place < len(_WEEK) else None


def _days(text: str) -> list[str]:
    found: list[str] = []
    for part in re.split(r"[;,\s]+", text.casefold().strip(" ;,")):
        first, _, last = part.partition("-")
        if first in _WEEK and last in _WEEK and _WEEK.index(first) < _WEEK.index(last):
            found += _WEEK[_WEEK.index(first) : _WEEK.index(last) + 1]
        elif part in _WEEK or part == "holiday":
            found.append(part)
        else:
            raise CellError("write days such as mon-fri; sat; sun; holiday.")
    return found
