"""What a comparison says of a month, in one sentence: derived here, and nowhere else."""

from collections.abc import Sequence
from typing import NamedTuple

from billing_assets.erp.close.causes import CAUSES, Sort
from billing_assets.erp.close.reconciliation import MonthClose

_NAMED_MONTHS = 3


class Verdict(NamedTuple):
    """What a month came to. `done`: nothing of it differs, and nothing is left to be posted.

    `words` have the month for their subject: "agrees to the cent".
    """

    period: str
    done: bool
    words: str


def verdict(close: MonthClose) -> Verdict:
    """The verdict on one month."""
    left = close.count(Sort.UNPOSTED, Sort.UNKNOWN)
    not_posted = f"{_documents(left)} not posted ({_by_cause(close, Sort.UNPOSTED, Sort.UNKNOWN)})"
    if not close.reconciled:
        differ = close.count(Sort.DIFFERS, Sort.DRIFT)
        words = f"does not agree: {_documents(differ)} not the same ({_by_cause(close, Sort.DIFFERS, Sort.DRIFT)})"
        return Verdict(close.period, done=False, words=f"{words}, {not_posted}" if left else words)
    if not close.complete:
        return Verdict(close.period, done=False, words=f"is not complete: {not_posted}")
    if kept := close.count(Sort.KEPT_BACK):
        return Verdict(close.period, done=True, words=f"agrees to the cent; {_documents(kept)} kept back")
    return Verdict(close.period, done=True, words="agrees to the cent")


def last_words(closes: Sequence[MonthClose]) -> Verdict:
    """The verdict on several months, as a sentence of its own."""
    found = [verdict(close) for close in closes]
    wrong = [one for one in found if not one.done]
    periods = ", ".join(one.period for one in found)
    if not found:
        return Verdict(periods, done=False, words="Nothing was compared.")
    if not wrong:
        kept = sum(close.count(Sort.KEPT_BACK) for close in closes)
        but = f" {_documents(kept)} kept back: `billing held`, `billing waiting`." if kept else ""
        return Verdict(periods, done=True, words=f"Reconciled to the cent.{but}")
    head = "Not complete" if all(close.reconciled for close in closes) else "Not reconciled"
    named = "; ".join(f"{one.period} {one.words}" for one in wrong[:_NAMED_MONTHS])
    more = f"; and {len(wrong) - _NAMED_MONTHS} more months" if len(wrong) > _NAMED_MONTHS else ""
    return Verdict(periods, done=False, words=f"{head}: {named}{more}.")


def _documents(count: int) -> str:
    return "1 document is" if count == 1 else f"{count:,} documents are"


def _by_cause(close: MonthClose, *sorts: Sort) -> str:
    """How many there are of each cause, the most important first."""
    counts = {
        cause: close.count(cause)
        for cause in dict.fromkeys(one.cause for one in close.causes)
        if CAUSES[cause].sort in sorts
    }
    return ", ".join(f"{count:,} {cause.lower().replace('_', ' ')}" for cause, count in counts.items())
