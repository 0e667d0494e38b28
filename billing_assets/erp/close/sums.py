"""A number of documents and what they add up to."""

from collections.abc import Iterable
from decimal import Context, Decimal
from typing import NamedTuple

_EXACT = Context(prec=1_000)  # the usual one rounds to 28 digits; what is held may have more


class Sum(NamedTuple):
    """A number of documents and what they add up to. Credit memos are negative."""

    documents: int
    total: Decimal

    def plus(self, documents: int, total: Decimal) -> "Sum":
        """This and some more."""
        return Sum(self.documents + documents, _EXACT.add(self.total, total))


NOTHING = Sum(0, Decimal(0))


def add(sums: Iterable[Sum]) -> Sum:
    """The sum of sums."""
    result = NOTHING
    for one in sums:
        result = result.plus(one.documents, one.total)
    return result
