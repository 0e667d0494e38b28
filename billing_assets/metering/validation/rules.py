"""The rules of validation: one table, and the run through it.

A rule looks at the facts of one stream and period, and asks no database. The order of the table is that of the run: a
stop ends it, an issue does not, so that a clerk sees all at once.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from billing_assets.metering.validation import form_checks, quality_checks, sum_checks, use_checks
from billing_assets.metering.validation.cases import Case, Seen, case_of
from billing_assets.metering.validation.facts import Kind, PeriodFacts
from billing_assets.metering.validation.parameters import Parameters, ParameterTable, Setting, Severity

Check = Callable[[Case], Iterator[Seen]]

_INFO, _ISSUE, _STOP = Severity.INFO, Severity.ISSUE, Severity.STOP
_ALL = frozenset(Kind)
_METERED = frozenset({Kind.INITIAL, Kind.MANUAL})
_INITIAL = frozenset({Kind.INITIAL})


@dataclass(frozen=True)
class Rule:
    """A rule as people read about it. `parameters`: names with their defaults. `kinds`: the data that it is for.
    `version` counts the changes of what it finds."""

    severity: Severity
    kinds: frozenset[Kind]
    check: Check = field(repr=False)
    meaning: str
    remedy: str
    parameters: dict[str, Decimal] = field(default_factory=dict)
    version: int = 1


class RuleFinding(NamedTuple):
    """What a rule found in a period: by which version of it, with which parameters. `day`: None: the whole period."""

    rule: str
    severity: Severity
    version: int
    parameters: dict[str, str]
    observed: str
    limit: str
    sentence: str
    day: date | None


def _of(**numbers: str) -> dict[str, Decimal]:
    return {name: Decimal(text) for name, text in numbers.items()}


_RESEND = "Correct the master data if they are wrong, else ask the sender for it again."
_ESTIMATE = "Wait for the data or ask for them; estimate the day if they do not come."
_VERIFY = "Ask the customer or the sender; verify it with the reason if it is right, else edit or estimate it."

RULES: dict[str, Rule] = {
    "SIZE": Rule(_STOP, _ALL, form_checks.size, "The intervals have another length than the stream.", _RESEND),
    "UNIT": Rule(_STOP, _ALL, form_checks.unit, "The unit is another than the stream's.", _RESEND),
    "METER": Rule(_ISSUE, _METERED, form_checks.meter, "A read has more digits than the dials or other decimals than the device's (zeros beyond them are none), or the serial is not on the point.", "Correct the device in the master data, or ask the sender which meter was read.", version=2),
    "MULTIPLIER": Rule(_ISSUE, _METERED, form_checks.multiplier, "The multiplier delivered is not the device's.", _RESEND),
    "MISSING": Rule(_ISSUE, _ALL, form_checks.missing, "A local day has fewer values than intervals (92, 96 or 100 quarter hours), or a period has no read.", _ESTIMATE),
    "PERIOD": Rule(_ISSUE, _ALL, form_checks.period, "The period ends in the future, or overlaps another one, or leaves a gap after the one before.", "Ask the sender for the period that is missing, or for the right dates; reject the reading that does not count.", _of(days="0"), version=2),
    "DUPLICATE": Rule(_INFO, _INITIAL, form_checks.duplicate, "The same stream and interval came twice.", "Nothing to do."),
    "TIME": Rule(_ISSUE, _INITIAL, form_checks.time, "The meter's clock differs.", "Have the clock set; verify the data if the tariff does not depend on it.", _of(minutes="3")),
    "SIBLING": Rule(_ISSUE, _ALL, form_checks.sibling, "A billed stream of the point has days without data when the period closes; one that is not billed only informs.", _ESTIMATE),
    "ROLLOVER": Rule(_INFO, _ALL, sum_checks.rollover, "A register went past its last number, and the dials explain it.", "Nothing to do.", _of(use_per_day="500")),
    "NEGATIVE": Rule(_ISSUE, _ALL, sum_checks.negative, "Energy is below zero, and no rollover explains it.", "After an estimate that was too high: back it out and bill again from the last actual read. Else ask for another read."),
    "SUM": Rule(_ISSUE, _ALL, sum_checks.sum_check, "The intervals do not add up to the register.", "Look for missing intervals and a wrong multiplier; estimate again, scaled to the register.", _of(units="2", percent="1")),
    "TOU_SUM": Rule(_ISSUE, _ALL, sum_checks.parts_sum, "The registers by time of use do not add up to the total.", "Ask the sender for the reads again.", _of(units="1")),
    "DEMAND": Rule(_ISSUE, _ALL, sum_checks.demand, "The highest demand is below the mean one: the load factor is above 1.", "Ask the sender for the demand and its multiplier."),
    "SPIKE": Rule(_ISSUE, _ALL, use_checks.spike, "The highest interval of a day stands far above the third highest.", _VERIFY, _of(percent="180")),
    "HIGH": Rule(_ISSUE, _ALL, use_checks.high, "The average daily use is far above the last period or the same one last year.", _VERIFY, _of(ratio="2.0", periods="2", estimated="50")),
    "LOW": Rule(_ISSUE, _ALL, use_checks.low, "The average daily use is far below the last period or the same one last year.", _VERIFY, _of(ratio="0.5", periods="2", estimated="50")),
    "ZERO": Rule(_ISSUE, _ALL, use_checks.zero, "Nothing was used on an active service, and the power was not off.", _VERIFY, _of(periods="1")),
    "INACTIVE": Rule(_ISSUE, _ALL, use_checks.inactive, "Energy was used on a service that is closed or disconnected.", "Find out who uses it: open a supply period, or have the service checked.", _of(quantity="1")),
    "STAT": Rule(_INFO, _METERED, use_checks.stat, "The use per day is far from the point's mean.", "Nothing to do.", _of(deviations="3", values="12")),
    "CHANGE": Rule(_INFO, _METERED, use_checks.change, "The use per day, or the highest interval, changed much since the last period.", "Nothing to do.", _of(percent="50")),
    "CONSECUTIVE": Rule(_INFO, _METERED, use_checks.consecutive, "The same value comes again and again.", "Look at the meter if the customer did use energy.", _of(hours="24")),
    "QUALITY_MIX": Rule(_INFO, _ALL, quality_checks.quality_mix, "A large share of a day's intervals is not actual.", "Nothing to do.", _of(percent="20")),
    "PROLONGED": Rule(_ISSUE, _ALL, quality_checks.prolonged, "Too many periods in a row are estimated.", "Have the meter read; verify it with the reason if that is not possible.", _of(periods="2", percent="50")),
    "REPLACE": Rule(_ISSUE, _ALL, quality_checks.replace, "Values are replaced by others of lower quality, or billed ones by another quantity.", "Decide on the restatement; ask the sender why the quality went down.", _of(quantity="0.5", percent="0.5")),
}  # fmt: skip
"""By code, in the order of the run. `HIGH` and `LOW` use of history only periods of which at most `estimated` percent are;
in `PROLONGED`, `percent` is how much of a period makes it an estimated one."""

DEFAULTS = {code: rule.parameters for code, rule in RULES.items()}


def parameter_table(settings: Iterable[Setting] = ()) -> ParameterTable:
    """The parameters of all rules with what was set over their defaults. Raises ParameterError."""
    return ParameterTable(DEFAULTS, settings)


def judge(facts: PeriodFacts, parameters: Parameters) -> list[RuleFinding]:
    """All findings of a period, in the order of the rules."""
    return run(case_of(facts, parameters), RULES)


def run(case: Case, looked_at: Collection[str]) -> list[RuleFinding]:
    """The findings of these rules. The others are known to find nothing."""
    found: list[RuleFinding] = []
    parameters, kind = case.parameters, case.facts.kind
    for code, rule in RULES.items():
        if code not in looked_at or kind not in rule.kinds or not parameters.is_on(code):
            continue
        severity = parameters.severity(code, rule.severity)
        of_rule = [_finding(code, rule, seen, severity, parameters) for seen in rule.check(case)]
        found += of_rule
        if any(one.severity is Severity.STOP for one in of_rule):
            break
    return found


def _finding(code: str, rule: Rule, seen: Seen, severity: Severity, parameters: Parameters) -> RuleFinding:
    used = {name: str(parameters.of(code)[name]) for name in rule.parameters}
    if code == "NEGATIVE":  # whether a rollover explains it
        used = {name: str(value) for name, value in parameters.of("ROLLOVER").items() if name == "use_per_day"}
    weaker = seen.severity if seen.severity is not None and severity is rule.severity else None
    return RuleFinding(code, weaker or severity, rule.version, used, seen.observed, seen.limit, seen.sentence, seen.day)


def holds(findings: Iterable[RuleFinding]) -> bool:
    """Whether a period with these findings may not be billed until a person has decided."""
    return any(one.severity is not Severity.INFO for one in findings)
