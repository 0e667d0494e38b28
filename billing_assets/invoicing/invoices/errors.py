"""Why a member could not be invoiced: code, sentence, what to do. Nothing of its invoice is written then."""

from typing import NamedTuple

from billing_assets.foundation.errors import BillingError


class PostCode(NamedTuple):
    """A code that a failed member has, or what keeps a batch from being invoiced or issued."""

    sentence: str
    to_do: str


CODES: dict[str, PostCode] = {
    "NO_RATE_INFORMATION": PostCode(
        "No active rate covers the billable period.", "Add or extend the agreement, then retry."
    ),
    "CONSUMPTION_NOT_ALL_BILLED": PostCode(
        "The rate covers only part of the period.", "Add the missing version or end the period."
    ),
    "TDSP_CHARGES_NOT_FOUND": PostCode(
        "The model needs utility charges and there are none.",
        "Ask the utility, or let the group be billed without them.",
    ),
    "NO_PREMISE_CONSUMPTION": PostCode(
        "Nothing is unbilled, or its end lies in the future.", "Nothing, or correct the date."
    ),
    "RATING_ERROR": PostCode("{finding}", "As the finding says, then retry."),
    "BOUND_EXCEEDED": PostCode(
        "More than {k} documents for the account today.", "Look for a loop; a person releases it tomorrow."
    ),
    "PERIOD_TAKEN": PostCode("The days {days} are on invoice {number}.", "Cancel that first."),
    "CHANGED_UNDERWAY": PostCode(
        "Usage changed between validation and invoicing.", "Nothing: it is validated again without you."
    ),
    "NUMBER_RANGE": PostCode("No numbers are left in {issuer} {year}.", "Open a new range."),
    "TOTAL_TOO_LARGE": PostCode("{total} is above the ceiling {most} of the group.", "A person approves it."),
    "STALE_EPOCH": PostCode("Another run took the batch over.", "Nothing."),
    "INTERNAL": PostCode("{what}; the account is parked.", "Read the log, then retry."),
}


def told(code: str, **words: object) -> str:
    """Sentence and what to do."""
    return f"{CODES[code].sentence.format(**words)} {CODES[code].to_do}"


class NotInvoicedError(BillingError):
    """A member cannot be invoiced. `member_code` is of `CODES`."""

    def __init__(self, code: str, **words: object) -> None:
        self.member_code, self.sentence = code, CODES[code].sentence.format(**words)
        super().__init__(self.sentence)
