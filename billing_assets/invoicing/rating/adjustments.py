"""What is computed from other lines: minimum, discounts, percentage fees and green shares; and lines made by hand."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

from billing_assets.foundation.money import canonical
from billing_assets.invoicing.rating.bill import ONE, Bill, Position
from billing_assets.invoicing.rating.fixed import parts_of_days
from billing_assets.invoicing.rating.local_time import version_at
from billing_assets.invoicing.rating.proration import shares
from billing_assets.invoicing.rating.quantities import measure, merged, supplies
from billing_assets.invoicing.rating.rated import Evidence
from billing_assets.invoicing.rating.rounding import as_quantity, exact_text, half_up
from billing_assets.invoicing.rating.strict_json import FormatError
from billing_assets.invoicing.rating.tariff import (
    Charge,
    DiscountTerms,
    FeeTerms,
    GreenTerms,
    Kind,
    MinimumTerms,
    Version,
)
from billing_assets.invoicing.rating.usage import Event

HUNDRED = Decimal(100)
USE = (Kind.USAGE, Kind.TOU, Kind.INDEX, Kind.RATE_TABLE)


def version_of(bill: Bill, charge: Charge, day: date | None = None) -> Version | None:
    """The version of a day; by default of the bill's last one."""
    place = version_at(charge.versions, bill.period.ends - timedelta(days=1) if day is None else day)
    return None if place is None else charge.versions[place]


def _whole_bill(bill: Bill, charge: Charge, version: Version) -> Position:
    return Position(charge, version, bill.period.begins, bill.period.ends)


def add_minimum(bill: Bill, charge: Charge) -> None:
    """Adds what is short of the minimum: the minimum times its share, less the lines. Energy fed in never counts."""
    least = Fraction(0)
    last: Version | None = None
    said: list[str] = []
    for version, _, days in parts_of_days(bill, charge):
        terms = version.terms
        if isinstance(terms, MinimumTerms):
            last = version
            for share in shares(charge.proration, terms.period, days, bill.period, bill.context.cycles):
                least += Fraction(terms.amount) * share.part
                said.append(f"{canonical(terms.amount)} * {share.quantity * share.times} / {share.base}")
    if last is None:
        return
    amount = half_up(least, bill.places)
    counted = bill.sum_of(charge.applies_to, fed_in=False, surplus=False)
    short = amount - counted
    if short > 0:
        facts: Evidence = {"minimum": exact_text(amount), "shares": said, "counted": exact_text(counted)}
        bill.add(_whole_bill(bill, charge, last), ONE, bill.tariff.currency, short, ONE, facts)
        bill.find("MINIMUM_APPLIED", charge.code, amount, amount=amount, line=short)


def add_discount(bill: Bill, charge: Charge) -> None:
    """Adds a guaranteed discount as a line below zero: base · percent / 100, or a fixed amount."""
    version = version_of(bill, charge)
    if version is None or not isinstance(version.terms, DiscountTerms):
        return
    terms, at = version.terms, _whole_bill(bill, charge, version)
    if terms.method == "fixed":
        if terms.amount:
            bill.add(at, -ONE, bill.tariff.currency, terms.amount)
        return
    base = discount_base(bill, charge, terms)
    if base and terms.percent:
        facts: Evidence = {"base": exact_text(base), "threshold": exact_text(terms.threshold)}
        bill.add(at, -base, bill.tariff.currency, terms.percent, HUNDRED, facts)


def discount_base(bill: Bill, charge: Charge, terms: DiscountTerms) -> Decimal:
    """What a percentage is of: the lines that are named, else the usage or the bill without energy fed in."""
    if charge.applies_to is None and terms.method == "percent_of_use":
        base = sum((one.line.amount for one in bill.drafts if one.charge.kind in USE and not one.is_credit), Decimal(0))
    else:
        base = bill.sum_of(charge.applies_to, surplus=False)
    return max(Decimal(0), base - terms.threshold) if terms.method == "percent_over_threshold" else base


