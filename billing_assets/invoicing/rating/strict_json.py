"""JSON read strictly: what the format does not know, or of another type, is refused with its path."""

import json
import re
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, NoReturn, TypeVar

from billing_assets.foundation.errors import BillingError

T = TypeVar("T")

_NUMBER = re.compile(r"-?[0-9]{1,24}(\.[0-9]{1,24})?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:00)?Z")
_LONGEST = 60


class FormatError(BillingError):
    """Something in a file is not as docs/tariff-format.md says: `path` names the place, `what` what is expected."""

    def __init__(self, path: str, value: object, what: str) -> None:
        said = json.dumps(value, default=str)
        said = said if len(said) <= _LONGEST else said[:_LONGEST] + "…"
        super().__init__(f"{path or 'The file'} is {said}: {what}")
        self.path = path
        self.value = value
        self.what = what


def read_strict(text: str | bytes) -> Any:
    """The content of a JSON file without numbers with a point and without a name twice. Raises FormatError."""
    try:
        return json.loads(text, parse_float=_no_float, parse_constant=_no_float, object_pairs_hook=_each_name_once)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError("", type(error).__name__, f"it is no JSON ({error}).") from None


def _no_float(text: str) -> NoReturn:
    raise FormatError("", text, "write a number with a decimal point as a string, so that no digit is lost.")


def _each_name_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise FormatError("", twice, "this name is there twice in one object.")
    return found


class Fields:
    """The fields of one object. `done` refuses those that no one asked for."""

    __slots__ = ("_asked", "_values", "path")

    def __init__(self, value: Any, path: str) -> None:
        if not isinstance(value, Mapping):
            raise FormatError(path, value, "an object with names and values is expected here.")
        self._values = value
        self.path = path
        self._asked: set[str] = set()

    def at(self, name: str) -> str:
        """The path of a field."""
        return f"{self.path}.{name}" if self.path else name

    def refuse(self, name: str, what: str) -> NoReturn:
        """Raises FormatError about a field."""
        raise FormatError(self.at(name), self._values.get(name), what)

    def has(self, name: str) -> bool:
        """Whether the field is there and not null."""
        return self._values.get(name) is not None

    def raw_names(self) -> list[str]:
        """The names as the file has them."""
        return list(self._values)

    def raw(self, name: str) -> Any:
        """The value as it is, None where it is not there or null."""
        self._asked.add(name)
        return self._values.get(name)

    def needed(self, name: str) -> Any:
        """The value as it is. Raises FormatError where it is not there."""
        found = self.raw(name)
        if found is None:
            raise FormatError(self.at(name), None, "it must be there.")
        return found

    def get(self, name: str, read: Callable[[Any, str], T]) -> T | None:
        """A field that may be missing."""
        found = self.raw(name)
        return None if found is None else read(found, self.at(name))

    def must(self, name: str, read: Callable[[Any, str], T]) -> T:
        """A field that must be there."""
        return read(self.needed(name), self.at(name))

    def otherwise(self, name: str, read: Callable[[Any, str], T], default: T) -> T:
        """A field with a default."""
        found = self.get(name, read)
        return default if found is None else found

    def several(self, name: str, read: Callable[[Any, str], T]) -> tuple[T, ...]:
        """The elements of a list, none where it is missing."""
        found = self.get(name, list_of(read))
        return found or ()

    def done(self) -> None:
        """Raises FormatError for a name that the format does not know here."""
        for name in self._values:
            if name not in self._asked:
                known = ", ".join(sorted(self._asked))
                raise FormatError(self.at(name), self._values[name], f"this name is not known here, only {known}.")


def list_of(read: Callable[[Any, str], T]) -> Callable[[Any, str], tuple[T, ...]]:
    """A reader of lists."""

    def elements(value: Any, path: str) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise FormatError(path, value, "a list is expected here.")
        return tuple(read(one, f"{path}[{place}]") for place, one in enumerate(value))

    return elements


def one_of(choices: Collection[str]) -> Callable[[Any, str], str]:
    """A reader of one of some texts."""

    def choice(value: Any, path: str) -> str:
        if not isinstance(value, str) or value not in choices:
            raise FormatError(path, value, f"one of {', '.join(choices)} is expected here.")
        return value

    return choice


def text(value: Any, path: str) -> str:
    """A text, which may be empty."""
    if not isinstance(value, str):
        raise FormatError(path, value, "a text is expected here.")
    return value


def name(value: Any, path: str) -> str:
    """A text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise FormatError(path, value, "a text that is not empty is expected here.")
    return value


def number(value: Any, path: str) -> Decimal:
    """A decimal in plain notation, as a string."""
    if not isinstance(value, str) or not _NUMBER.fullmatch(value):
        raise FormatError(path, value, 'a number as a string is expected here, such as "0.0745".')
    return Decimal(value)


def not_negative(value: Any, path: str) -> Decimal:
    """A decimal of 0 or more."""
    found = number(value, path)
    if found < 0:
        raise FormatError(path, value, "a number of 0 or more is expected here.")
    return found


def positive(value: Any, path: str) -> Decimal:
    """A decimal above 0."""
    found = number(value, path)
    if found <= 0:
        raise FormatError(path, value, "a number above 0 is expected here.")
    return found


def whole(value: Any, path: str) -> int:
    """A whole number, as a number."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise FormatError(path, value, "a whole number without quotation marks is expected here.")
    return value


def count(value: Any, path: str) -> int:
    """A whole number of 1 or more."""
    found = whole(value, path)
    if found < 1:
        raise FormatError(path, value, "a whole number of 1 or more is expected here.")
    return found


def flag(value: Any, path: str) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise FormatError(path, value, "true or false is expected here.")
    return value


def day(value: Any, path: str) -> date:
    """A date."""
    if isinstance(value, str) and _DAY.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise FormatError(path, value, "a date such as 2026-07-01 is expected here.")


def instant(value: Any, path: str) -> datetime:
    """A whole minute in UTC."""
    if isinstance(value, str) and _INSTANT.fullmatch(value):
        try:
            return datetime.fromisoformat(value.removesuffix("Z")).replace(tzinfo=UTC)
        except ValueError:
            pass
    raise FormatError(path, value, "a whole minute in UTC such as 2026-07-01T14:30:00Z is expected here.")
