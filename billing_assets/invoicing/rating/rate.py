"""Rates a bill: from a tariff and usage to lines, taxes and totals. Pure: the same input gives the same answer."""

from decimal import Decimal
from fractions import Fraction

from billing_assets.invoicing.rating.adjustments import (
    add_discount,
    add_fees,
    add_green,
    add_manual,
    add_minimum,
    check_names,
    discount_base,
    version_of,
)
from billing_assets.invoicing.rating.bill import Bill
from billing_assets.invoicing.rating.completeness import check_completeness
from billing_assets.invoicing.rating.context import RatingContext
from billing_assets.invoicing.rating.coverage import check_coverage
from billing_assets.invoicing.rating.demand import add_demand
from billing_assets.invoicing.rating.energy import Pools, add_energy, measure_all
from billing_assets.invoicing.rating.findings import Finding, has_errors
from billing_assets.invoicing.rating.fixed import add_fixed
from billing_assets.invoicing.rating.index import add_index
from billing_assets.invoicing.rating.passthrough import add_passthrough, check_documents
from billing_assets.invoicing.rating.rated import Conditional, Rated, Totals
from billing_assets.invoicing.rating.rounding import half_up
from billing_assets.invoicing.rating.tariff import Charge, DiscountTerms, Kind, Tariff
from billing_assets.invoicing.rating.taxes import add_tax, check_places, taxes_on
from billing_assets.invoicing.rating.usage import Period, Usage

_ADD = {
    Kind.FIXED_DAILY: add_fixed,
    Kind.FIXED_PERIOD: add_fixed,
    Kind.DEMAND: add_demand,
    Kind.INDEX: add_index,
    Kind.FEED_IN: add_index,  # where its prices are those of a series
    Kind.PASSTHROUGH: add_passthrough,
    Kind.MINIMUM: add_minimum,
    Kind.DISCOUNT: add_discount,
    Kind.FEE: add_fees,
    Kind.GREEN: add_green,
    Kind.MANUAL: add_manual,
    Kind.TAX: add_tax,
}


def rate(tariff: Tariff, usage: Usage, period: Period, context: RatingContext) -> Rated:
    """The bill of a period. With a finding of severity error it has no lines, taxes and totals: never half a bill.

    The tariff was checked when it was loaded (`tariff_checks.check_tariff`). Raises FormatError for usage that names a
    charge which the tariff does not have.
    """
    bill = Bill(tariff, usage, period, context)
    check_names(bill)
    check_coverage(bill)
    check_completeness(bill)
    check_documents(bill)
    check_places(bill)
    if has_errors(bill.findings):
        return refused(bill.findings)
    measured = measure_all(bill)
    pools = Pools(measured)
    for charge in sorted(tariff.charges, key=lambda one: one.sequence):
        if charge.conditional:
            continue
        if charge.code in measured:
            add_energy(bill, charge, measured[charge.code], pools)
        else:
            _ADD[charge.kind](bill, charge)
    if has_errors(bill.findings):
        return refused(bill.findings)
    return _finished(bill)


def refused(findings: list[Finding] | tuple[Finding, ...]) -> Rated:
    """What is returned instead of half a bill."""
    return Rated((), (), (), None, tuple(findings), ())


def _finished(bill: Bill) -> Rated:
    zero = half_up(Decimal(0), bill.places)
    lines = tuple(one.line for one in bill.drafts)
    gross = sum((one.amount for one in lines), zero)
    tax = sum((one.amount for one in bill.taxes), zero)
    net = gross - bill.taxes_inside
    total = net + tax
    _check_plausible(bill, total)
    conditional = tuple(
        found
        for charge in bill.tariff.charges
        if charge.conditional
        for found in [_conditional(bill, charge, total)]
        if found is not None
    )
    totals = Totals(net, tax, total, _average(bill))
    return Rated(lines, tuple(bill.taxes), conditional, totals, tuple(bill.findings), tuple(bill.evidence))


def _conditional(bill: Bill, charge: Charge, total: Decimal) -> Conditional | None:
    """A discount that is shown and not deducted, of the lines after the guaranteed ones."""
    version = version_of(bill, charge)
    if version is None or not isinstance(version.terms, DiscountTerms):
        return None
    terms = version.terms
    if terms.method == "fixed":
        amount = half_up(terms.amount, bill.places)
    else:
        share = Fraction(discount_base(bill, charge, terms)) * Fraction(terms.percent)
        amount = bill.rounded(charge, Fraction(share, 100))
    if amount <= 0:  # nothing is taken off a credit
        return None
    on_top, inside = taxes_on(bill, charge, amount)
    payable = total - amount - on_top
    return Conditional(charge.code, amount - inside, on_top + inside, payable, bill.context.due_date)


def _check_plausible(bill: Bill, total: Decimal) -> None:
    earlier = bill.context.earlier_totals
    if not earlier:
        return
    mean = Fraction(sum((Fraction(one) for one in earlier), Fraction(0)), len(earlier))
    if mean > 0 and total > mean * Fraction(bill.context.implausible_factor):
        factor = half_up(Fraction(Fraction(total), mean), 1)
        bill.find("AMOUNT_IMPLAUSIBLE", "total", total, amount=total, factor=factor, n=len(earlier))


def _average(bill: Bill) -> Decimal | None:
    """(Σ lines without fees and credits) / kWh in minor units, one decimal: for display, where prices are an index."""
    if not any(one.kind is Kind.INDEX for one in bill.tariff.charges):
        return None
    index = [one.line for one in bill.drafts if one.charge.kind is Kind.INDEX and not one.is_credit and one.line.unit]
    kwh = sum((abs(Fraction(one.quantity)) for one in index), Fraction(0))
    if not kwh:
        return None
    recurring = sum(
        (one.line.amount for one in bill.drafts if not one.is_credit and one.charge.group != "fee"), Decimal(0)
    )
    return half_up(Fraction(Fraction(recurring), kwh) * 10**bill.places, 1)
