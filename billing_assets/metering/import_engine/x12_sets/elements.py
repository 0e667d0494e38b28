"""Elements of X12 as values. None where the text is not one; the form of a set is checked before (`rules.py`)."""

import re
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from functools import lru_cache

from billing_assets.metering.import_engine.messages import EXACT

_NUMBER = re.compile(r"-?(\d+\.?\d*|\.\d+)", re.ASCII)
_CENTS = re.compile(r"-?\d{1,18}", re.ASCII)
_LONGEST = 20
"""Characters of a number: eighteen digits, a point, a minus sign. X12 has fewer."""

ZERO = Decimal(0)


@lru_cache(maxsize=2**14)  # the same quantities and multipliers come again within a set, and zeros everywhere
def number(text: str) -> Decimal | None:
    """A decimal number (X12 R), exactly as written; an empty element is not a zero."""
    if len(text) > _LONGEST or not _NUMBER.fullmatch(text):
        return None
    return Decimal(text)


def cents(text: str) -> int | None:
    """An amount with two implied decimals (X12 N2): digits only."""
    return int(text) if _CENTS.fullmatch(text) else None


@lru_cache(maxsize=2**12)
def day(text: str) -> date | None:
    """A date, CCYYMMDD."""
    if len(text) != 8 or not (text.isascii() and text.isdigit()):
        return None
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return None


@lru_cache(maxsize=2**12)
def minutes(text: str) -> int | None:
    """A time of day, HHMM[SS], in minutes after midnight; `2400` is the end of the day. No seconds but zero."""
    if len(text) not in {4, 6} or not (text.isascii() and text.isdigit()):
        return None
    hour, minute = int(text[:2]), int(text[2:4])
    if minute > 59 or text[4:] not in {"", "00"} or hour * 60 + minute > 24 * 60:
        return None
    return hour * 60 + minute


def total(numbers: Iterable[Decimal]) -> Decimal:
    """Their sum, exact."""
    found = ZERO
    for one in numbers:
        found = EXACT.add(found, one)
    return found