def add_fees(bill: Bill, charge: Charge) -> None:
    """Adds a line for each event of a fee. Raises FormatError for an event that no version of the fee is for."""
    for place, event in enumerate(bill.usage.events):
        if event.charge == charge.code:
            version = version_of(bill, charge, event.day)
            if version is None:
                until = event.day + timedelta(days=1)
                bill.find("RATE_NONE", f"usage.events[{place}]", charge.code, service_point=charge.code,
                          begins=event.day, ends=until)  # fmt: skip
            elif isinstance(version.terms, FeeTerms):
                _add_fee(bill, charge, version, version.terms, event)


def _add_fee(bill: Bill, charge: Charge, version: Version, terms: FeeTerms, event: Event) -> None:
    at = Position(charge, version, event.day, event.day + timedelta(days=1))
    facts: Evidence = {"event": event.day.isoformat()}
    if terms.percent is None:
        bill.add(at, event.quantity, "", terms.amount or Decimal(0), ONE, facts)
        return
    base = bill.sum_of(charge.applies_to) if event.base is None else event.base
    if base:
        bill.add(at, base, bill.tariff.currency, terms.percent, HUNDRED, {**facts, "base": exact_text(base)})


def add_green(bill: Bill, charge: Charge) -> None:
    """Adds a price for a share of the energy, or a percentage of what usage costs."""
    version = version_of(bill, charge)
    if version is None or not isinstance(version.terms, GreenTerms):
        return
    if version.terms.price is None:
        terms = DiscountTerms("percent_of_use", version.terms.percent, Decimal(0), Decimal(0))
        base = discount_base(bill, charge, terms)
        if base:
            at = _whole_bill(bill, charge, version)
            bill.add(at, base, bill.tariff.currency, terms.percent, HUNDRED, {"base": exact_text(base)})
        return
    for point, supply in supplies(bill, charge, charge.channels).items():
        cells = merged(measure(bill, charge, point, supply))
        for cell in sorted(cells, key=lambda one: one.key.version):
            of_cell = charge.versions[cell.key.version]
            if isinstance(of_cell.terms, GreenTerms) and of_cell.terms.price is not None and cells[cell].energy:
                days = [one for found, _, one in parts_of_days(bill, charge) if found is of_cell]
                _add_green(bill, charge, of_cell, of_cell.terms, point, cells[cell].energy, cells[cell].estimated, days)


def _add_green(
    bill: Bill,
    charge: Charge,
    version: Version,
    terms: GreenTerms,
    point: str,
    energy: Fraction,
    estimated: bool,
    days: Sequence[Sequence[date]],
) -> None:
    share = Fraction(terms.percent) * Fraction(1, 100)
    quantity = as_quantity(energy * share)
    if quantity and terms.price is not None:
        every = [day for one in days for day in one] or [bill.period.begins]
        at = Position(charge, version, every[0], every[-1] + timedelta(days=1), point, estimated=estimated)
        facts: Evidence = {"kwh": exact_text(energy), "percent": exact_text(terms.percent)}
        bill.add(at, quantity, charge.unit, terms.price, ONE, facts)


def add_manual(bill: Bill, charge: Charge) -> None:
    """Adds the lines that were made by hand."""
    for one in bill.usage.manual:
        if one.charge == charge.code:
            version = version_of(bill, charge) or charge.versions[-1]
            at = Position(charge, version, one.begins, one.ends, bill_text=one.bill_text, tax_category=one.tax_category)
            bill.add(at, one.quantity, one.unit, one.price)


def check_names(bill: Bill) -> None:
    """Raises FormatError for an event or a charge by hand that names no such charge of the tariff."""
    events = [("events", one.charge, place, Kind.FEE) for place, one in enumerate(bill.usage.events)]
    by_hand = [("manual", one.charge, place, Kind.MANUAL) for place, one in enumerate(bill.usage.manual)]
    for what, code, place, kind in (*events, *by_hand):
        if not any(one.code == code and one.kind is kind for one in bill.tariff.charges):
            raise FormatError(f"usage.{what}[{place}].charge", code, f"the tariff has no {kind} of this code.")
