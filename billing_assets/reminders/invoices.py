"""What a reminder is about, as plain values."""

from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from billing_assets.billing_system.contacts import Contact
from billing_assets.reminders.due import Next, Noted, Place
from billing_assets.reminders.policy import Terms


class Invoice(NamedTuple):
    """An open invoice. `key` names it for ever, wherever its balance is read; `open_amount` is what is asked for.

    `noted` is what became of its steps so far, `barred` why it is not asked for at all, if it is not.
    """

    key: str
    source: str
    transaction_id: str
    number: str
    customer: str
    branch: str
    currency: str
    document_date: date
    due_date: date
    total: Decimal
    open_amount: Decimal
    read_at: datetime
    noted: dict[str, Noted]
    barred: str | None = None


class Reminder(NamedTuple):
    """A reminder that goes out if nothing changes before. `credits` is what else the customer has open, positive."""

    invoice: Invoice
    next: Next
    terms: Terms
    place: Place
    contact: Contact
    address: str
    credits: Decimal

    @property
    def put_off(self) -> bool:
        """Whether it was tried before."""
        return self.next.step.name in self.invoice.noted


class Kept(NamedTuple):
    """A step that is due and does not go out, and why: a code of `plan.REASONS`; `problem` may say more."""

    invoice: Invoice
    step: str
    reason: str
    problem: str | None = None
