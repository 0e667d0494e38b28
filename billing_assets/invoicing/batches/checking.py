"""All validations of one member. Pure."""

from collections.abc import Callable, Iterator

from billing_assets.invoicing.batches.account_checks import check_account, check_agreement
from billing_assets.invoicing.batches.codes import Found, Parameters
from billing_assets.invoicing.batches.facts import MemberFacts
from billing_assets.invoicing.batches.period_checks import check_charges, check_period
from billing_assets.invoicing.batches.usage_checks import check_usage

CHECKS: tuple[Callable[[MemberFacts, Parameters], Iterator[Found]], ...] = (
    check_usage,
    check_period,
    check_charges,
    check_account,
    check_agreement,
)


def check(facts: MemberFacts, given: Parameters) -> list[Found]:
    """What is found in a member, without the codes that its group has switched off."""
    return [one for check_of in CHECKS for one in check_of(facts, given) if one.code not in facts.checks_off]
