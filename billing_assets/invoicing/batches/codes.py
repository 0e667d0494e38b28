"""The validations before an invoice: code, severity, sentence, parameters; one table, which the docs are held to.

The first ten are those of the utility's billing system; the others come from validation of meter data, operators'
practice and what customers complain about.
"""

from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple


class Severity(StrEnum):
    """An error keeps the member from being invoiced; a warning wants a look; an info is a note."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Code(NamedTuple):
    """A validation. `waivable`: a person may let it pass with a reason."""

    severity: Severity
    sentence: str
    waivable: bool = False


class Parameters(NamedTuple):
    """What may be set of the validations."""

    read_tolerance: Decimal = Decimal(0)
    date_tolerance_days: int = 0
    charges_tolerance_days: int = 2
    most_unbilled: int = 1
    least_days: int = 25
    most_days: int = 35
    orphan_days: int = 3
    orphan_error_days: int = 20
    zero_periods: int = 1
    high: Decimal = Decimal("2.0")
    low: Decimal = Decimal("0.5")
    estimates_warning: int = 2
    estimates_error: int = 4
    exemption_days: int = 30
    email_bounces: int = 3
    back_bill_months: int = 12
    deadline_day: int = 20
    sum_tolerance: Decimal = Decimal(2)
    sum_share: Decimal = Decimal("0.01")
    adjustment_types: tuple[str, ...] = ("AJ", "RO")


_E, _W, _I = Severity.ERROR, Severity.WARNING, Severity.INFO

CODES: dict[str, Code] = {
    "CONSUMPTION_APPROVAL": Code(
        _E, "The supplier's rules ask for approval of this usage; no one has approved it (index bills).", True
    ),
    "CONSUMPTION_TYPE": Code(_W, "The usage is an adjustment or a rollover, not a normal read."),
    "READ_MISMATCH": Code(_E, "The begin read {a} is not the last end read {b} of meter {m}.", True),
    "SERVICE_DATE_MISMATCH": Code(_E, "This period begins {a}, the last one ended {b}.", True),
    "CONSUMPTION_MISSING": Code(_E, "There is no billable usage up to {cut_off}."),
    "CONSUMPTION_MULTIPLE": Code(_W, "The meter has {n} unbilled periods."),
    "RATE_MISSING": Code(_E, "The customer has no active rate on {date}, or it was never applied."),
    "TDSP_MISSING": Code(_E, "No utility charges for {a}\N{EN DASH}{b}."),
    "TDSP_MULTIPLE": Code(_W, "{n} utility invoices for the same period."),
    "ROLLOVER_NOT_APPLIED": Code(_E, "The agreement ended on {date} and no follow-on product was applied."),
    "TDSP_PERIOD_MISMATCH": Code(_E, "Utility charges are for {a}, the usage for {b}.", True),
    "TDSP_ORPHAN_AGED": Code(_W, "Utility charges of {date} wait {n} days for usage."),
    "USAGE_ORPHAN_AGED": Code(_W, "Usage of {date} waits {n} days for utility charges."),
    "PERIOD_OVERLAP": Code(_E, "{a}\N{EN DASH}{b} overlaps invoice {number}."),
    "PERIOD_GAP": Code(_E, "{n} days before {a} were never billed.", True),
    "PERIOD_LENGTH": Code(_W, "The period has {n} days."),
    "PERIOD_FUTURE": Code(_E, "The usage ends on {date}, in the future."),
    "USAGE_CANCELLED": Code(_E, "The utility cancelled this usage; its replacement is not here yet."),
    "USAGE_HELD": Code(_E, "Metering does not give this usage to billing: {why}"),
    "REPLACE_WITHOUT_CANCEL": Code(_E, "A replacement came for usage that was not cancelled."),
    "INTERVALS_MISSING": Code(_E, "{n} of {m} intervals are missing."),
    "INTERVAL_REGISTER_SUM": Code(_E, "Intervals {a} kWh, register {b} kWh.", True),
    "METER_MISSING": Code(_E, "Meter {m} of the service point has no read, its siblings have."),
    "METER_UNKNOWN": Code(_E, "A read came for a meter that the account does not have."),
    "MULTIPLIER_CHANGED": Code(_E, "The multiplier changed from {a} to {b}.", True),
    "ZERO_USAGE": Code(_W, "Zero on an active service for {n} periods."),
    "NEGATIVE_USAGE": Code(_E, "Usage is below zero."),
    "HIGH_USAGE": Code(_W, "{a} kWh a day against {b} last period and {c} a year ago."),
    "LOW_USAGE": Code(_W, "{a} kWh a day against {b} last period and {c} a year ago."),
    "CONSECUTIVE_ESTIMATES": Code(_W, "Estimate number {n} in a row."),
    "ACTUAL_BELOW_ESTIMATE": Code(_W, "The actual read is lower than the billed estimate; {kwh} kWh go back."),
    "USAGE_AFTER_END": Code(_E, "Usage lies after the end of the agreement on {date}."),
    "USAGE_BEFORE_START": Code(_E, "Usage lies before the start on {date}."),
    "RATE_CLASS_MISMATCH": Code(_E, "The utility bills rate class {a}, the agreement says {b}.", True),
    "BILLING_MODEL_MISMATCH": Code(_E, "The utility says {a}, the account says {b}."),
    "TAX_PLACE_MISSING": Code(_E, "The service address has no tax codes."),
    "EXEMPTION_EXPIRING": Code(_I, "The exemption ends on {date}."),
    "ADDRESS_INCOMPLETE": Code(_E, "The mailing address cannot be delivered to: {why}."),
    "EMAIL_BOUNCED": Code(_W, "E-mail bounced {n} times; this bill will be paper."),
    "ACCOUNT_HOLD": Code(_E, "The account is on billing hold: {reason}, by {who}, until {date}."),
    "PRICE_SERIES_INCOMPLETE": Code(_E, "{n} prices of {series} are missing."),
    "BACK_BILL_LIMIT": Code(_E, "{n} months lie behind the limit of {m} for this class and place."),
    "BILL_DEADLINE": Code(_W, "Day {n} of 30 since usage and charges were complete."),
}


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
