"""What a bill comes to by group of charges and tax category, and the lines that bill a difference. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from billing_assets.invoicing.adjustments.kinds import LineByHand
from billing_assets.invoicing.rating.tariff_json import read_tariff


class Part(NamedTuple):
    """What taxes tell apart: a true-up is taxed as what it corrects."""

    group: str
    tax_category: str | None


Amounts = Mapping[Part, Decimal]


def amounts_of(tariff: Mapping[str, Any], lines: Iterable[Mapping[str, Any]]) -> Amounts:
    """The lines of an answer, added up."""
    groups = {one.code: one.group for one in read_tariff(tariff).charges}
    found: dict[Part, Decimal] = defaultdict(Decimal)
    for one in lines:
        found[Part(groups[one["code"]], one["tax_category"])] += Decimal(one["amount"])
    return dict(found)


def added(one: Amounts, other: Amounts, sign: int = 1) -> Amounts:
    """Two of them, or their difference."""
    found = {part: one.get(part, Decimal(0)) + sign * other.get(part, Decimal(0)) for part in {**one, **other}}
    return {part: found[part] for part in sorted(found, key=str)}


def true_up_lines(change: Amounts, begin: date, end: date) -> list[LineByHand]:
    """A line for each part that changes; usually that is one."""
    text = f"True-up {begin} to {end}"
    return [
        LineByHand(text, abs(amount), Decimal(-1 if amount < 0 else 1), "", part.group, part.tax_category)
        for part, amount in change.items()
        if amount
    ]
