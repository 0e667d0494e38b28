"""Validations of the period, of the utility's charges, and of deadlines. Pure functions over one member."""

from collections.abc import Iterator

from billing_assets.invoicing.batches.codes import Found, Severity, found
from billing_assets.invoicing.batches.facts import MemberFacts
from billing_assets.invoicing.batches.settings import Parameters

NEEDS_CHARGES = frozenset({"supplier_consolidated", "rate_ready"})
"""Models in which the utility's charges are part of the bill, or are compared with it."""


def check_period(facts: MemberFacts, given: Parameters) -> Iterator[Found]:
    """Whether the period follows the last one, is whole, and lies where it may."""
    for number in facts.overlaps:
        yield found("PERIOD_OVERLAP", path=number, a=facts.period_start, b=facts.period_end, number=number)
    yield from _continuity(facts, given)
    if not facts.is_final and not given.least_days <= facts.days <= given.most_days:
        yield found("PERIOD_LENGTH", n=facts.days)
    if facts.period_end > facts.today:
        yield found("PERIOD_FUTURE", date=facts.period_end)
    if facts.unbilled > given.most_unbilled:
        yield found("CONSUMPTION_MULTIPLE", n=facts.unbilled)
    yield from _age(facts, given)


def _continuity(facts: MemberFacts, given: Parameters) -> Iterator[Found]:
    """Whether the period follows the usage before it, and whether days of the customer before it were never billed.

    The customer's days are those of supply, account and agreement alike: before that another billed them, or no one was
    supplied. What is in an open batch is being billed.
    """
    ours = [one for one in (facts.supply_start, facts.billed_since) if one is not None]
    billed = [one for one in (facts.last_end, facts.member_before) if one is not None]
    before = max([*billed, *([facts.usage_before] if facts.usage_before else [])], default=None)
    is_next = before is not None and not facts.overlaps and all(before >= one for one in ours)
    if before is not None and is_next and abs((facts.period_start - before).days) > given.date_days:
        yield found("SERVICE_DATE_MISMATCH", a=facts.period_start, b=before)
    if ours or billed:
        gap = (facts.period_start - max([*ours, *billed])).days
        if gap > given.gap_days:
            yield found("PERIOD_GAP", n=gap, a=facts.period_start)


def _age(facts: MemberFacts, given: Parameters) -> Iterator[Found]:
    months = (facts.today.year - facts.period_start.year) * 12 + facts.today.month - facts.period_start.month
    limit = given.months_back(facts.customer_class, facts.tax_codes)
    if limit is not None and months > limit:
        yield found("BACK_BILL_LIMIT", n=months - limit, m=limit)
    since = [one.date() for one in (facts.arrived_at, facts.charges_arrived_at) if one is not None]
    if facts.is_ready and since and (day := (facts.today - max(since)).days) >= given.deadline_day:
        yield found("BILL_DEADLINE", n=day)


def needs_charges(facts: MemberFacts) -> bool:
    """Whether the bill needs the utility's charges, by billing model and group."""
    return facts.billing_model in NEEDS_CHARGES and not facts.without_charges


def check_charges(facts: MemberFacts, given: Parameters) -> Iterator[Found]:
    """Whether the utility's charges are there, once, and for the same days."""
    if facts.has_usage and facts.charges is None and needs_charges(facts):
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
        if apart > given.charges_days:
            theirs = f"{facts.charges_start}\N{EN DASH}{facts.charges_end}"
            yield found("TDSP_PERIOD_MISMATCH", a=theirs, b=f"{facts.period_start}\N{EN DASH}{facts.period_end}")
    if facts.orphan_charges_since is not None:
        n = (facts.today - facts.orphan_charges_since).days
        if n >= given.orphan_days:
            yield found("TDSP_ORPHAN_AGED", date=facts.orphan_charges_since, n=n)
