"""Coverage: every day of the bill has exactly one version of each charge, before anything is priced."""

from datetime import timedelta

from billing_assets.invoicing.rating.bill import Bill
from billing_assets.invoicing.rating.local_time import days_between, is_in
from billing_assets.invoicing.rating.tariff import Charge, Kind

MAY_BEGIN_AND_END = frozenset({Kind.DISCOUNT, Kind.FEE, Kind.MANUAL})
"""Kinds that need no version on every day: a discount runs out, and a fee is asked for on the day of its event."""


def check_coverage(bill: Bill) -> None:
    """Adds RATE_NONE, RATE_PARTIAL and RATE_MULTIPLE."""
    if not bill.tariff.charges:
        bill.find("RATE_NONE", "tariff.charges", 0, service_point=_point(bill), **_span(bill))
    for charge in bill.tariff.charges:
        if charge.kind not in MAY_BEGIN_AND_END:
            _check(bill, charge)


def _span(bill: Bill) -> dict[str, object]:
    return {"begins": bill.period.begins, "ends": bill.period.ends}


def _point(bill: Bill) -> str:
    used = (*bill.usage.registers, *bill.usage.intervals, *bill.usage.demand)
    return next((one.service_point for one in used if one.service_point), "the service point")


def _check(bill: Bill, charge: Charge) -> None:
    begins, ends, path = bill.period.begins, bill.period.ends, f"tariff.charges.{charge.code}.versions"
    first = charge.versions[0]
    if len(charge.versions) == 1 and first.valid_from <= begins and (first.valid_to is None or ends <= first.valid_to):
        return  # the usual case, without a look at each day
    days = days_between(begins, ends)
    valid = [sum(is_in(day, one.valid_from, one.valid_to) for one in charge.versions) for day in days]
    if any(one > 1 for one in valid):
        twice = days[next(place for place, one in enumerate(valid) if one > 1)]
        bill.find("RATE_MULTIPLE", path, charge.code, service_point=_point(bill), date=twice)
    uncovered = [day for day, one in zip(days, valid, strict=True) if not one]
    if len(uncovered) == len(days):
        bill.find("RATE_NONE", path, charge.code, service_point=_point(bill), begins=begins, ends=ends)
    elif uncovered:
        last = uncovered[0]
        while last + timedelta(days=1) in uncovered:
            last += timedelta(days=1)
        end = last + timedelta(days=1)
        covered = len(days) - len(uncovered)
        bill.find("RATE_PARTIAL", path, charge.code, n=covered, m=len(days), begins=uncovered[0], ends=end)
