"""Exact money: decimals, minor units, and one canonical text for a number."""

from decimal import Decimal
from functools import lru_cache

_LONGEST_AMOUNT = 40
"""Digits of an amount that anybody reads; only what is held has more."""


@lru_cache(maxsize=2**15)  # equal numbers have the same text, and a month's prices and quantities repeat
def canonical(number: Decimal) -> str:
    """The one text of a finite number: plain notation, no trailing zeros, no negative zero (`-0.50` → `-0.5`)."""
    text = str(number)
    if "E" in text:
        text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def decimals(number: Decimal) -> int:
    """How many digits after the point the number needs (`2.550` → 2)."""
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or exponent >= 0:
        return 0
    _, _, fraction = canonical(number).partition(".")
    return len(fraction)


def amount(total: Decimal | str) -> str:
    """An amount as people read it: thousands separated, at least two decimals, no digit lost, no idle zeros."""
    exact = Decimal(total)
    if exact.adjusted() > _LONGEST_AMOUNT:
        return f"{exact:.6E}"
    return f"{exact:,.{max(2, decimals(exact))}f}"
