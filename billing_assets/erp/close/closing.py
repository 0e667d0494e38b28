"""Closing a month and opening it again. Who does it and why is written down for good.

Soft: nothing new of the month goes out until it is reopened. Hard: never again; refused while anything of the month is
unknown, on its way or off by a cent, or while an earlier month is not closed hard. What comes late afterwards is held
or goes with the next open month (`close.late_documents`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import structlog

from billing_assets.erp.batches.store import end_emptied
from billing_assets.erp.close import store
from billing_assets.erp.close.causes import CAUSES, Sort
from billing_assets.erp.close.journaling import recorded
from billing_assets.erp.close.reconciliation import MonthClose
from billing_assets.erp.close.store import Closing
from billing_assets.erp.documents.validation_rules import finding
from billing_assets.erp.staging import verbs
from billing_assets.foundation.calendar.business_days import Days
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.errors import BillingError
from billing_assets.foundation.journal.files import Journal
from billing_assets.foundation.periods import first_day, following

log = structlog.get_logger(__name__)

_NAMED = 3


class CloseRefusedError(BillingError):
    """The month cannot be closed or reopened, or a change not be accepted; the message says why, and what to do."""


@dataclass(frozen=True)
class Decision:
    """Who decides, and why. Raises CloseRefusedError for one that says neither."""

    by: str
    why: str

    def __post_init__(self) -> None:
        for name, text in (("by", self.by), ("why", self.why)):
            if not text.strip():
                raise CloseRefusedError(f"Say {'who decides' if name == 'by' else 'why'}: `{name}` is empty.")


def soft_close(
    connection: Connection, sources: Sequence[str], close: MonthClose, decision: Decision, journal: Journal
) -> Closing:
    """Closes a month until it is reopened, whatever is on its way in it, on a comparison whose pack was just kept.

    What has no batch yet waits. Raises CloseRefusedError, and JournalError.
    """
    with recorded(connection, sources, close.period, journal) as done:
        if state := store.closed_state(connection, close.period):
            raise CloseRefusedError(f"{close.period} is closed already ({state}).")
        store.set_closed(connection, close.period, "soft")
        done.append(_note(connection, close, "soft_close", decision))
    return done[0]


def hard_close(
    connection: Connection,
    sources: Sequence[str],
    close: MonthClose,
    decision: Decision,
    journal: Journal,
    today: Days,
) -> Closing:
    """Closes a month for good, on a comparison made just now whose pack was kept; it must be over in every branch.

    Raises CloseRefusedError naming what is in the way, and JournalError.
    """
    with recorded(connection, sources, close.period, journal) as done:
        if store.closed_state(connection, close.period) == "hard":
            raise CloseRefusedError(f"{close.period} is closed for good already.")
        if reason := _in_the_way(connection, close, today.first):
            raise CloseRefusedError(f"{close.period} cannot be closed for good: {reason}")
        late = _hold_late(connection, close.period)
        store.set_closed(connection, close.period, "hard")
        done.append(_note(connection, close, "hard_close", decision))
    if late:
        log.info("late_documents_held", period=close.period, documents=late)
    return done[0]


def reopen(
    connection: Connection, sources: Sequence[str], period: str, decision: Decision, journal: Journal
) -> Closing:
    """Opens a month that is closed soft. Raises CloseRefusedError for one that is not, or that is closed hard, and
    JournalError.
    """
    with recorded(connection, sources, period, journal) as done:
        state = store.closed_state(connection, period)
        if state != "soft":
            why = "is closed for good: book what is missing in an open month" if state else "is not closed"
            raise CloseRefusedError(f"{period} {why}.")
        figures = store.last_figures(connection, period)
        store.set_open(connection, period)
        done.append(store.note(connection, period, "reopen", decision.by, decision.why, figures))
    return done[0]


def _hold_late(connection: Connection, period: str) -> int:
    """Holds what NetSuite refused in a month that closes, and the credit memos that wait for an invoice that is not on
    its way: else they would go out in it as soon as the invoice does. The next staging judges them again, as what comes
    late. How many."""
    refused = finding(
        "PERIOD_CLOSED", "document_date", period, f"NetSuite had refused it, and {period} is closed for good."
    )
    waited = finding("PERIOD_CLOSED", "document_date", period, f"It waited for its invoice, and {period} is closed.")
    late = verbs.hold_rejected(connection, period, refused)
    end_emptied(connection, period)
    return late + verbs.hold_waiting(connection, period, waited)


def _in_the_way(connection: Connection, close: MonthClose, today: date) -> str | None:
    if first_day(following(close.period)) > today:
        return "it is not over yet."
    if earlier := store.open_before(connection, close.period):
        return f"{earlier} is not. Close the months in their order."
    if count := close.count(Sort.DIFFERS, Sort.DRIFT):
        named = [one for one in close.differences if one.sort in {Sort.DIFFERS, Sort.DRIFT}][:_NAMED]
        words = " ".join(f"{one.kind} {one.number}: {one.what}" for one in named)
        return f"{count} documents differ. {words}"
    if count := close.count(Sort.UNKNOWN):
        return f"{count} documents were sent and their outcome is not known yet. {CAUSES['UNKNOWN'].to_do}"
    moving = store.moving(connection, close.period)
    if moving.documents:
        to_do = "Let them be posted first."
        if store.closed_state(connection, close.period):
            to_do = "The month is closed: reopen it to post them, or stage again to have them held."
        return f"{moving.documents} documents are on their way ({', '.join(moving.states)}). {to_do}"
    if moving.batches:
        return f"the batches {', '.join(moving.batches[:_NAMED])} are being posted. Wait, then try again."
    if count := close.count("NOT_READ_BACK"):
        return f"{count} documents were posted and not read back from NetSuite yet. {CAUSES['NOT_READ_BACK'].to_do}"
    if store.moved_since(connection, close.period, close.compared_at):
        return "something in it moved while it was compared. Try again."
    return None


def _note(connection: Connection, close: MonthClose, action: str, decision: Decision) -> Closing:
    store.serialise_packs(connection, close.period)
    if store.pack(connection, close.period, close.figures) is None:
        raise CloseRefusedError(f"{close.period} was compared again by someone else, with other figures. Try again.")
    closing = store.note(connection, close.period, action, decision.by, decision.why, close.figures)
    log.info("month_closed", period=close.period, action=action)
    return closing
