"""The validations before an invoice: code, severity, sentence, parameters; one table, which the docs are held to.

The first ten are those of the utility's billing system; the others come from validation of meter data, operators'
practice and what customers complain about.
"""

from enum import StrEnum
from typing import NamedTuple


class Severity(StrEnum):
    """An error keeps the member from being invoiced; a warning wants a look; an info is a note."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Code(NamedTuple):
    """A validation. `waivable`: a person may let it pass with a reason. `parameters`: of `Parameters`."""

    severity: Severity
    sentence: str
    waivable: bool = False
    parameters: tuple[str, ...] = ()


_E, _W, _I = Severity.ERROR, Severity.WARNING, Severity.INFO

CODES: dict[str, Code] = {
    "CONSUMPTION_APPROVAL": Code(
        _E,
        "The supplier's rules ask for approval of this usage; no one has approved it (index bills).",
        True,
        ("approval_tariffs",),
    ),
    "CONSUMPTION_TYPE": Code(
        _W, "The usage is an adjustment or a rollover, not a normal read.", parameters=("adjustment_types",)
    ),
    "READ_MISMATCH": Code(
        _E, "The begin read {a} is not the last end read {b} of meter {m}.", True, ("read_tolerance",)
    ),
    "SERVICE_DATE_MISMATCH": Code(_E, "This period begins {a}, the last one ended {b}.", True, ("date_days",)),
    "CONSUMPTION_MISSING": Code(_E, "There is no billable usage up to {cut_off}."),
    "CONSUMPTION_MULTIPLE": Code(_W, "The meter has {n} unbilled periods.", parameters=("most_unbilled",)),
    "RATE_MISSING": Code(_E, "The customer has no active rate on {date}, or it was never applied."),
    "TDSP_MISSING": Code(_E, "No utility charges for {a}\N{EN DASH}{b}."),
    "TDSP_MULTIPLE": Code(_W, "{n} utility invoices for the same period."),
    "ROLLOVER_NOT_APPLIED": Code(_E, "The agreement ended on {date} and no follow-on product was applied."),
    "TDSP_PERIOD_MISMATCH": Code(_E, "Utility charges are for {a}, the usage for {b}.", True, ("charges_days",)),
    "TDSP_ORPHAN_AGED": Code(_W, "Utility charges of {date} wait {n} days for usage.", parameters=("orphan_days",)),
    "USAGE_ORPHAN_AGED": Code(
        _W, "Usage of {date} waits {n} days for utility charges.", parameters=("orphan_days", "orphan_error_days")
    ),
    "PERIOD_OVERLAP": Code(_E, "{a}\N{EN DASH}{b} overlaps invoice {number}."),
    "PERIOD_GAP": Code(_E, "{n} days before {a} were never billed.", True, ("gap_days",)),
    "PERIOD_LENGTH": Code(_W, "The period has {n} days.", parameters=("least_days", "most_days")),
    "PERIOD_FUTURE": Code(_E, "The usage ends on {date}, in the future."),
    "USAGE_CANCELLED": Code(_E, "The utility cancelled this usage; its replacement is not here yet."),
    "USAGE_HELD": Code(_E, "Metering does not give this usage to billing: {why}"),
    "REPLACE_WITHOUT_CANCEL": Code(_E, "A replacement came for usage that was not cancelled."),
    "INTERVALS_MISSING": Code(_E, "{n} of {m} intervals are missing.", parameters=("missing_intervals",)),
    "INTERVAL_REGISTER_SUM": Code(_E, "Intervals {a} kWh, register {b} kWh.", True, ("sum_kwh", "sum_percent")),
    "METER_MISSING": Code(_E, "Meter {m} of the service point has no read, its siblings have."),
    "METER_UNKNOWN": Code(_E, "A read came for a meter that the account does not have."),
    "MULTIPLIER_CHANGED": Code(_E, "The multiplier changed from {a} to {b}.", True),
    "ZERO_USAGE": Code(_W, "Zero on an active service for {n} periods.", parameters=("zero_periods",)),
    "NEGATIVE_USAGE": Code(_E, "Usage is below zero."),
    "HIGH_USAGE": Code(
        _W, "{a} kWh a day against {b} last period and {c} a year ago.", parameters=("high", "least_history")
    ),
    "LOW_USAGE": Code(
        _W, "{a} kWh a day against {b} last period and {c} a year ago.", parameters=("low", "least_history")
    ),
    "CONSECUTIVE_ESTIMATES": Code(
        _W, "Estimate number {n} in a row.", parameters=("estimates_warning", "estimates_error")
    ),
    "ACTUAL_BELOW_ESTIMATE": Code(_W, "The actual read is lower than the billed estimate; {kwh} kWh go back."),
    "USAGE_AFTER_END": Code(_E, "Usage lies after the end of the agreement on {date}."),
    "USAGE_BEFORE_START": Code(_E, "Usage lies before the start on {date}."),
    "RATE_CLASS_MISMATCH": Code(_E, "The utility bills rate class {a}, the agreement says {b}.", True),
    "BILLING_MODEL_MISMATCH": Code(_E, "The utility says {a}, the account says {b}."),
    "TAX_PLACE_MISSING": Code(_E, "The service address has no tax codes."),
    "EXEMPTION_EXPIRING": Code(_I, "The exemption ends on {date}.", parameters=("exemption_days",)),
    "ADDRESS_INCOMPLETE": Code(_E, "The mailing address cannot be delivered to: {why}."),
    "EMAIL_BOUNCED": Code(_W, "E-mail bounced {n} times; this bill will be paper.", parameters=("email_bounces",)),
    "ACCOUNT_HOLD": Code(_E, "The account is on billing hold: {reason}, by {who}, until {date}."),
    "PRICE_SERIES_INCOMPLETE": Code(_E, "{n} prices of {series} are missing."),
    "BACK_BILL_LIMIT": Code(
        _E, "{n} months lie behind the limit of {m} for this class and place.", parameters=("back_bill_months",)
    ),
    "BILL_DEADLINE": Code(_W, "Day {n} of 30 since usage and charges were complete.", parameters=("deadline_day",)),
}

ALWAYS = frozenset(
    {
        "CONSUMPTION_MISSING",
        "RATE_MISSING",
        "PERIOD_OVERLAP",
        "PERIOD_FUTURE",
        "USAGE_CANCELLED",
        "USAGE_HELD",
        "REPLACE_WITHOUT_CANCEL",
    }
)
"""Errors that no bill group switches off or lowers: the member could not be invoiced all the same."""


TO_DO: dict[str, str] = {
    "CONSUMPTION_APPROVAL": "Compare usage and prices; waive it to approve.",
    "CONSUMPTION_TYPE": "See why the utility adjusts; nothing, if it is right.",
    "READ_MISMATCH": "Compare both reads; ask the utility, or waive it.",
    "SERVICE_DATE_MISMATCH": "Ask the utility for the days between, or waive it.",
    "CONSUMPTION_MISSING": "See `billing metering account`; ask the utility for the 867.",
    "CONSUMPTION_MULTIPLE": "See why a period waited; both are billed.",
    "RATE_MISSING": "Load the agreement, or approve its tariff.",
    "TDSP_MISSING": "Ask the utility for the 810; or let the group be billed without.",
    "TDSP_MULTIPLE": "See which one counts; reject the other in metering.",
    "ROLLOVER_NOT_APPLIED": "Load the follow-on agreement.",
    "TDSP_PERIOD_MISMATCH": "See whether they belong together; waive it, or pair others.",
    "TDSP_ORPHAN_AGED": "Ask the utility for the 867.",
    "USAGE_ORPHAN_AGED": "Ask the utility for the 810.",
    "PERIOD_OVERLAP": "Correct that invoice, or reject the usage.",
    "PERIOD_GAP": "Ask the utility for the days, or waive it.",
    "PERIOD_LENGTH": "Nothing, if the read dates are right.",
    "PERIOD_FUTURE": "Take it out until then, or ask the utility.",
    "USAGE_CANCELLED": "Take it out; the replacement is billed when it comes.",
    "USAGE_HELD": "Do what metering says (`billing metering waiting`).",
    "REPLACE_WITHOUT_CANCEL": "Ask the utility for the cancel.",
    "INTERVALS_MISSING": "Ask for the intervals, or have metering estimate them.",
    "INTERVAL_REGISTER_SUM": "Compare both; ask the utility, or waive it.",
    "METER_MISSING": "Ask the utility for its read, or load that it was removed.",
    "METER_UNKNOWN": "Load the meter, or ask the utility.",
    "MULTIPLIER_CHANGED": "Have the utility confirm it; then waive it.",
    "ZERO_USAGE": "See whether the meter stands still or the place is empty.",
    "NEGATIVE_USAGE": "Ask the utility; generation has a channel of its own.",
    "HIGH_USAGE": "Look at the reads; nothing, if they are right.",
    "LOW_USAGE": "Look at the reads; nothing, if they are right.",
    "CONSECUTIVE_ESTIMATES": "Ask for an actual read; at the limit `bill-estimated`, or take it out.",
    "ACTUAL_BELOW_ESTIMATE": "Nothing: the bill says what goes back.",
    "USAGE_AFTER_END": "Load the true end, or ask the utility to split the period.",
    "USAGE_BEFORE_START": "Load the true start, or ask the utility to split the period.",
    "RATE_CLASS_MISMATCH": "Correct the agreement, or tell the utility; then waive it.",
    "BILLING_MODEL_MISMATCH": "Correct the account, or send the utility the change.",
    "TAX_PLACE_MISSING": "Load the account with its tax codes.",
    "EXEMPTION_EXPIRING": "Ask the customer for a new certificate.",
    "ADDRESS_INCOMPLETE": "Correct the address, or agree on e-mail.",
    "EMAIL_BOUNCED": "Ask the customer for another address.",
    "ACCOUNT_HOLD": "End the hold, or wait for its end.",
    "PRICE_SERIES_INCOMPLETE": "Load the prices (`billing tariffs prices load`).",
    "BACK_BILL_LIMIT": "Have the part behind the limit written off; take it out.",
    "BILL_DEADLINE": "Bill it first.",
}
"""What a person does about each."""


class Found(NamedTuple):
    """A finding of a member. `path`: of which of several, such as a meter. `value`: what a waiver is for."""

    code: str
    sentence: str
    severity: Severity
    value: str = ""
    path: str = ""


def found(code: str, *, path: str = "", severity: Severity | None = None, **words: object) -> Found:
    """A finding, with the sentence of its code."""
    sentence = CODES[code].sentence.format(**words)
    value = " ".join(str(one) for one in words.values())
    return Found(code, sentence, severity or CODES[code].severity, value, path)
