"""Rounding, once a line: half up, away from zero for negatives, or down where a percentage is a legal ceiling."""

from decimal import ROUND_DOWN, ROUND_HALF_UP, Context, Decimal
from fractions import Fraction
from functools import lru_cache

from babel.numbers import get_currency_precision

from billing_assets.foundation.money import canonical

EXACT = Context(prec=400)
"""Enough digits that no product of ours is ever rounded by it."""

QUANTITY_PLACES = 6
_MILLION = 10**QUANTITY_PLACES
SHARE_PLACES = 3
_HALF_UP = Context(prec=400, rounding=ROUND_HALF_UP)
_DOWN = Context(prec=400, rounding=ROUND_DOWN)
_UNITS = tuple(Decimal(1).scaleb(-places) for places in range(13))


def half_up(number: Fraction | Decimal, places: int) -> Decimal:
    """The number with so many decimals, a tie away from zero (-0.125 → -0.13)."""
    if isinstance(number, Decimal):
        return _unsigned_zero(number.quantize(_UNITS[places], context=_HALF_UP))
    over = 2 * abs(number.numerator) * 10**places + number.denominator
    whole = over // (2 * number.denominator)
    return Decimal(-whole if number < 0 else whole).scaleb(-places, EXACT) if whole else _UNITS[places] * 0


def down(number: Fraction | Decimal, places: int) -> Decimal:
    """The number with so many decimals, toward zero (9.3695 → 9.36)."""
    if isinstance(number, Decimal):
        return _unsigned_zero(number.quantize(_UNITS[places], context=_DOWN))
    whole = abs(number.numerator) * 10**places // number.denominator
    return Decimal(-whole if number < 0 else whole).scaleb(-places, EXACT) if whole else _UNITS[places] * 0


def _unsigned_zero(number: Decimal) -> Decimal:
    return number if number else abs(number)


def as_decimal(number: Fraction) -> Decimal | None:
    """The decimal that a fraction is; None where it has no end."""
    rest, twos, fives = number.denominator, 0, 0
    while rest % 2 == 0:
        rest, twos = rest >> 1, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    if rest != 1:
        return None
    places = max(twos, fives)
    return Decimal(number.numerator * 10**places // number.denominator).scaleb(-places, EXACT)


def as_quantity(number: Fraction) -> Decimal:
    """A quantity as it is printed: as it is with up to 6 decimals, else rounded half up to 6."""
    more, rest = divmod(_MILLION, number.denominator)
    if not rest:
        return Decimal(number.numerator * more).scaleb(-QUANTITY_PLACES, EXACT)
    return half_up(number, QUANTITY_PLACES)


def exact_text(number: Fraction | Decimal) -> str:
    """A number without loss: in decimals, or as a fraction (`1/3`) where these have no end."""
    if isinstance(number, Decimal):
        return canonical(number)
    found = as_decimal(number)
    return f"{number.numerator}/{number.denominator}" if found is None else canonical(found)


def product(quantity: Decimal, price: Decimal, base: Decimal) -> Fraction | Decimal:
    """quantity · price / base, exact."""
    whole = EXACT.multiply(quantity, price)
    return whole if base == 1 else Fraction(Fraction(whole), Fraction(base))


@lru_cache(maxsize=256)
def minor_unit(currency: str) -> int:
    """How many decimals an amount of the currency has, by the CLDR (AUD 2, JPY 0)."""
    return get_currency_precision(currency)
