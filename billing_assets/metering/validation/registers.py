"""Reads of registers: how much lies between two of them, through a rollover, a meter exchange, or an estimate that was
too high; and how a quantity is shared out exactly. Pure.
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from math import floor
from typing import NamedTuple

from billing_assets.foundation.errors import BillingError

NEARLY_FULL = Fraction(9, 10)
"""A register rolls over only from a read that is at least this part of what its dials can show."""


class ReadError(BillingError, ValueError):
    """A read that is no number, or a quantity that cannot be shared out as asked."""


class Use(NamedTuple):
    """What lies between two reads. `energy` is after the multiplier; below zero where no rollover explains the
    reads."""

    dials: Decimal
    energy: Decimal
    rolled: bool

    @property
    def negative(self) -> bool:
        """Whether the register went back and nothing explains it."""
        return self.dials < 0


class Share(NamedTuple):
    """A part of a quantity, from `begin` (inclusive) to `end` (exclusive)."""

    begin: date
    end: date
    quantity: Decimal


class BackOut(NamedTuple):
    """An estimate that was too high, set right: what was billed by it is cancelled whole, and what lies between the
    last actual read and the new one is billed."""

    cancelled: Decimal
    billed_again: Decimal


def parse_read(text: str) -> Decimal:
    """A read as a number. Raises ReadError."""
    whole, _, rest = text.strip().partition(".")
    if not (whole or rest) or not f"{whole}{rest}".isdecimal() or not text.isascii():
        raise ReadError(f"“{text}” is not a register read.")
    return Decimal(f"{whole or '0'}.{rest or '0'}") if rest else Decimal(whole)


def dials(*reads: str, device: int | None = None) -> int | None:
    """How many dials a register has before the decimal point: the length of a read that is written with leading
    zeros, or of reads that are all as long; else what the device's record says; None: not known."""
    lengths = {one: len(one.strip().partition(".")[0]) for one in reads}
    padded = [length for one, length in lengths.items() if one.strip().startswith("0") and length > 1]
    if padded:
        return max(padded)
    if device is not None:
        return device
    return next(iter(lengths.values())) if len(set(lengths.values())) == 1 else None


def between(
    begin_read: str,
    end_read: str,
    *,
    days: int,
    use_per_day: Decimal | Fraction,
    multiplier: Decimal = Decimal(1),
    device_digits: int | None = None,
) -> Use:
    """What a register counted between two reads.

    It rolled over where it was nearly full and what it counted then is at most `use_per_day` (energy, in the stream's
    unit) for each of the days; two rollovers are never assumed. Raises ReadError.
    """
    begin, end = parse_read(begin_read), parse_read(end_read)
    counted = end - begin
    digits = dials(begin_read, end_read, device=device_digits)
    if counted >= 0 or digits is None:
        return Use(counted, counted * multiplier, False)
    full = Decimal(10) ** digits
    most = Fraction(use_per_day) * max(days, 1)
    if Fraction(begin) >= NEARLY_FULL * Fraction(full) and 0 <= Fraction((counted + full) * multiplier) <= most:
        return Use(counted + full, (counted + full) * multiplier, True)
    return Use(counted, counted * multiplier, False)


def exchanged(old: Use, new: Use) -> Decimal:
    """The energy of a period in which the meter was exchanged: that of the old one and that of the new one, each with
    its own multiplier and dials."""
    return old.energy + new.energy


def back_out(last_actual: str, estimated: str, actual: str, *, multiplier: Decimal = Decimal(1)) -> BackOut:
    """Sets an estimate right that an actual read is below. Never bills the difference, which is below zero.

    The next period begins at the actual read. Raises ReadError where the actual read is below the last actual one, too.
    """
    start, guess, read = parse_read(last_actual), parse_read(estimated), parse_read(actual)
    if read < start:
        raise ReadError(f"The actual read {actual} is below the last actual one, {last_actual}: look at the meter.")
    return BackOut((guess - start) * multiplier, (read - start) * multiplier)


def share_out(total: int, weights: Sequence[int | Fraction]) -> list[int]:
    """Shares a scaled total out by weights, exactly: each share is rounded, halves away from zero, and what is left
    over goes to the largest; where that would go below zero by it, all are rounded down.

    Raises ReadError for a negative total, and for weights that are negative or all zero.
    """
    summed = sum((Fraction(one) for one in weights), Fraction(0))
    if total < 0 or summed <= 0 or min(weights) < 0:
        raise ReadError("A quantity is shared out by weights that are above zero, as it is.")
    exact = [total * Fraction(one) / summed for one in weights]
    shares = [rounded(one) for one in exact]
    largest = max(range(len(weights)), key=lambda place: weights[place])
    if shares[largest] + total - sum(shares) < 0:
        shares = [floor(one) for one in exact]
    shares[largest] += total - sum(shares)
    return shares


def rounded(value: Fraction) -> int:
    """A value as a whole number, halves away from zero."""
    whole = (2 * abs(value.numerator) + value.denominator) // (2 * value.denominator)
    return whole if value >= 0 else -whole


def prorate(quantity: Decimal, begin: date, end: date, cuts: Sequence[date], *, decimals: int = 3) -> list[Share]:
    """Shares a quantity out by days at each cut, as where a price changes on that day; the parts add up exactly.

    `decimals`: of the parts; the quantity's own where it has more. Raises ReadError for a cut outside the period.
    """
    edges = [begin, *sorted(set(cuts) - {begin, end}), end]
    if any(after <= before for before, after in pairwise(edges)):
        raise ReadError(f"A cut does not lie between {begin} and {end}.")
    places = max(decimals, decimals_of(quantity))
    days = [(after - before).days for before, after in pairwise(edges)]
    sign = -1 if quantity < 0 else 1
    shares = share_out(scaled(abs(quantity), places), days)
    spans = zip(pairwise(edges), shares, strict=True)
    return [Share(first, last, unscaled(sign * share, places)) for (first, last), share in spans]


def decimals_of(quantity: Decimal) -> int:
    """How many decimals a quantity is written with."""
    exponent = quantity.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def scaled(quantity: Decimal | Fraction, decimals: int) -> int:
    """A quantity as an integer with so many decimals. Raises ReadError where it has more."""
    found: Fraction = Fraction(quantity) * 10**decimals
    if found.denominator != 1:
        raise ReadError(f"{quantity} has more than {decimals} decimals.")
    return found.numerator


def unscaled(value: int, decimals: int) -> Decimal:
    """The quantity of a scaled integer, without zeros at its end."""
    sign, digits = int(value < 0), abs(value)
    while decimals > 0 and digits % 10 == 0:
        digits, decimals = digits // 10, decimals - 1
    return Decimal((sign, tuple(map(int, str(digits))), -decimals))
