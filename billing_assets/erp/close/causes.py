"""Why a document of a month is not the same everywhere: one table of causes, their sentences and what to do.

`CAUSES` is the table in docs/reference.md (held equal by a test).
"""

from enum import StrEnum
from typing import NamedTuple


class Sort(StrEnum):
    """What a cause means for the close."""

    EXPLAINED = "explained"  # it is not the same everywhere, or nothing to bill, and that is all right
    DECIDED = "decided"  # they differ, and somebody answers for it by name
    KEPT_BACK = "kept_back"  # held with a reason: a person decided, or is to decide
    UNPOSTED = "unposted"  # still on its way, or refused
    UNKNOWN = "unknown"  # sent, and its outcome is not known yet
    DRIFT = "drift"  # the billing system changed what was posted
    DIFFERS = "differs"  # the three do not agree


class Cause(NamedTuple):
    """A cause as people read about it."""

    sort: Sort
    meaning: str
    to_do: str


_DRIFTED = (
    "Undo the change in the billing system and run `stage_invoices`; or correct it by a credit memo and a new invoice, "
    "and answer for it: `billing close accept`."
)
_RESTORE = "NetSuite's system notes say who did it: correct it there."
_WRONG_ID = (
    "correct the mapping first, then the transaction in NetSuite. What NetSuite does not let you correct, void there "
    "and in the billing system, issue it again in the billing system, and decline the credit memo that is proposed."
)
_STAGE = "Run the job `stage_invoices`, then close again."

