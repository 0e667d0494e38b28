"""Blocks: how a quantity is laid into limits."""

from collections.abc import Sequence
from fractions import Fraction

from billing_assets.invoicing.rating.rounding import SHARE_PLACES, half_up
from billing_assets.invoicing.rating.tariff import Block

Limits = tuple[Fraction | None, ...]


def limits_of(blocks: Sequence[Block], by_days: bool, days: int, nominal: Fraction) -> Limits:
    """The limits for so many days: scaled ones are rounded half up to 3 decimals, so that they can be printed."""
    if not by_days:
        return tuple(None if one.up_to is None else Fraction(one.up_to) for one in blocks)
    scale = Fraction(days * nominal.denominator, nominal.numerator)
    return tuple(
        None if one.up_to is None else Fraction(half_up(Fraction(one.up_to) * scale, SHARE_PLACES)) for one in blocks
    )


def fill(quantity: Fraction, limits: Limits, mode: str) -> list[Fraction]:
    """What of the quantity is in each block; with `volume` all of it is in the block that it reaches.

    A quantity below zero is in the first block.
    """
    found = [Fraction(0)] * len(limits)
    reached = next(place for place, limit in enumerate(limits) if limit is None or quantity <= limit)
    if mode == "volume" or reached == 0:
        found[reached] = quantity
        return found
    below = Fraction(0)
    for place, limit in enumerate(limits[: reached + 1]):
        top = quantity if limit is None else min(quantity, limit)
        found[place] = top - below
        below = top
    return found


def share_of_pool(own: Fraction, pool: Fraction, in_blocks: Sequence[Fraction]) -> list[Fraction]:
    """What of each block of a pool is one window's: by its share of the energy, the last block takes the remainder."""
    if not pool:
        return [own, *[Fraction(0)] * (len(in_blocks) - 1)]
    last = max((place for place, one in enumerate(in_blocks) if one), default=0)
    found = [Fraction(0)] * len(in_blocks)
    for place in range(last):
        found[place] = Fraction(half_up(in_blocks[place] * Fraction(own, pool), SHARE_PLACES))
    found[last] = own - sum(found)
    return found


def is_stepped(blocks: Sequence[Block]) -> bool:
    """Whether there is more than one price."""
    return len(blocks) > 1
