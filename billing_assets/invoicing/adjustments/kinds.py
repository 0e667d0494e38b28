"""The kinds of adjustment, their states, and their lines as rating takes them. Plain data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

from billing_assets.foundation.errors import BillingError
from billing_assets.foundation.money import canonical

GROUPS = ("energy", "delivery", "fixed", "demand", "generation", "passthrough", "fee", "credit")
_PREFIX = "by_hand_"
_AFTER_DISCOUNTS = 890


class Adjustment(StrEnum):
    """What is entered, and what becomes of it."""

    DEBIT_MEMO = "debit_memo"  # posted now, not printed
    CREDIT_MEMO = "credit_memo"  # the same, below zero
    SPECIAL_CHARGE = "special_charge"  # held until the next bill
    TRUE_UP = "true_up"  # the same, made by the engine for what was billed otherwise
    AR_ADJUSTMENT = "ar_adjustment"  # a write-off or a refund: on no bill, and no revenue
    ONE_OFF = "one_off"  # an invoice without usage, sent like any other


class State(StrEnum):
    """Where an adjustment is."""

    WAITING = "waiting"  # for another person to check it
    OPEN = "open"  # checked; what is held until the next bill stays so, and is on that bill then
    POSTED = "posted"
    WITHDRAWN = "withdrawn"


TRANSITIONS: dict[State, frozenset[State]] = {
    State.WAITING: frozenset({State.OPEN, State.WITHDRAWN}),
    State.OPEN: frozenset({State.POSTED, State.WITHDRAWN}),
}

HELD = (Adjustment.SPECIAL_CHARGE, Adjustment.TRUE_UP)
"""What is held until the next bill."""

DOCUMENTS = (Adjustment.DEBIT_MEMO, Adjustment.CREDIT_MEMO, Adjustment.ONE_OFF)
"""What is posted as a document of its own."""


class AdjustmentError(BillingError):
    """What was asked cannot be charged or credited; the message says why. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class LineByHand:
    """A line that a person typed. Amount = quantity · price, rounded by the engine; of a credit below zero."""

    bill_text: str
    price: Decimal
    quantity: Decimal = Decimal(1)
    unit: str = ""
    group: str = "fee"
    tax_category: str | None = None

    def __post_init__(self) -> None:
        if not self.bill_text.strip():
            raise AdjustmentError("A line needs a text that the customer reads.")
        if self.group not in GROUPS:
            raise AdjustmentError(f"{self.group} is no group of charges; use one of {', '.join(GROUPS)}.")
        if self.price < 0:
            raise AdjustmentError("A price is not below zero: what is credited has a negative quantity.")

    def as_json(self) -> dict[str, Any]:
        """As the table keeps it."""
        return {
            "bill_text": self.bill_text.strip(),
            "quantity": canonical(self.quantity),
            "unit": self.unit,
            "price": f"{self.price:f}",
            "group": self.group,
            "tax_category": self.tax_category,
        }


def usage_of(lines: Sequence[Mapping[str, Any]], begin: date, end: date) -> list[dict[str, Any]]:
    """Lines as the usage of a rating case has charges by hand."""
    return [
        {
            "charge": _PREFIX + one["group"],
            "bill_text": one["bill_text"],
            "quantity": one["quantity"],
            "unit": one["unit"],
            "price": one["price"],
            "tax_category": one["tax_category"],
            "from": one.get("from") or begin.isoformat(),
            "to": one.get("to") or end.isoformat(),
        }
        for one in lines
    ]


def charges_of(lines: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The charges of a tariff that these lines are of: after discounts and minimum, which do not count them."""
    return [
        {
            "code": _PREFIX + group,
            "kind": "manual",
            "group": group,
            "sequence": _AFTER_DISCOUNTS,
            "versions": [{"valid_from": "1900-01-01"}],
        }
        for group in sorted({one["group"] for one in lines})
    ]


def with_lines(case: dict[str, Any], lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A rating case with charges by hand besides its own."""
    if not lines:
        return case
    begin, end = (date.fromisoformat(case["period"][name]) for name in ("from", "to"))
    tariff = case["tariff"] | {"charges": [*case["tariff"]["charges"], *charges_of(lines)]}
    manual = [*case["usage"].get("manual", ()), *usage_of(lines, begin, end)]
    return case | {"tariff": tariff, "usage": case["usage"] | {"manual": manual}}


def only_lines(
    tariff: Mapping[str, Any], lines: Sequence[Mapping[str, Any]], day: date, context: Mapping[str, Any], *, taxed: bool
) -> dict[str, Any]:
    """A case of nothing but charges by hand on a day, with the taxes of a tariff."""
    taxes = [one for one in tariff["charges"] if one["kind"] == "tax"] if taxed else []
    period = {"from": day.isoformat(), "to": date.fromordinal(day.toordinal() + 1).isoformat()}
    case = {
        "tariff": {**tariff, "charges": taxes},
        "usage": {},
        "period": period,
        "context": {
            **context,
            "exemptions": [one for one in context.get("exemptions", ()) if taxed],
        },
    }
    return with_lines(case, lines)
