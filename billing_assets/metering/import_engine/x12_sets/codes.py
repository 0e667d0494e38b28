"""Findings about the content of a set: what each does to it, what it means, what to do, how an 824 names it."""

from typing import NamedTuple

from billing_assets.metering.import_engine.messages import Finding, Severity

_HOLD, _WARN = Severity.HOLD, Severity.WARN


class Code(NamedTuple):
    """`answer`: the reason of an 824 (REF*7G), unless a setting names another."""

    severity: Severity
    meaning: str
    remedy: str
    answer: str = "A13"


CODES: dict[str, Code] = {
    "NO_POINT": Code(
        _HOLD, "No service point: REF*Q5 (ESI ID in REF03) or REF*12 is missing.", "Ask the sender.", "API"
    ),
    "BAD_POINT": Code(_HOLD, "The ESI ID is not 17 to 22 digits.", "Ask the sender.", "A76"),
    "TWO_POINTS": Code(_HOLD, "One set names two service points.", "Ask the sender for a set each."),
    "NO_PARTY": Code(_HOLD, "The utility (N1*8S) or the retailer (N1*SJ) is missing.", "Ask the sender.", "API"),
    "NO_PERIOD": Code(_HOLD, "The usage has no service period (DTM 150 and 151).", "Ask the sender.", "API"),
    "BAD_PERIOD": Code(_HOLD, "A service period begins after its end, or has no day.", "Ask the sender."),
    "NO_SUMMARY": Code(_HOLD, "The usage has detail and no summary.", "Ask the sender; detail is never billed.", "API"),
    "NO_DETAIL": Code(_HOLD, "The usage has a summary and no detail.", "Ask the sender, or verify the summary.", "API"),
    "NO_QUANTITY": Code(_HOLD, "The summary has no quantity.", "Ask the sender.", "API"),
    "SUM_CHECK": Code(
        _HOLD, "Meters, reads or intervals do not add up to the summary.", "Compare them; ask the sender."
    ),
    "TOU_SUM": Code(_HOLD, "The times of use do not add up to their total.", "Compare them; ask the sender."),
    "NEGATIVE": Code(
        _HOLD,
        "A register ended below its begin, and no rollover explains it.",
        "Look for a meter exchange; ask the sender.",
    ),
    "MISSING_INTERVALS": Code(
        _HOLD, "A local day has too few or too many intervals.", "Ask for the day, or estimate it."
    ),
    "REPEATED_INTERVAL": Code(
        _HOLD,
        "Two intervals end at the same moment.",
        "Ask the sender; in autumn the time code must tell the hours apart.",
    ),
    "BAD_INTERVAL": Code(
        _HOLD, "An interval's end or quantity cannot be read, or is off the clock.", "Ask the sender."
    ),
    "INTERVAL_OUTSIDE": Code(_HOLD, "Intervals lie outside the service period.", "Compare the period; ask the sender."),
    "CHARGES_NOT_TOTAL": Code(
        _HOLD, "Charges, allowances and taxes are not the total.", "Ask the sender for a new invoice."
    ),
    "NO_AMOUNT": Code(_HOLD, "A charge, an allowance or a payment has no amount.", "Ask the sender.", "API"),
    "LINE_COUNT": Code(_HOLD, "CTT01 is not the number of IT1 loops.", "A part may be missing: ask the sender."),
    "REMITTANCE_NOT_TOTAL": Code(_HOLD, "Payments and adjustments are not the total paid.", "Compare with the bank."),
    "NO_ESTIMATE_REASON": Code(_WARN, "An estimate without its reason (REF*5I).", "Ask, if your utility must send it."),
    "NO_REFERENCE": Code(_WARN, "The set does not name what it refers to.", "It is matched by point and period."),
    "NO_DUE_DATE": Code(_WARN, "The invoice has no due date (ITD06).", "The terms of the contract apply."),
    "DUE_ON_CANCEL": Code(_WARN, "A cancel has a due date (DTM 649).", "It is ignored."),
    "BILLED_DIFFERS": Code(_WARN, "The billed summary (BB) is not the metered one (SU).", "The metered one is used."),
    "UNKNOWN_CHARGE": Code(_WARN, "The charge code is not in the matrix.", "Add it to the matrix, or ask the sender."),
    "UNKNOWN_LOOP": Code(_WARN, "PTD01 or IT109 is not known; the loop is kept and not used.", "Ask the sender."),
    "UNKNOWN_ROLE": Code(
        _WARN, "The role of a meter is not known; it counts as additive.", "Set the roles of the sender."
    ),
    "UNKNOWN_UNIT": Code(_WARN, "A unit (MEA04) is not known; its sums are not checked.", "Ask the sender."),
    "UNKNOWN_MEASURE": Code(_WARN, "MEA01 is not known; the reads count as they are.", "Ask the sender."),
    "UNKNOWN_ACTION": Code(_WARN, "The action or maintenance type is not known.", "Read the transaction."),
    "MEA07_UNUSED": Code(_WARN, "A time of use in an unmetered summary.", "It is ignored."),
}

AMOUNTS = frozenset(
    {
        "SUM_CHECK", "TOU_SUM", "NEGATIVE", "MISSING_INTERVALS", "REPEATED_INTERVAL", "BAD_INTERVAL",
        "INTERVAL_OUTSIDE", "NO_SUMMARY", "NO_DETAIL", "NO_QUANTITY", "CHARGES_NOT_TOTAL", "NO_AMOUNT", "LINE_COUNT",
    }
)  # fmt: skip
"""Findings that do not hold a cancel: its amounts have no effect, and it must be able to cancel what they hold."""


def finding(code: str, line: int | None, sentence: str) -> Finding:
    """A finding with the severity of its code."""
    return Finding(code, line, sentence, CODES[code].severity)


def of_a_cancel(found: list[Finding]) -> list[Finding]:
    """Findings as they count for a cancel."""
    return [one._replace(severity=_WARN) if one.code in AMOUNTS else one for one in found]
