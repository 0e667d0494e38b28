"""What a person asks for: cancel an invoice, or bill it again. Recorded with name and reason, in one transaction."""

from datetime import date

from billing_assets.decisions.store import Subject, record
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.errors import BillingError
from billing_assets.invoicing.corrections import correcting, reports, store
from billing_assets.invoicing.corrections.answers import answered
from billing_assets.invoicing.corrections.correcting import Again, Corrected, Person
from billing_assets.invoicing.corrections.reports import Original, Usage
from billing_assets.invoicing.invoices.rating_case import Rate
from billing_assets.metering.contract import lock_ready, proposals


class CorrectionError(BillingError):
    """An invoice cannot be corrected as asked; the message says why."""


def cancel(connection: Connection, number: str, by: str, why: str, today: date) -> Corrected:
    """Cancels an issued invoice alone; `rebill` bills again what was on it. Raises CorrectionError."""
    with connection.transaction():
        original = _locked(connection, number)
        if original.state != "issued":
            raise CorrectionError(f"Invoice {number} is {original.state}: only what is issued is cancelled.")
        decision = record(connection, Subject.INVOICING, f"invoice {number}", "cancel", by, why)
        opened = store.open_one(connection, original.id, why, decision=decision.id)
        done = correcting.cancel(connection, opened.id, original, today, Person(by, why, decision.id))
        answered(connection, [original], None, opened.id)
    return done


def rebill(
    connection: Connection, number: str, by: str, why: str, rate: Rate, today: date, *, original_prices: bool = True
) -> Corrected:
    """Cancels an issued invoice and bills its days again, or bills again what a cancel left free.

    What the checks before release would hold is let go in the person's name. Where it cannot be rated nothing changes
    but the correction, which says why. Raises CorrectionError.
    """
    with connection.transaction():
        original = _locked(connection, number)
        if original.state not in ("issued", "cancelled"):
            raise CorrectionError(f"Invoice {number} is {original.state}: correct the one that replaced it.")
        usage = _usage(connection, original)
        every = reports.of_days(connection, usage.point, usage.period_start, usage.period_end)
        others = [one for one in every if one.id != original.id]
        decision = record(connection, Subject.INVOICING, f"invoice {number}", "rebill", by, why)
        opened = store.open_one(connection, original.id, why, message=usage.message, decision=decision.id)
        done = correcting.rebill(
            connection,
            opened.id,
            [original, *others],
            Again(usage.message, original_prices),
            rate,
            today,
            person=Person(by, why, decision.id),
        )
        if done.outcome is not None:
            answered(connection, [original, *others], usage.message, opened.id)
    return done


def _locked(connection: Connection, number: str) -> Original:
    found = reports.by_number(connection, number, locked=False)
    if found is not None:
        lock_ready(connection, found.messages)  # points before invoices, as all who settle them do
        found = reports.by_number(connection, number)
    if found is None:
        raise CorrectionError(f"There is no invoice {number} that was issued.")
    return found


def _usage(connection: Connection, original: Original) -> Usage:
    """What is billed again: the usage that was on the invoice, or what the utility sent in its place; of an invoice of
    intervals those of its days."""
    if original.usage is None:
        return Usage(None, original.point, original.period_start, original.period_end, "ready", None)
    rebills = [one for one in proposals(connection) if one.kind == "rebill"]
    messages = {one.message for one in rebills if one.original in original.messages}
    found = [one for message in sorted(messages) if (one := reports.usage_of(connection, message)) is not None]
    if not found and original.usage is not None and (kept := reports.usage_of(connection, original.usage)):
        found = [kept]
    ready = next((one for one in found if one.state in ("ready", "billed")), None)
    if ready is None:
        state = found[0].state if found else "gone"
        raise CorrectionError(
            f"The usage of invoice {original.number} is {state}, and nothing took its place: there is nothing to bill "
            "again. Wait for the utility's replacement, or cancel the invoice alone."
        )
    return ready
