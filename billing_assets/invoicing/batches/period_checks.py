"""Validations of the period, of the utility's charges, and of deadlines. Pure functions over one member."""

from collections.abc import Iterator

from billing_assets.invoicing.batches.codes import Found, Parameters, Severity, found
from billing_assets.invoicing.batches.facts import MemberFacts

NEEDS_CHARGES = frozenset({"supplier_consolidated", "rate_ready"})
"""Models in which the utility's charges are part of the bill, or are compared with it."""


def check_period(facts: MemberFacts, given: Parameters) -> Iterator[Found]:
    """Whether the period follows the last one, is whole, and lies where it may."""
    for number in facts.overlaps:
        yield found("PERIOD_OVERLAP", path=number, a=facts.period_start, b=facts.period_end, number=number)
    if facts.last_end is not None:
        gap = (facts.period_start - facts.last_end).days
        if abs(gap) > given.date_tolerance_days and not facts.overlaps:
            yield found("SERVICE_DATE_MISMATCH", a=facts.period_start, b=facts.last_end)
        if gap > given.date_tolerance_days:
            yield found("PERIOD_GAP", n=gap, a=facts.period_start)
    elif facts.supply_start is not None and facts.supply_start < facts.period_start:
        yield found("PERIOD_GAP", n=(facts.period_start - facts.supply_start).days, a=facts.period_start)
    if not facts.is_final and not given.least_days <= facts.days <= given.most_days:
        yield found("PERIOD_LENGTH", n=facts.days)
    if facts.period_end > facts.today:
        yield found("PERIOD_FUTURE", date=facts.period_end)
    if facts.unbilled > given.most_unbilled:
        yield found("CONSUMPTION_MULTIPLE", n=facts.unbilled)
    yield from _age(facts, given)


def _age(facts: MemberFacts, given: Parameters) -> Iterator[Found]:
    months = (facts.today.year - facts.period_start.year) * 12 + facts.today.month - facts.period_start.month
    if months > given.back_bill_months:
        yield found("BACK_BILL_LIMIT", n=months - given.back_bill_months, m=given.back_bill_months)
    since = [one.date() for one in (facts.arrived_at, facts.charges_arrived_at) if one is not None]
    if facts.is_ready and since and (day := (facts.today - max(since)).days) >= given.deadline_day:
        yield found("BILL_DEADLINE", n=day)


def check_charges(facts: MemberFacts, given: Parameters) -> Iterator[Found]:
    """Whether the utility's charges are there, once, and for the same days."""
    needed = facts.billing_model in NEEDS_CHARGES and not facts.without_charges
    if facts.has_usage and facts.charges is None and needed:
        yield found("TDSP_MISSING", a=facts.period_start, b=facts.period_end)
        if facts.arrived_at and (n := (facts.today - facts.arrived_at.date()).days) >= given.orphan_days:
            severity = Severity.ERROR if n >= given.orphan_error_days else None
            yield found("USAGE_ORPHAN_AGED", severity=severity, date=facts.arrived_at.date(), n=n)
    if facts.charges_alike > 1:
        yield found("TDSP_MULTIPLE", n=facts.charges_alike)
    if facts.charges is not None and facts.charges_start is not None and facts.charges_end is not None:
        apart = max(
            abs((facts.charges_start - facts.period_start).days), abs((facts.charges_end - facts.period_end).days)
        )
        if apart > given.charges_tolerance_days:
            theirs = f"{facts.charges_start}\N{EN DASH}{facts.charges_end}"
            yield found("TDSP_PERIOD_MISMATCH", a=theirs, b=f"{facts.period_start}\N{EN DASH}{facts.period_end}")
    if facts.orphan_charges_since is not None:
        n = (facts.today - facts.orphan_charges_since).days
        if n >= given.orphan_days:
            yield found("TDSP_ORPHAN_AGED", date=facts.orphan_charges_since, n=n)