CAUSES: dict[str, Cause] = {
    "EXCLUDED": Cause(Sort.EXPLAINED, "Nothing to bill: its total is zero, or a policy takes it out.", "Nothing."),
    "VOIDED": Cause(Sort.EXPLAINED, "Voided in the billing system before it was posted.", "Nothing."),
    "VOIDED_BOTH": Cause(
        Sort.EXPLAINED, "Void in the billing system, and voided or deleted in NetSuite, too.", "Nothing."
    ),
    "VOID_CREDITED": Cause(
        Sort.EXPLAINED, "Voided in the billing system after it was posted; a credit memo takes it back.", "Nothing."
    ),
    "VOID_DECLINED": Cause(
        Sort.DECIDED,
        "Voided in the billing system after it was posted; somebody declined a credit memo for it.",
        "`billing voids list --all` says why.",
    ),
    "ACCEPTED": Cause(
        Sort.DECIDED,
        "It changed in the billing system after it was posted, and somebody accepted that.",
        "`billing close accepted` says why.",
    ),
    "DIFFERENCE_ACCEPTED": Cause(
        Sort.DECIDED,
        "NetSuite has it otherwise than it was sent, and a person accepted that.",
        "`billing differs list --all` says why.",
    ),
    "NETSUITE_ONLY": Cause(
        Sort.DECIDED,
        "NetSuite has it from before a backup was restored, and a person said that it is no document of today's.",
        "`billing restore transactions --all` says who.",
    ),
    "MOVED_LATER": Cause(
        Sort.EXPLAINED, "Came after its month was closed for good, and goes with a later one.", "Nothing."
    ),
    "HELD": Cause(Sort.KEPT_BACK, "A rule found an error; nothing was sent.", "Correct what it names: `billing held`."),
    "WAITS_FOR_INVOICE": Cause(
        Sort.KEPT_BACK,
        "A credit memo whose invoice is not in NetSuite, nor on its way there.",
        "See to the invoice: `billing waiting`.",
    ),
    "REJECTED": Cause(
        Sort.UNPOSTED, "NetSuite refused it.", "Correct what it names: `billing rejected`, then `billing requeue`."
    ),
    "NOT_CLOSED": Cause(Sort.UNPOSTED, "Still open in the billing system.", "Close it there, or move its date."),
    "ON_ITS_WAY": Cause(Sort.UNPOSTED, "Waits for a batch, or its batch is being posted.", "Wait, then close again."),
    "NOT_READ_BACK": Cause(
        Sort.UNPOSTED,
        "Posted, and not read back from NetSuite yet.",
        "Wait for its batch's next run, then close again.",
    ),
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
        "An invoice: confirm or decline the credit memo that is proposed (`billing voids list`), and have it posted. "
        "A credit memo: issue an invoice, then `billing close accept`.",
    ),
    "DIFFERS": Cause(
        Sort.DIFFERS,
        "NetSuite has it under our external id, but not as it was sent.",
        "It is ours: do not delete it. Correct it there, then `billing differs check`; or `billing differs accept`; or "
        "credit it there, then `billing differs credited`.",
    ),
    "CONTENT_NOT_PROVEN": Cause(
        Sort.DIFFERS,
        "NetSuite had it before we sent it, with the same header; whether with the same lines could not be seen.",
        "Let the integration's role see transaction lines and materialize its batch again; or compare them by hand, "
        "then `billing differs accept`.",
    ),
    "NOT_STAGED": Cause(Sort.DIFFERS, "The billing system has it, staging does not.", _STAGE),
    "STAGED_OTHERWISE": Cause(Sort.DIFFERS, "Staging holds it otherwise than the billing system shows it.", _STAGE),
    "AMOUNT_DIFFERS": Cause(Sort.DIFFERS, "NetSuite has another total.", _RESTORE),
    "CURRENCY_DIFFERS": Cause(
        Sort.DIFFERS,
        "NetSuite has another currency.",
        f"Where the mapping has the wrong id (`billing doctor`), {_WRONG_ID} Else: {_RESTORE}",
    ),
    "MEANS_ANOTHER": Cause(
        Sort.DIFFERS,
        "An id that the mapping gives for it is another record in NetSuite: another customer, item or subsidiary.",
        f"`billing doctor` names both: {_WRONG_ID}",
    ),
    "CUSTOMER_DIFFERS": Cause(
        Sort.DIFFERS, "NetSuite has another customer than the mapping says.", f"{_RESTORE} Or correct the mapping."
    ),
    "UNMAPPED": Cause(
        Sort.DIFFERS,
        "Its customer or currency cannot be checked, as the mapping does not know it any more.",
        "Put it back into the mapping's table, or give the customer in NetSuite its external id again.",
    ),
    "TYPE_DIFFERS": Cause(Sort.DIFFERS, "NetSuite has another type of transaction.", _RESTORE),
    "ID_DIFFERS": Cause(Sort.DIFFERS, "NetSuite has another transaction under its external id.", _RESTORE),
    "EXTERNAL_ID_DIFFERS": Cause(Sort.DIFFERS, "Somebody changed its external id in NetSuite.", _RESTORE),
    "DATED_ELSEWHERE": Cause(Sort.DIFFERS, "NetSuite dates it in another month.", _RESTORE),
    "VOIDED_IN_NETSUITE": Cause(
        Sort.DIFFERS,
        "Somebody voided it in NetSuite.",
        "Void it in the billing system, too, and decline the credit memo that is then proposed. Where one was posted "
        "before, it is taken back twice: NetSuite's system notes say by whom.",
    ),
    "DELETED_IN_NETSUITE": Cause(
        Sort.DIFFERS,
        "It is not in NetSuite any more.",
        "NetSuite's system notes say who. Void it in the billing system, too, and issue it there again; decline the "
        "credit memo that is then proposed. Where a sandbox account was refreshed, begin with an empty database.",
    ),
    "READ_BACK_DIFFERS": Cause(
        Sort.DIFFERS,
        "The read-back found a difference that no other cause names, e.g. in what a credit memo is applied to.",
        "Correct it in NetSuite, then materialize its batch again: that reads it back again.",
    ),
    "NOT_IN_BILLING": Cause(
        Sort.DIFFERS,
        "NetSuite has a transaction under an external id of ours, and our database has no attempt to post it.",
        "Find out who made it. After a restored backup it may be ours: `billing restore transactions`. Give it "
        "another external id only where it was entered by hand.",
    ),
}

_WORST = [Sort.DIFFERS, Sort.DRIFT, Sort.UNKNOWN, Sort.DECIDED, Sort.UNPOSTED, Sort.KEPT_BACK, Sort.EXPLAINED]
WORST_FIRST = sorted(CAUSES, key=lambda cause: _WORST.index(CAUSES[cause].sort))
"""All causes, those first that one must look at."""

SETTLED = [cause for cause in CAUSES if CAUSES[cause].sort in {Sort.EXPLAINED, Sort.DECIDED}]
"""Causes about which nothing is to be done any more."""
