"""Values of a customer's database as our types. Nothing is rounded or guessed: what is not exactly what is asked for is
Unreadable."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from types import NoneType
from typing import Any, NamedTuple
from uuid import UUID

_BEYOND = 2**63


class Unreadable(ValueError):  # noqa: N818
    """A value of the source that cannot be taken over; the message says why."""


class Column(NamedTuple):
    """A column of the contract. A value whose type is in `plain` is taken as it is (numbers: if finite).

    `of_int` converts where the whole column is int, in one go; keys often are, on every line.
    """

    name: str
    plain: frozenset[type]
    convert: Callable[[Any], Any]
    of_int: Callable[[int], Any] | None = None


def text(value: Any) -> str:
    """Text as it is; numbers, ids and dates of other types as their exact text."""
    match value:
        case str():
            return value
        case None:
            raise Unreadable("is NULL")
        case bool():
            return "true" if value else "false"
        case int() | UUID():
            return str(value)
        case Decimal():
            return f"{value:f}"
        case date() | time():
            return value.isoformat()
    raise Unreadable(f"is a {type(value).__name__} where text is expected")


def further(value: Any) -> str | None:
    """A column beyond the contract, as text: bytes as SQL writes them (`0x0A`), what has no exact text as Python shows
    it."""
    if value is None:
        return None
    if isinstance(value, bytes | bytearray | memoryview):
        return f"0x{bytes(value).hex().upper()}"
    try:
        return text(value)
    except Unreadable:
        return repr(value)


def number(value: Any) -> Decimal:
    """An exact, finite number. A float is refused: the amount it was made from is lost."""
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise Unreadable("is not a number")
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if value is None:
        raise Unreadable("is NULL")
    if isinstance(value, float):
        raise Unreadable("is a binary floating point number; CAST it to an exact decimal in the query")
    raise Unreadable(f"is a {type(value).__name__} where an exact decimal is expected; CAST it in the query")


def whole_number(value: Any) -> int:
    """An integer of at most 64 bits, whatever exact type it comes in."""
    exact = number(value)
    if not -_BEYOND <= exact < _BEYOND:
        raise Unreadable("is too large")
    if exact != exact.to_integral_value():
        raise Unreadable("is not a whole number")
    return int(exact)


def day(value: Any) -> date:
    """A date; a timestamp is its date. One with a time zone is on another day elsewhere, unless it is midnight."""
    if isinstance(value, datetime):
        if value.tzinfo and value.time() != time():
            raise Unreadable("has a time zone: it is on two days; CAST it to the branch's date in the query")
        return value.date()
    if isinstance(value, date):
        return value
    if value is None:
        raise Unreadable("is NULL")
    raise Unreadable(f"is a {type(value).__name__} where a date is expected; CAST it in the query")


def moment(value: Any) -> datetime:
    """A timestamp in UTC; one without a zone is UTC already."""
    if isinstance(value, datetime):
        try:
            return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
        except OverflowError:
            raise Unreadable("lies outside the years 1 to 9999 in UTC") from None
    if value is None:
        raise Unreadable("is NULL")
    raise Unreadable(f"is a {type(value).__name__} where a timestamp is expected; CAST it in the query")


def or_null(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else convert(value)


def text_or_empty(value: Any) -> str:
    return "" if value is None else text(value)


def text_column(name: str) -> Column:
    return Column(name, frozenset({str}), text, of_int=str)


def text_or_null_column(name: str) -> Column:
    return Column(name, frozenset({str, NoneType}), or_null(text))


def number_column(name: str) -> Column:
    return Column(name, frozenset({Decimal}), number, of_int=Decimal)


def number_or_null_column(name: str) -> Column:
    return Column(name, frozenset({Decimal, NoneType}), or_null(number))
