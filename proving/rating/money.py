"""Numbers of the oracle: fractions in, decimals as text out."""

from fractions import Fraction
from functools import lru_cache
from math import isqrt

MINOR = {"JPY": 0, "KRW": 0, "KWD": 3, "BHD": 3}


@lru_cache(maxsize=200_000)
def number(text: str | int | None) -> Fraction:
    if text is None:
        return Fraction(0)
    assert not isinstance(text, float)
    return Fraction(text)


def half_up(value: Fraction, places: int) -> Fraction:
    """Ties go away from zero."""
    scale = Fraction(10) ** places
    scaled = int(abs(value) * scale + Fraction(1, 2))
    return Fraction(scaled if value >= 0 else -scaled) / scale


def down(value: Fraction, places: int) -> Fraction:
    scale = Fraction(10) ** places
    return Fraction(int(value * scale)) / scale


def root(square: Fraction, places: int) -> Fraction:
    """The square root, rounded half up."""
    scale = 10**places
    twice = isqrt(int(square * (2 * scale) ** 2))
    return Fraction((twice + 1) // 2, scale)


def decimals(value: Fraction) -> int | None:
    """How many decimals write the value exactly; None if no number of them does."""
    for places in range(13):
        if (value * 10**places).denominator == 1:
            return places
    return None


def text(value: Fraction, places: int | None = None) -> str:
    if places is None:
        places = decimals(value)
        if places is None:
            return f"{value.numerator}/{value.denominator}"
    scaled = value * 10**places
    assert scaled.denominator == 1
    sign = "-" if scaled < 0 else ""
    digits = str(abs(scaled.numerator)).rjust(places + 1, "0")
    return sign + (digits if not places else f"{digits[:-places]}.{digits[-places:]}")
