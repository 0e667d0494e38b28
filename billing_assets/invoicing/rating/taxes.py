"""Taxes: on the sum of rounded lines, once each; on top, grossed up, or inside the prices."""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from billing_assets.invoicing.rating.adjustments import version_of
from billing_assets.invoicing.rating.bill import Bill, names
from billing_assets.invoicing.rating.fixed import parts_of_days
from billing_assets.invoicing.rating.rated import TaxLine
from billing_assets.invoicing.rating.rounding import exact_text, half_up
from billing_assets.invoicing.rating.tariff import Charge, Kind, TaxTerms, Version


class Applied(NamedTuple):
    """A tax that applies to the bill, by version and the share of the days that it is for."""

    charge: Charge
    version: Version
    terms: TaxTerms
    days: int
    of_days: int


def add_tax(bill: Bill, charge: Charge) -> None:
    """Adds a tax: an entry by version where a rate is split by days, else one."""
    applied = list(_applied(bill, charge))
    if not applied or not _has_base(bill, charge):
        return
    base = bill.sum_of(charge.applies_to) + _earlier_taxes(bill, charge)
    exempt = _exempt_percent(bill, charge)
    taxable = _after(base, exempt, bill.places)
    left = taxable
    for number, one in enumerate(applied, start=1):
        last = number == len(applied)
        part = left if last else half_up(Fraction(taxable) * Fraction(one.days, one.of_days), bill.places)
        left -= part
        exact = tax_of(part, one.terms)
        amount = bill.rounded(charge, exact)
        if one.terms.method == "inside":
            bill.taxes_inside += amount
        place = len(bill.evidence)
        bill.evidence.append(
            {
                "charge": charge.code,
                "version": one.version.id,
                "tariff": bill.tariff.content_hash,
                "exact": exact_text(exact),
                "rounding": "down" if charge.rounds_down else "half_up",
                "method": one.terms.method,
                "before_exemption": exact_text(base),
                "exempt_percent": exact_text(exempt),
                "days": one.days,
                "of_days": one.of_days,
            }
        )
        bill.taxes.append(TaxLine(charge.code, one.terms.jurisdiction, one.terms.rate, part, amount, place))


def tax_of(base: Decimal, terms: TaxTerms) -> Fraction:
    """The tax on a base, exact."""
    whole, rate = Fraction(base), Fraction(terms.rate)
    if terms.method == "gross_up":
        return whole * Fraction(rate, 1 - rate)
    if terms.method == "inside":
        return whole * Fraction(rate, 1 + rate)
    return whole * rate


def _after(base: Decimal, exempt: Decimal, places: int) -> Decimal:
    """The base without what is exempt, rounded half up."""
    if not exempt:
        return base
    return half_up(Fraction(base) * Fraction(Fraction(100 - exempt), 100), places)


def _applied(bill: Bill, charge: Charge) -> Iterator[Applied]:
    """The versions of a tax that apply: that of the last day, or each with its days."""
    version = version_of(bill, charge)
    if version is None or not isinstance(version.terms, TaxTerms) or not _applies(bill, version.terms):
        return
    if not version.terms.by_days:
        yield Applied(charge, version, version.terms, 1, 1)
        return
    for one, _, days in parts_of_days(bill, charge):
        if isinstance(one.terms, TaxTerms):
            yield Applied(charge, one, one.terms, len(days), bill.period.days)


def _applies(bill: Bill, terms: TaxTerms) -> bool:
    place = terms.place_codes is None or any(one in terms.place_codes for one in bill.context.tax_codes)
    of_class = bill.context.customer_class or bill.tariff.customer_class
    return place and (terms.customer_classes is None or of_class in terms.customer_classes)


def check_places(bill: Bill) -> None:
    """Adds TAX_PLACE_UNKNOWN where a tax depends on the place and the place has no tax codes."""
    by_place = any(
        isinstance(one.terms, TaxTerms) and one.terms.place_codes is not None
        for charge in bill.tariff.charges
        for one in charge.versions
    )
    if by_place and not bill.context.tax_codes:
        bill.find("TAX_PLACE_UNKNOWN", "context.tax_codes", "")


def _has_base(bill: Bill, charge: Charge) -> bool:
    return any(True for _ in bill.lines_of(charge.applies_to)) or bool(_earlier_taxes(bill, charge))


def _earlier_taxes(bill: Bill, charge: Charge) -> Decimal:
    named = charge.applies_to.taxes if charge.applies_to else ()
    return sum((one.amount for one in bill.taxes if one.code in named), Decimal(0))


def _exempt_percent(bill: Bill, charge: Charge) -> Decimal:
    """The exemption on the bill's last day; one that has ended is a warning, and tax is charged."""
    last: date = bill.period.ends - timedelta(days=1)
    percent, ended = Decimal(0), None
    for one in bill.context.exemptions:
        if one.tax != charge.code or one.begins > last:
            continue
        if one.ends is None or last < one.ends:
            return one.percent
        ended = one
    if ended is not None:
        bill.find(
            "EXEMPTION_EXPIRED", "context.exemptions", ended.certificate, number=ended.certificate, date=ended.ends
        )
    return percent


def taxes_on(bill: Bill, charge: Charge, amount: Decimal) -> tuple[Decimal, Decimal]:
    """The taxes on top of an amount that is not on the bill (a conditional discount), and those inside it."""
    on_top, inside, by_code = Decimal(0), Decimal(0), {}
    for one in sorted((one for one in bill.tariff.charges if one.kind is Kind.TAX), key=lambda one: one.sequence):
        applied = list(_applied(bill, one))
        if not applied:
            continue
        base = amount if one.applies_to is None or names(one.applies_to, charge, charge.tax_category) else Decimal(0)
        base += sum(by_code.get(code, Decimal(0)) for code in (one.applies_to.taxes if one.applies_to else ()))
        if base:
            base = _after(base, _exempt_percent(bill, one), bill.places)
            by_code[one.code] = bill.rounded(one, tax_of(base, applied[-1].terms))
            if applied[-1].terms.method == "inside":
                inside += by_code[one.code]
            else:
                on_top += by_code[one.code]
    return on_top, inside
