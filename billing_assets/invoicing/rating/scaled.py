"""Long lists of decimals as integers at one scale: int64 where every sum fits, Python's integers otherwise."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MOST = 2**62
_LONGEST = 10**6
_EXACT = Context(prec=200)


@dataclass(frozen=True, slots=True, eq=False)
class Scaled:
    """Numbers times 10^`places`. Where `missing` is true there is none, and the value is 0; None: all are there.

    Every value is below 10^12 and there are at most 10^6 of them if the array is int64, so that a sum fits; else its
    type is object, and it holds Python's integers, which have no bound.
    """

    values: NDArray[Any]
    places: int
    missing: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.values)

    def number(self, whole: int) -> Fraction:
        """What an integer at this scale is."""
        return Fraction(int(whole), 10**self.places)


def scaled(numbers: Sequence[Decimal | None], places: int) -> Scaled:
    """Decimals as integers at 10^`places`, or at a finer scale where one of them needs it."""
    there = [one for one in numbers if one is not None]
    places = max([places, *(-exponent for one in there if isinstance(exponent := one.as_tuple().exponent, int))])
    whole = [0 if one is None else int(one.scaleb(places, _EXACT)) for one in numbers]
    missing = np.array([one is None for one in numbers], bool) if len(there) < len(numbers) else None
    return Scaled(of_integers(whole), places, missing)


def of_integers(whole: Sequence[int]) -> NDArray[Any]:
    """int64 where the bounds of `Scaled` hold, else objects."""
    fits = len(whole) <= _LONGEST and all(-(10**12) <= one <= 10**12 for one in whole)
    return np.array(whole, np.int64 if fits else object)


def dot(left: NDArray[Any], right: NDArray[Any]) -> int:
    """Σ left·right, exact: with int64 only where no partial sum can leave it."""
    if not len(left):
        return 0
    if object not in (left.dtype, right.dtype):
        most = int(np.abs(left).max()) * int(np.abs(right).max()) * len(left)
        if most < _MOST:
            return int(np.dot(left, right))
    return int(np.dot(left.astype(object), right.astype(object)))
