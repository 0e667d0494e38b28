"""What a reminder is about, as plain values."""

from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from billing_assets.erp.contract import Contact
from billing_assets.receivables.reminders.due import Next, Noted, Place
from billing_assets.receivables.reminders.policy import Terms


class Invoice(NamedTuple):
    """An open invoice. `key` names it for ever, wherever its balance is read; `open_amount` is its balance.

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
    """A reminder that goes out if nothing changes before.

    `covered` is what of the customer's open credits and unapplied payments counts against the invoice, positive;
    `account` the sum of all that the customer has open in this currency, by which a change is noticed.
    """

    invoice: Invoice
    next: Next
    terms: Terms
    place: Place
    contact: Contact
    address: str
    covered: Decimal
    account: Decimal

    @property
    def asked(self) -> Decimal:
        """What the customer is asked for."""
        return self.invoice.open_amount - self.covered

    @property
    def sent_before(self) -> tuple[str, ...]:
        """Steps whose mail about this invoice the mail server took, for this customer, and did not bring back."""
        this = self.next.step.name
        return tuple(
            step
            for step, noted in self.invoice.noted.items()
            if step != this and noted.state == "sent" and noted.to_customer
        )

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
