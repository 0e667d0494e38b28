"""Why a document of a month is not the same everywhere: one table of causes, their sentences and what to do.

`CAUSES` is the table in docs/reference.md (held equal by a test).
"""

from enum import StrEnum
from typing import NamedTuple


class Sort(StrEnum):
    """What a cause means for the close."""

    EXPLAINED = "explained"  # it is not to be in NetSuite in this month, and that is all right
    KEPT_BACK = "kept_back"  # held with a reason: a person decided, or is to decide
    UNPOSTED = "unposted"  # still on its way, or refused
    UNKNOWN = "unknown"  # sent, and nobody knows yet what came of it
    DRIFT = "drift"  # the billing system changed what was posted
    DIFFERS = "differs"  # the three do not agree


class Cause(NamedTuple):
    """A cause as people read about it."""

    sort: Sort
    meaning: str
    to_do: str


_DRIFTED = "Undo the change in the billing system, or issue a credit memo and a new invoice."
_RESTORE = "NetSuite's system notes say who did it: correct it there."
_STAGE = "Run the job `stage`, then close again."

CAUSES: dict[str, Cause] = {
    "EXCLUDED": Cause(Sort.EXPLAINED, "Nothing to bill: its total is zero, or a policy takes it out.", "Nothing."),
    "VOIDED": Cause(Sort.EXPLAINED, "Voided in the billing system before it was posted.", "Nothing."),
    "MOVED_LATER": Cause(
        Sort.EXPLAINED, "Came after its month was closed for good, and goes with a later one.", "Nothing."
    ),
    "HELD": Cause(Sort.KEPT_BACK, "A rule found an error; nothing was sent.", "Mend what it names: `billing held`."),
    "REJECTED": Cause(
        Sort.UNPOSTED, "NetSuite refused it.", "Mend what it names: `billing rejected`, then `billing requeue`."
    ),
    "NOT_CLOSED": Cause(Sort.UNPOSTED, "Still open in the billing system.", "Close it there, or move its date."),
    "ON_ITS_WAY": Cause(Sort.UNPOSTED, "Waits for a batch, or its batch is being posted.", "Wait, then close again."),
    "UNKNOWN": Cause(
        Sort.UNKNOWN, "Sent; the answer was lost, and NetSuite is asked for it.", "Wait, then close again."
    ),
    "CHANGED_AFTER_POSTING": Cause(Sort.DRIFT, "It changed in the billing system after it was posted.", _DRIFTED),
    "DELETED_AFTER_POSTING": Cause(
        Sort.DRIFT, "It disappeared from this month of the billing system after it was posted.", _DRIFTED
    ),
    "VOIDED_AFTER_POSTING": Cause(
        Sort.DRIFT,
        "It was voided in the billing system after it was posted.",
        "A credit memo is proposed for it: confirm or decline it.",
    ),
    "NOT_STAGED": Cause(Sort.DIFFERS, "The billing system has it, staging does not.", _STAGE),
    "STAGED_OTHERWISE": Cause(Sort.DIFFERS, "Staging holds it otherwise than the billing system shows it.", _STAGE),
    "AMOUNT_DIFFERS": Cause(Sort.DIFFERS, "NetSuite has another total.", _RESTORE),
    "CURRENCY_DIFFERS": Cause(Sort.DIFFERS, "NetSuite has another currency.", _RESTORE),
    "CUSTOMER_DIFFERS": Cause(
        Sort.DIFFERS, "NetSuite has another customer than the mapping says.", f"{_RESTORE} Or correct the mapping."
    ),
    "TYPE_DIFFERS": Cause(Sort.DIFFERS, "NetSuite has another type of transaction.", _RESTORE),
    "ID_DIFFERS": Cause(Sort.DIFFERS, "NetSuite has another transaction under its external id.", _RESTORE),
    "EXTERNAL_ID_DIFFERS": Cause(Sort.DIFFERS, "Somebody changed its external id in NetSuite.", _RESTORE),
    "DATED_ELSEWHERE": Cause(Sort.DIFFERS, "NetSuite dates it in another month.", _RESTORE),
    "VOIDED_IN_NETSUITE": Cause(
        Sort.DIFFERS, "Somebody voided it in NetSuite.", f"{_RESTORE} Or void it in the billing system, too."
    ),
    "DELETED_IN_NETSUITE": Cause(Sort.DIFFERS, "It is not in NetSuite any more.", "NetSuite's system notes say who."),
    "NOT_IN_BILLING": Cause(
        Sort.DIFFERS,
        "NetSuite has a transaction under an external id of ours that we did not post.",
        "Find out who made it, and delete it or give it another external id.",
    ),
}

_WORST = [Sort.DIFFERS, Sort.DRIFT, Sort.UNKNOWN, Sort.UNPOSTED, Sort.KEPT_BACK, Sort.EXPLAINED]
WORST_FIRST = sorted(CAUSES, key=lambda cause: _WORST.index(CAUSES[cause].sort))
"""All causes, those first that keep a month from being closed."""
