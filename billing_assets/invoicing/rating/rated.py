"""A rated bill as plain data: lines, taxes, totals, findings and the evidence to compute it all again."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from billing_assets.invoicing.rating.findings import Finding

Evidence = dict[str, Any]
"""What a line was computed from: texts, whole numbers and lists of these."""


class Line(NamedTuple):
    """One line of a bill: amount = quantity · price / price_base, rounded once. `evidence` is a place in the list."""

    code: str
    bill_text: str
    begins: date
    ends: date
    quantity: Decimal
    unit: str
    price: Decimal
    price_base: Decimal
    amount: Decimal
    tax_category: str | None
    estimated: bool
    service_point: str
    version: str
    season: str | None
    window: str | None
    block: int | None
    evidence: int


@dataclass(frozen=True, slots=True)
class TaxLine:
    """A tax on the bill. `base` is what its method was computed from, after exemptions."""

    code: str
    jurisdiction: str | None
    rate: Decimal
    base: Decimal
    amount: Decimal
    evidence: int


@dataclass(frozen=True, slots=True)
class Conditional:
    """A discount that counts if it is paid in time: without tax, its tax, and what is then to pay until `by`."""

    code: str
    amount: Decimal
    tax: Decimal
    payable: Decimal
    by: date | None


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums of rounded amounts. `average_price`: minor units a unit, one decimal, where the bill has an index price."""

    net: Decimal
    tax: Decimal
    total: Decimal
    average_price: Decimal | None


@dataclass(frozen=True, slots=True)
class Rated:
    """What `rate` returns. With a finding of severity error there are no lines, and `totals` is None."""

    lines: tuple[Line, ...]
    taxes: tuple[TaxLine, ...]
    conditional: tuple[Conditional, ...]
    totals: Totals | None
    findings: tuple[Finding, ...]
    evidence: tuple[Evidence, ...]
