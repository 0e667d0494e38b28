"""The bill while it is made: what it is made from, and the lines, taxes and findings so far."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, tzinfo
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from billing_assets.invoicing.rating.context import RatingContext
from billing_assets.invoicing.rating.findings import Finding, finding
from billing_assets.invoicing.rating.local_time import zone_of
from billing_assets.invoicing.rating.rated import Evidence, Line, TaxLine
from billing_assets.invoicing.rating.rounding import EXACT, down, exact_text, half_up, minor_unit, product
from billing_assets.invoicing.rating.tariff import AppliesTo, Charge, Kind, Tariff, Version
from billing_assets.invoicing.rating.usage import Period, Usage

ONE = Decimal(1)


class Draft(NamedTuple):
    """A line and what others ask about it. `is_credit`: energy fed in or left over, which no percentage is of."""

    charge: Charge
    line: Line
    is_credit: bool


class Position(NamedTuple):
    """What a line says beside its numbers."""

    charge: Charge
    version: Version
    begins: date
    ends: date
    service_point: str = ""
    season: str | None = None
    window: str | None = None
    block: int | None = None
    estimated: bool = False
    bill_text: str | None = None
    tax_category: str | None = None
    is_credit: bool = False


@dataclass(slots=True)
class Bill:
    """Inputs and what came of them so far."""

    tariff: Tariff
    usage: Usage
    period: Period
    context: RatingContext
    findings: list[Finding] = field(default_factory=list)
    drafts: list[Draft] = field(default_factory=list)
    taxes: list[TaxLine] = field(default_factory=list)
    taxes_inside: Decimal = Decimal(0)
    evidence: list[Evidence] = field(default_factory=list)

    places: int = field(init=False)
    """Decimals of an amount."""

    def __post_init__(self) -> None:
        self.places = minor_unit(self.tariff.currency)

    def zone(self, charge: Charge) -> tzinfo:
        """The time zone that a charge's windows and days are in."""
        return zone_of(charge.time_zone, self.context.time_zone)

    def zone_of_context(self) -> tzinfo:
        """The service point's time zone."""
        return zone_of("local", self.context.time_zone)

    def find(self, code: str, path: str, value: object, /, **named: object) -> None:
        """Adds a finding, once."""
        found = finding(code, path, value, **named)
        if found not in self.findings:
            self.findings.append(found)

    def rounded(self, charge: Charge, number: Fraction | Decimal) -> Decimal:
        """An amount, rounded as the charge says."""
        return (down if charge.rounds_down else half_up)(number, self.places)

    def add(
        self,
        at: Position,
        quantity: Decimal,
        unit: str,
        price: Decimal,
        base: Decimal = ONE,
        facts: Evidence | None = None,
        amount: Decimal | None = None,
    ) -> Decimal:
        """Adds a line and returns its amount; below zero the quantity is negative and the price is not.

        `amount` is given where it is not the rounded product of what the line says, but equals it (an index).
        """
        if price < 0:
            quantity, price = quantity.copy_negate(), price.copy_negate()  # a minus would round to 28 digits
        exact = EXACT.multiply(quantity, price) if base is ONE else product(quantity, price, base)
        charge = at.charge
        if amount is None:
            amount = self.rounded(charge, exact)
        line = Line(
            code=charge.code,
            bill_text=at.bill_text or charge.bill_text,
            begins=at.begins,
            ends=at.ends,
            quantity=quantity,
            unit=unit,
            price=price,
            price_base=base,
            amount=amount,
            tax_category=at.tax_category or charge.tax_category,
            estimated=at.estimated,
            service_point=at.service_point,
            version=at.version.id,
            season=at.season,
            window=at.window,
            block=at.block,
            evidence=len(self.evidence),
        )
        self.evidence.append(
            {
                "charge": charge.code,
                "version": at.version.id,
                "tariff": self.tariff.content_hash,
                "exact": exact_text(exact),
                "rounding": "down" if charge.rounds_down else "half_up",
                **(facts or {}),
            }
        )
        self.drafts.append(Draft(charge, line, at.is_credit or charge.kind is Kind.FEED_IN))
        return amount

    def lines_of(self, applies_to: AppliesTo | None, *, fed_in: bool = True, surplus: bool = True) -> Iterable[Draft]:
        """The lines that something is computed from: those that are named, or all but energy fed in or left over.

        `fed_in` and `surplus`: whether such lines count where they are named.
        """
        for one in self.drafts:
            if applies_to is None:
                counts = not one.is_credit
            else:
                counts = names(applies_to, one.charge, one.line.tax_category) and not (
                    one.is_credit and not (fed_in if one.charge.kind is Kind.FEED_IN else surplus)
                )
            if counts:
                yield one

    def sum_of(self, applies_to: AppliesTo | None, *, fed_in: bool = True, surplus: bool = True) -> Decimal:
        """Their rounded amounts."""
        counted = self.lines_of(applies_to, fed_in=fed_in, surplus=surplus)
        return sum((one.line.amount for one in counted), Decimal(0))


def names(applies_to: AppliesTo, charge: Charge, tax_category: str | None) -> bool:
    """Whether a line of the charge is named."""
    return (
        charge.code in applies_to.codes
        or charge.group in applies_to.groups
        or (tax_category is not None and tax_category in applies_to.tax_categories)
    )
