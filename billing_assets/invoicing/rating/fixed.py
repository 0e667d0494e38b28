"""Fixed charges: a price a day, or a share of a price a month, quarter or year."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal

from billing_assets.invoicing.rating.bill import Bill, Position
from billing_assets.invoicing.rating.local_time import days_of_parts
from billing_assets.invoicing.rating.proration import shares
from billing_assets.invoicing.rating.rated import Evidence
from billing_assets.invoicing.rating.rounding import EXACT
from billing_assets.invoicing.rating.tariff import Charge, FixedTerms, Version


def add_fixed(bill: Bill, charge: Charge) -> None:
    """Adds the lines of `fixed_daily` and `fixed_period`: by version, season and nominal period."""
    for point, meter in _each(bill, charge):
        for version, slot, days in parts_of_days(bill, charge):
            terms = version.terms
            if isinstance(terms, FixedTerms):
                _add_part(bill, charge, version, terms, slot, days, point, meter)


def _add_part(
    bill: Bill,
    charge: Charge,
    version: Version,
    terms: FixedTerms,
    slot: int,
    days: Sequence[date],
    point: str,
    meter: str,
) -> None:
    season = terms.seasons[slot]
    price = season.blocks[0].price
    facts: Evidence = {"meter": meter} if meter else {}
    if terms.period is None:
        at = Position(charge, version, days[0], days[-1] + timedelta(days=1), point, season.name)
        bill.add(at, Decimal(len(days)), "day", price, facts=facts)
        return
    for share in shares(charge.proration, terms.period, days, bill.period, bill.context.cycles):
        at = Position(charge, version, share.begins, share.ends, point, season.name)
        facts = {**facts, "period": terms.period, "proration": charge.proration}
        bill.add(
            at,
            Decimal(share.quantity),
            share.unit,
            EXACT.multiply(price, Decimal(share.times)),
            Decimal(share.base),
            facts,
        )


def _each(bill: Bill, charge: Charge) -> list[tuple[str, str]]:
    """What the charge is for: the bill, each service point, or each meter."""
    used = bill.usage
    if charge.per == "bill":
        return [("", "")]
    if charge.per == "service_point":
        points = {one.service_point for one in used.metered}
        return [(point, "") for point in sorted(points)] or [("", "")]
    meters = {(one.service_point, one.meter) for one in used.registers}
    with_meters = {point for point, _ in meters}
    meters |= {(one.service_point, "") for one in used.intervals if one.service_point not in with_meters}
    return sorted(meters) or [("", "")]


def parts_of_days(bill: Bill, charge: Charge) -> Iterator[tuple[Version, int, Sequence[date]]]:
    """The days of the bill by version and season, in order."""
    found = days_of_parts(charge.versions, bill.period.begins, bill.period.ends)
    for version, slot in sorted(found):
        yield charge.versions[version], slot, found[version, slot]
