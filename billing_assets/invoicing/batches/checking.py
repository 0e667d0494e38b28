"""All validations of one member. Pure."""

from collections.abc import Callable, Iterable, Iterator

from billing_assets.invoicing.batches.account_checks import check_account, check_agreement
from billing_assets.invoicing.batches.codes import ALWAYS, Found, Severity
from billing_assets.invoicing.batches.facts import MemberFacts
from billing_assets.invoicing.batches.period_checks import check_charges, check_period
from billing_assets.invoicing.batches.settings import Parameters
from billing_assets.invoicing.batches.usage_checks import check_usage

CHECKS: tuple[Callable[[MemberFacts, Parameters], Iterator[Found]], ...] = (
    check_usage,
    check_period,
    check_charges,
    check_account,
    check_agreement,
)


def check(facts: MemberFacts, given: Parameters) -> list[Found]:
    """What is found in a member, without the codes that its group has switched off, as severe as its group says."""
    off = set(facts.checks_off) - ALWAYS
    severities = severities_of(facts.severities)
    found = [one for check_of in CHECKS for one in check_of(facts, given) if one.code not in off]
    return [one._replace(severity=severities.get(one.code, one.severity)) for one in found]


def severities_of(words: Iterable[str]) -> dict[str, Severity]:
    """Severities that a bill group has set, by code: of `PERIOD_GAP:warning`."""
    pairs = (one.partition(":") for one in words)
    return {code: Severity(severity) for code, _, severity in pairs if code not in ALWAYS}
