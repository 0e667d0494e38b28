"""The records of each resource: the columns of its query (`sql/source/README.md`) and the fields of its API alike.

A record is a JSON object of texts, a missing value is null: numbers as they were given, times in ISO 8601 and UTC.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

VERSION = 1
_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?", re.ASCII)
_QUALITY = re.compile(r"[AEFNS]([0-9]{2})?", re.ASCII)


class Field(NamedTuple):
    """A field. `read`: its value of a text; raises ValueError, which says what is wrong with it."""

    read: Callable[[str], Any]
    required: bool = True


class Resource(NamedTuple):
    """A resource. `group`: the fields whose records are one piece, taken whole or not at all. `record`: those that tell
    a record of a piece from the others. `window`: the field by which a source without `updated_at` is read again."""

    name: str
    fields: Mapping[str, Field]
    group: tuple[str, ...]
    record: tuple[str, ...] = ()
    window: str | None = None


def moment(text: str) -> datetime:
    """A time with its zone, in UTC."""
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is not None and 1900 <= found.year < 2200:
            return found.astimezone(UTC)
    except ValueError:
        pass
    raise ValueError("is no time in UTC, such as 2026-07-01T00:00:00Z")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError("is no date; write YYYY-MM-DD") from None


def _number(text: str) -> Decimal:
    if not _NUMBER.fullmatch(text):
        raise ValueError("is no plain decimal number")
    return Decimal(text)


def _not_below_zero(text: str) -> Decimal:
    if (found := _number(text)) < 0:
        raise ValueError("is below zero")
    return found


def _above_zero(text: str) -> Decimal:
    if (found := _number(text)) <= 0:
        raise ValueError("is not above zero")
    return found


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise ValueError("is no whole number")
    return int(text)


def _quality(text: str) -> str:
    if not _QUALITY.fullmatch(text):
        raise ValueError("is no quality: A, E, F, N or S, and a method of two digits where there is one")
    return text


def _text(text: str) -> str:
    return text


TEXT, MOMENT, DAY, QUALITY, WHOLE = Field(_text), Field(moment), Field(_day), Field(_quality), Field(_whole)


def _optional(field: Field) -> Field:
    return field._replace(required=False)


_CHANGED = {"updated_at": _optional(MOMENT)}
_PERIOD = {"valid_from": DAY, "valid_until": _optional(DAY)}

RESOURCES = {
    one.name: one
    for one in (
        Resource(
            "service_points",
            {
                "nmi": TEXT,
                **_PERIOD,
                **dict.fromkeys(("zone", "service", "class", "market", "utility", "account"), _optional(TEXT)),
                "supplied_from": _optional(DAY),
                "supplied_until": _optional(DAY),
                **_CHANGED,
            },
            ("nmi", "valid_from", "supplied_from"),
        ),
        Resource(
            "devices",
            {
                **dict.fromkeys(("device_id", "nmi", "serial_number"), TEXT),
                "installed_from": DAY,
                "installed_until": _optional(DAY),
                **dict.fromkeys(("register", "suffix"), TEXT),
                "digits": _optional(WHOLE),
                "decimals": _optional(WHOLE),
                "multiplier": _optional(Field(_above_zero)),
                "unit": TEXT,
                "direction": _optional(TEXT),
                **_PERIOD,
                **_CHANGED,
            },
            ("nmi", "serial_number", "register", "installed_from", "valid_from"),
        ),
        Resource(
            "tariffs",
            {
                **dict.fromkeys(("tariff", "component"), TEXT),
                "place": _optional(TEXT),
                **_PERIOD,
                "price": Field(_number),
                "unit": TEXT,
                "currency": TEXT,
                **_CHANGED,
            },
            ("tariff", "component", "place", "valid_from"),
        ),
        Resource(
            "meter_readings",
            {
                **dict.fromkeys(("reading_id", "nmi", "device_id", "serial_number", "register", "suffix"), TEXT),
                "read_at": MOMENT,
                "value": Field(_not_below_zero),
                "unit": TEXT,
                "quality": QUALITY,
                "reason": _optional(TEXT),
                "version": _optional(TEXT),
                "previous_at": _optional(MOMENT),
                "previous_value": _optional(Field(_not_below_zero)),
                "previous_quality": _optional(QUALITY),
                "multiplier": _optional(Field(_above_zero)),
                "digits": _optional(WHOLE),
                **_CHANGED,
            },
            ("nmi", "serial_number", "register", "read_at"),
            window="read_at",
        ),
        Resource(
            "consumption",
            {
                **dict.fromkeys(("nmi", "suffix"), TEXT),
                "serial_number": _optional(TEXT),
                "unit": TEXT,
                "day": DAY,
                "starts_at": MOMENT,
                "length_seconds": WHOLE,
                "value": Field(_number),
                "quality": QUALITY,
                "reason": _optional(TEXT),
                **_CHANGED,
            },
            ("nmi", "suffix", "day"),
            ("starts_at",),
            window="day",
        ),
    )
}
"""Every resource, master data first: what comes after it finds it there."""


def text_of(value: object) -> str | None:
    """A value of a record as its text; None where there is none. Raises ValueError for what is no plain value."""
    match value:
        case None:
            return None
        case bool() | float():
            raise ValueError("is neither a text nor an exact number")
        case str():
            return value.strip() or None
        case Decimal():
            return f"{value:f}"
        case int():
            return str(value)
        case datetime():
            return stamp(value)
        case date():
            return value.isoformat()
    raise ValueError("is neither a text nor a number")


def stamp(value: datetime) -> str:
    """A time in UTC as extracts write it."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


class FieldError(ValueError):
    """A record's field cannot be read. `field`: its name."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field} {why}")
        self.field, self.why = field, why


def values_of(resource: Resource, record: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a record; None for what it does not say. Raises FieldError."""
    found: dict[str, Any] = {}
    for name, field in resource.fields.items():
        try:
            text = text_of(record.get(name))
            found[name] = None if text is None else field.read(text)
        except ValueError as error:
            raise FieldError(name, str(error)) from None
        if text is None and field.required:
            raise FieldError(name, "is missing")
    return found
