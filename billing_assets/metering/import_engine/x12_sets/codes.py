"""Findings about the content of a set: what each does to it, what it means, what to do, how an 824 names it."""

from billing_assets.foundation.x12 import findings as x12
from billing_assets.metering.import_engine.findings import Code, table
from billing_assets.metering.import_engine.messages import Finding, Severity

_HOLD, _WARN = Severity.HOLD, Severity.WARN


def _code(code: str, severity: Severity, meaning: str, to_do: str) -> Code:
    return Code(code, severity, meaning, to_do, whole=False)


CODES = table(
    _code("NO_POINT", _HOLD, "No service point: REF*Q5 (ESI ID in REF03) or REF*12 is missing.", "Ask the sender."),
    _code("BAD_POINT", _HOLD, "The ESI ID is not 17 to 22 digits.", "Ask the sender."),
    _code("TWO_POINTS", _HOLD, "One set names two service points.", "Ask the sender for a set each."),
    _code("NO_PARTY", _HOLD, "The utility (N1*8S) or the retailer (N1*SJ) is missing.", "Ask the sender."),
    _code("NO_PERIOD", _HOLD, "The usage has no service period (DTM 150 and 151).", "Ask the sender."),
    _code("BAD_PERIOD", _HOLD, "A service period begins after its end, or has no day.", "Ask the sender."),
    _code("NO_SUMMARY", _HOLD, "The usage has detail and no summary.", "Ask the sender; detail is never billed."),
    _code("NO_DETAIL", _HOLD, "The usage has a summary and no detail.", "Ask the sender, or verify the summary."),
    _code("NO_QUANTITY", _HOLD, "The summary has no quantity.", "Ask the sender."),
    _code(
        "SUM_CHECK", _HOLD, "Meters, reads or intervals do not add up to the summary.", "Compare them; ask the sender."
    ),
    _code("TOU_SUM", _HOLD, "The times of use do not add up to their total.", "Compare them; ask the sender."),
    _code(
        "NEGATIVE",
        _HOLD,
        "A register ended below its begin, and no rollover explains it.",
        "Look for a meter exchange; ask the sender.",
    ),
    _code(
        "MISSING_INTERVALS", _HOLD, "A local day has too few or too many intervals.", "Ask for the day, or estimate it."
    ),
    _code(
        "REPEATED_INTERVAL",
        _HOLD,
        "Two intervals end at the same moment.",
        "Ask the sender; in autumn the time code must tell the hours apart.",
    ),
    _code(
        "BAD_INTERVAL", _HOLD, "An interval's end or quantity cannot be read, or is off the clock.", "Ask the sender."
    ),
    _code(
        "INTERVAL_OUTSIDE", _HOLD, "Intervals lie outside the service period.", "Compare the period; ask the sender."
    ),
    _code(
        "CHARGES_NOT_TOTAL",
        _HOLD,
        "Charges, allowances and taxes are not the total.",
        "Ask the sender for a new invoice.",
    ),
    _code("NO_AMOUNT", _HOLD, "A charge, an allowance or a payment has no amount.", "Ask the sender."),
    _code("LINE_COUNT", _HOLD, "CTT01 is not the number of IT1 loops.", "A part may be missing: ask the sender."),
    _code("REMITTANCE_NOT_TOTAL", _HOLD, "Payments and adjustments are not the total paid.", "Compare with the bank."),
    _code(
        "NO_ESTIMATE_REASON",
        _HOLD,
        "An estimate without its reason (REF*5I), of a utility that must send it.",
        "Ask the sender, or verify the estimate.",
    ),
    _code(
        "NO_START",
        _HOLD,
        "An accepted enrolment (814) does not say from when (DTM 150), and the point is not known.",
        "Load the point's master data; it is ready then.",
    ),
    _code(
        "ENROLMENT_CONFLICT",
        _HOLD,
        "An accepted enrolment (814) names another account than master data has on that day.",
        "End the earlier supply in the master data, or ask the sender; it is tried again by each import.",
    ),
    _code(
        "UNEXPLAINED_ESTIMATE",
        _WARN,
        "An estimate without its reason (REF*5I).",
        "Ask, and name the utility among those that must send it.",
    ),
    _code(
        "CANCEL_AMOUNTS",
        _WARN,
        "The amounts of a cancel do not add up.",
        "Nothing: they have no effect, and a cancel must be able to cancel what they would hold.",
    ),
    _code("NO_REFERENCE", _WARN, "The set does not name what it refers to.", "It is matched by point and period."),
    _code("NO_DUE_DATE", _WARN, "The invoice has no due date (ITD06).", "The terms of the contract apply."),
    _code("DUE_ON_CANCEL", _WARN, "A cancel has a due date (DTM 649).", "It is ignored."),
    _code("BILLED_DIFFERS", _WARN, "The billed summary (BB) is not the metered one (SU).", "The metered one is used."),
    _code("UNKNOWN_CHARGE", _WARN, "The charge code is not in the matrix.", "Add it to the matrix, or ask the sender."),
    _code("UNKNOWN_LOOP", _WARN, "PTD01 or IT109 is not known; the loop is kept and not used.", "Ask the sender."),
    _code(
        "UNKNOWN_ROLE",
        _WARN,
        "The role of a meter is not known; it counts as additive.",
        "Set the roles of the sender.",
    ),
    _code("UNKNOWN_UNIT", _WARN, "A unit (MEA04) is not known; its sums are not checked.", "Ask the sender."),
    _code("UNKNOWN_MEASURE", _WARN, "MEA01 is not known; the reads count as they are.", "Ask the sender."),
    _code("UNKNOWN_ACTION", _WARN, "The action or maintenance type is not known.", "Read the transaction."),
    _code("UNKNOWN_SET", _WARN, "A type of set that is not read here.", "It is stored and shown, and has no effect."),
    _code("DUPLICATE_INTERCHANGE", _WARN, "An interchange that was read before.", "Nothing: it has no second effect."),
    _code("MEA07_UNUSED", _WARN, "A time of use in an unmetered summary.", "It is ignored."),
)

_SENT_AGAIN = {
    x12.Scope.FILE: "Nothing of the file counts: the sender must send it again.",
    x12.Scope.INTERCHANGE: "Nothing of the interchange counts, and no 997 goes back: the sender must send it again.",
    x12.Scope.GROUP: "The 997 rejects the group: the sender must send it again.",
    x12.Scope.SET: "The 997 rejects the set, the others live: the sender must send it again.",
    x12.Scope.WARNING: "Nothing.",
}

ENVELOPE = table(
    *(
        Code(
            code,
            _WARN if found.scope is x12.Scope.WARNING else Severity.REFUSE,
            f"{found.meaning[0].upper()}{found.meaning[1:]}.",
            _SENT_AGAIN[found.scope],
            whole=found.scope is x12.Scope.FILE,
        )
        for code, found in x12.CODES.items()
    )
)
"""The codes of `foundation/x12`, as they are documented here."""

ANSWERS = {
    "NO_POINT": "API",
    "NO_ESTIMATE_REASON": "API",
    "BAD_POINT": "A76",
    "NO_PARTY": "API",
    "NO_PERIOD": "API",
    "NO_SUMMARY": "API",
    "NO_DETAIL": "API",
    "NO_QUANTITY": "API",
    "NO_AMOUNT": "API",
}
"""Reasons of an 824 (REF*7G) by code, unless a setting names another. All others are `A13`, which needs a text."""

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
    return [one._replace(code="CANCEL_AMOUNTS", severity=_WARN) if one.code in AMOUNTS else one for one in found]
