"""Who would get what and when: what is open, what was said about it already, and where the customer is."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import islice

from billing_assets.erp.contract import Contact, OpenCredits
from billing_assets.foundation.calendar.business_days import Days, earliest_day
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.journal.restores import sent_until
from billing_assets.receivables.reminders import store
from billing_assets.receivables.reminders.due import MARGIN, might_be_due, next_reminder
from billing_assets.receivables.reminders.invoices import Invoice, Kept, Reminder
from billing_assets.receivables.reminders.materials import CHUNK, Materials
from billing_assets.receivables.reminders.message import usable_address
from billing_assets.receivables.reminders.policy import Terms

REASONS = {
    "balances_old": "its balance was read too long ago: it may have been paid since. Read the receivables again",
    "dispute": "a stop: the customer disputes it",
    "payment_plan": "a stop: a payment plan is agreed",
    "other": "a stop for another reason, which `billing stops list` names",
    "voided": "it was voided in the billing system, and its credit memo is to be decided about, or is on its way",
    "held": "the billing system has it open, and it is held here, for its findings: it was not posted",
    "covered_by_credit": "the customer's open credits and unapplied payments cover it, counted as for late fees: the "
    "oldest invoice first",
    "below_minimum": "less is to be asked for than the minimum amount",
    "no_contact": "`contacts.sql` has no such customer",
    "contact_spelled_otherwise": "`contacts.sql` has the customer's number in other letters or blanks only. Spell it "
    "as `documents.sql` does",
    "several_contacts": "`contacts.sql` has several rows of this customer",
    "no_address": "the customer has no e-mail address",
    "bad_address": "the customer's e-mail address is none that mail can be sent to",
    "bad_mail": "no mail can be made of it: `billing reminders plan --eml FOLDER` says why",
}
"""Why a step that is due is not sent, by code. It is looked at again every time."""

_NONE = store.Account(Decimal(0), Decimal(0))  # of an invoice that was read a moment ago: its claim finds that out


def plan(
    connection: Connection, materials: Materials, now: datetime, until: datetime, customer: str | None = None
) -> Iterator[Reminder | Kept]:
    """The next reminder of each open invoice if it goes out up to `until`, customer by customer; and what is kept back.

    `until` equal to `now`: what may be sent this moment. Nothing is written.
    """
    policy, not_before = materials.policy, materials.settings.not_before
    sent, began = sent_until(connection), not_before
    if sent is not None:
        began = max(not_before or date.min, earliest_day(sent))
    accounts = store.accounts(connection)
    stops: dict[str, list[store.Stop]] = defaultdict(list)
    for stop in store.stops(connection, ends_from=earliest_day(now)):
        stops[stop.customer].append(stop)
    first = min(terms.ladder[0].days for terms in policy.all_terms)
    last_day = until.date() + timedelta(days=1)  # somewhere it is tomorrow already
    found = store.open_invoices(connection, last_day - timedelta(days=first) + MARGIN, customer)
    candidates = [
        one for one in found if might_be_due(policy.terms(one.branch).ladder, one.due_date, one.noted, last_day, began)
    ]
    covered = _covered(found, accounts, stops, policy.zones.days(now))
    read_since = materials.balances_since(now)
    for invoices in _by_customers(candidates):
        contacts = materials.read_contacts(list({one.customer: None for one in invoices}))
        for invoice in invoices:
            terms = policy.terms(invoice.branch)
            contact = contacts.get(invoice.customer)
            known = contact or Contact(invoice.customer)
            place = policy.place(known, terms)
            if sent is not None:
                began = max(not_before or date.min, place.day(sent) + timedelta(days=1))
            due = next_reminder(terms.ladder, invoice.due_date, invoice.noted, place, terms.hours, now, began)
            if due is None or due.sends_at > until:
                continue
            address = usable_address(known.email)
            reason = _kept_back(
                invoice, covered[invoice.key], terms, stops[invoice.customer], place.day(due.sends_at), read_since
            )
            reason = reason or _unreachable(invoice.customer, contacts, address)
            if reason or contact is None or address is None:
                yield Kept(invoice, due.step.name, reason or "no_contact")
            else:
                owed = accounts.get((invoice.customer, invoice.currency), _NONE).open_amount
                yield Reminder(invoice, due, terms, place, contact, address, covered[invoice.key], owed)


def _kept_back(
    invoice: Invoice, covered: Decimal, terms: Terms, stops: Sequence[store.Stop], day: date, read_since: datetime
) -> str | None:
    """Why nothing is asked for of an invoice, before its customer's address is looked at."""
    if invoice.read_at < read_since:
        return "balances_old"
    if invoice.barred:
        return invoice.barred
    if invoice.open_amount <= covered:
        return "covered_by_credit"
    if invoice.open_amount - covered < terms.minimum_amount:
        return "below_minimum"
    return _stopped(stops, invoice, day)


def _covered(
    found: Sequence[Invoice],
    accounts: Mapping[tuple[str, str], store.Account],
    stops: Mapping[str, Sequence[store.Stop]],
    days: Days,
) -> dict[str, Decimal]:
    """What of each invoice its customer's credits cover, as late fees count them: the oldest first, and no invoice that
    is not asked for anyway uses any up."""
    left = OpenCredits()
    covered = {one.key: Decimal(0) for one in found}
    for one in sorted(found, key=lambda one: (one.due_date, one.source, one.transaction_id)):
        if not one.barred and not _stopped(stops.get(one.customer, ()), one, days.of(one.branch)):
            credit = accounts.get((one.customer, one.currency), _NONE).credit
            covered[one.key] = left.take(one.customer, one.currency, credit, one.open_amount)
    return covered


def _stopped(stops: Sequence[store.Stop], invoice: Invoice, day: date) -> str | None:
    return next((stop.reason for stop in stops if stop.holds(invoice.number, day)), None)


def _unreachable(customer: str, contacts: Mapping[str, Contact | None], address: str | None) -> str | None:
    contact = contacts.get(customer)
    if contact is None and customer not in contacts:
        # To the billing database, another spelling may be this customer.
        otherwise = any(_folded(one) == _folded(customer) for one in contacts)
        return "contact_spelled_otherwise" if otherwise else "no_contact"
    if contact is None:
        return "several_contacts"
    if not (contact.email or "").strip():
        return "no_address"
    return None if address else "bad_address"


def _folded(number: str) -> str:
    return number.strip().casefold()


def _by_customers(invoices: Sequence[Invoice]) -> Iterator[list[Invoice]]:
    """The invoices of CHUNK customers at a time."""
    per_customer: dict[str, list[Invoice]] = defaultdict(list)
    for invoice in invoices:
        per_customer[invoice.customer].append(invoice)
    groups = iter(per_customer.values())
    while chunk := [invoice for group in islice(groups, CHUNK) for invoice in group]:
        yield chunk
