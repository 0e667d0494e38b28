"""What all importers share: how a foreign file is read, what comes of it, and how it is refused.

Numbers are decimals from the first character on: `read_json` never makes a float, and a float is refused.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

from billing_assets.foundation.errors import BillingError
from billing_assets.foundation.money import canonical


class ImportRefusedError(BillingError):
    """A foreign tariff that cannot be brought into our format as it is.

    `path` names the field as the file has it (`energyratestructure[0][1].max`), `value` is what is there.
    """

    def __init__(self, path: str, value: object, what: str) -> None:
        said = json.dumps(value, default=str)
        super().__init__(f"{path} is {said if len(said) <= _LONGEST else said[:_LONGEST] + '…'}: {what}")
        self.path = path
        self.value = value


@dataclass(frozen=True, slots=True)
class TextOnly:
    """What the file says in words, or leaves to a choice of the customer: a person decides (IMPORT_TEXT_ONLY)."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Imported:
    """A tariff in our JSON, before it is checked, and what of the foreign one is not in it."""

    tariff: dict[str, Any]
    text_only: tuple[TextOnly, ...]


_LONGEST = 80
_MOST_DIGITS = 30


def read_json(text: str | bytes) -> Any:
    """The content of a JSON file, numbers with a point as decimals. Raises ImportRefusedError for what is none."""
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=_no_number)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ImportRefusedError("The file", type(error).__name__, f"it is no JSON ({error}).") from None


def _no_number(text: str) -> NoReturn:
    raise ImportRefusedError("The file", text, "this is no number of JSON.")


class Node:
    """A value of a foreign file with its path, so that what is wrong is named as the file names it."""

    __slots__ = ("path", "value")

    def __init__(self, value: Any, path: str = "") -> None:
        self.value = value
        self.path = path

    def refuse(self, what: str) -> NoReturn:
        """Raises ImportRefusedError about this value."""
        raise ImportRefusedError(self.path or "The file", self.value, what)

    def get(self, name: str) -> "Node":
        """A member; its value is None where it is missing or null."""
        if not isinstance(self.value, Mapping):
            self.refuse("an object with names and values is expected here.")
        return Node(self.value.get(name), f"{self.path}.{name}" if self.path else name)

    def __bool__(self) -> bool:
        return self.value is not None and self.value not in ("", [], {})

    def items(self) -> "Iterator[Node]":
        """The elements of a list; none where there is no list."""
        if self.value is None:
            return
        if not isinstance(self.value, Sequence) or isinstance(self.value, str):
            self.refuse("a list is expected here.")
        for place, one in enumerate(self.value):
            yield Node(one, f"{self.path}[{place}]")

    def text(self, default: str | None = None) -> str:
        """A text that is not empty."""
        if not self and default is not None:
            return default
        if not isinstance(self.value, str) or not self.value.strip():
            self.refuse("a text is expected here.")
        return self.value.strip()

    def one_of(self, choices: Mapping[str, str], default: str | None = None) -> str:
        """What one of the texts that are known means."""
        found = self.text(default)
        if found not in choices:
            self.refuse(f"only {', '.join(choices)} can be imported.")
        return choices[found]

    def number(self, default: str | None = None) -> Decimal:
        """A finite decimal, of a number or of a text that is one."""
        if self.value is None and default is not None:
            return Decimal(default)
        if isinstance(self.value, bool | float) or not isinstance(self.value, int | str | Decimal):
            self.refuse("a number is expected here, read as a decimal.")
        try:
            found = Decimal(self.value)
        except InvalidOperation:
            self.refuse("a number is expected here.")
        if not found.is_finite() or (found and found.adjusted() > _LARGEST):
            self.refuse("a number is expected here.")
        return found

    def whole(self, default: int | None = None) -> int:
        """A whole number."""
        found = self.number(None if default is None else str(default))
        if found != found.to_integral_value():
            self.refuse("a whole number is expected here.")
        return int(found)


_LARGEST = 400


def plain(number: Decimal) -> str:
    """A number in plain notation with the digits that it was published with (`0.5120` stays)."""
    if number.adjusted() > _MOST_DIGITS:
        return canonical(number)
    found = format(number, "f")
    return "0" if not number else found


def slug(text: str) -> str:
    """A text as a code: small letters, digits and underscores."""
    found = "".join(letter if letter.isascii() and letter.isalnum() else " " for letter in text.lower())
    return "_".join(found.split()) or "x"


def distinct(names: Sequence[str]) -> list[str]:
    """The names, a repeated one with a number behind it: `Peak`, `Peak 2`."""
    found: list[str] = []
    for name in names:
        candidate, number = name, 1
        while candidate in found:
            number += 1
            candidate = f"{name} {number}"
        found.append(candidate)
    return found
