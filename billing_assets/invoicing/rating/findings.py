"""What is found about a tariff or a bill: the codes, how severe they are, and what a person reads."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """An error means that there is no bill."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding. `path` names the place in the case, `value` what is there."""

    code: str
    severity: Severity
    path: str
    value: str
    sentence: str


_E, _W, _I = Severity.ERROR, Severity.WARNING, Severity.INFO

CODES: dict[str, tuple[Severity, str]] = {
    "TARIFF_OVERLAP": (_E, "Two versions of charge {charge} are valid on {date}."),
    "TARIFF_GAP": (_E, "Charge {charge} has no version from {begins} to {ends}."),
    "TOU_GAP": (_E, "On {day} the time {time} has no window."),
    "TOU_OVERLAP": (_E, "On {day} the time {time} has two windows."),
    "SEASON_COVER": (_E, "The seasons of {charge} leave out or repeat {date}."),
    "BLOCKS_ORDER": (_E, "The limits of {charge} do not rise."),
    "PRICE_UNIT": (_E, "{price} {unit}: cents or dollars? Outside {low}…{high} for this kind of charge."),
    "IMPORT_TEXT_ONLY": (_W, 'The plan says "{text}" only in words; decide what it applies to.'),
    "RATE_NONE": (_E, "No rate is active for {service_point} from {begins} to {ends}."),
    "RATE_PARTIAL": (_E, "The rate covers {n} of {m} days; {begins} to {ends} is not covered."),
    "RATE_MULTIPLE": (_E, "Two rates are active for {service_point} on {date}."),
    "USAGE_NONE": (_E, "There is no unbilled usage for {service_point} up to {date}."),
    "USAGE_FUTURE": (_E, "The usage ends on {ends}, which has not come yet."),
    "USAGE_GAP": (_E, "{n} of {m} intervals are missing, the first at {time}."),
    "USAGE_NOT_INTERVAL": (_E, "The rate needs intervals; the meter gives one register."),
    "INTERVAL_STRADDLES": (_E, "The interval at {time} lies across a change of price."),
    "INTERVAL_SUM": (_E, "Intervals add up to {a} kWh, the register says {b}."),
    "UNIT_MISMATCH": (_E, "Usage is in {unit}, the charge is per {unit2}."),
    "NEGATIVE_USAGE": (_E, "{kWh} kWh below zero on a channel that only consumes."),
    "PRICE_MISSING": (_E, "{n} prices of {series} are missing, the first for {time}."),
    "PROFILE_MISSING": (_E, "Profile {profile} has no weights for {date}."),
    "DEMAND_HISTORY_SHORT": (_W, "The ratchet looks back {n} months, only {m} are known."),
    "PASSTHROUGH_CODE_UNKNOWN": (_E, "Charge code {code} of {utility} is not mapped."),
    "PASSTHROUGH_TOTAL": (_E, "The utility's lines add up to {a}, its total says {b}."),
    "TAX_PLACE_UNKNOWN": (_E, "No tax codes for the service address."),
    "EXEMPTION_EXPIRED": (_W, "Certificate {number} ended on {date}; tax is charged."),
    "ESTIMATED": (_I, "{kWh} of {total} kWh are estimated."),
    "MINIMUM_APPLIED": (_I, "The minimum of {amount} was reached by a line of {line}."),
    "AMOUNT_IMPLAUSIBLE": (_W, "{amount} is {factor} times the mean of the last {n} bills."),
}
"""Every code with its severity and sentence."""

AT_LOAD = tuple(CODES)[: tuple(CODES).index("RATE_NONE")]
"""The codes that are found when a tariff is loaded; the others when a bill is made."""


def finding(code: str, path: str, value: object, **named: object) -> Finding:
    """A finding with its sentence filled in."""
    severity, sentence = CODES[code]
    return Finding(code, severity, path, str(value), sentence.format(**named))


def has_errors(findings: tuple[Finding, ...] | list[Finding]) -> bool:
    """Whether any of them means that there is no bill."""
    return any(one.severity is Severity.ERROR for one in findings)
