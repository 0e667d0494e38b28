"""Validations of the account and its agreement. Pure functions over one member."""

from collections.abc import Iterator
from datetime import timedelta

from billing_assets.invoicing.batches.codes import Found, found
from billing_assets.invoicing.batches.facts import MemberFacts
from billing_assets.invoicing.batches.settings import Parameters

_MODELS = {"DUAL": "dual", "LDC": "bill_ready", "ESP": "supplier_consolidated"}
"""How the utility says who bills (X12 REF BLT)."""


def check_account(facts: MemberFacts, given: Parameters) -> Iterator[Found]:
    """Whether the account can be billed, and the bill delivered."""
    if facts.hold_until is not None:
        yield found("ACCOUNT_HOLD", reason=facts.hold_why, who=facts.hold_by, date=facts.hold_until)
    if not facts.tax_codes:
        yield found("TAX_PLACE_MISSING")
    ends = facts.exempt_until
    if ends is not None and facts.today <= ends <= facts.today + timedelta(days=given.exemption_days):
        yield found("EXEMPTION_EXPIRING", date=ends)
    bounced = facts.delivery in ("email", "both") and facts.email_bounces >= given.email_bounces
    if facts.address_fault and (bounced or facts.delivery in ("paper", "both")):
        yield found("ADDRESS_INCOMPLETE", why=facts.address_fault)
    if bounced:
        yield found("EMAIL_BOUNCED", n=facts.email_bounces)
    said = _MODELS.get(facts.utility_model)
    if said is not None and facts.billing_model not in (said, "rate_ready" if said == "bill_ready" else said):
        yield found("BILLING_MODEL_MISMATCH", a=facts.utility_model, b=facts.billing_model)


def check_agreement(facts: MemberFacts, given: Parameters) -> Iterator[Found]:
    """Whether the account has a rate that covers the period."""
    last_day = facts.period_end - timedelta(days=1)
    if facts.tariff is None and facts.agreement_ended is not None and facts.agreement_ended <= last_day:
        yield found("ROLLOVER_NOT_APPLIED", date=facts.agreement_ended)
    elif facts.tariff is None or not facts.tariff_used or not facts.has_account:
        yield found("RATE_MISSING", date=last_day)
    for series, n in facts.prices_missing:
        yield found("PRICE_SERIES_INCOMPLETE", path=series, n=n, series=series)
    if facts.supply_end is not None and facts.period_end > facts.supply_end:
        yield found("USAGE_AFTER_END", date=facts.supply_end)
    if facts.supply_start is not None and facts.period_start < facts.supply_start:
        yield found("USAGE_BEFORE_START", date=facts.supply_start)
    if facts.rate_class and facts.agreement_class and facts.rate_class != facts.agreement_class:
        yield found("RATE_CLASS_MISMATCH", a=facts.rate_class, b=facts.agreement_class)
