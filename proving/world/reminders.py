"""Open invoices, contacts and a materials for tests; built with defaults only, an invoice is reminded of on DUE."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

from billing_assets.erp.billing_system.contacts import Contact
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.journal.files import Journal
from billing_assets.foundation.shipped import shipped
from billing_assets.receivables.reminders.materials import Materials
from billing_assets.receivables.reminders.message import Templates
from billing_assets.receivables.reminders.policy import Policy, load_policy
from billing_assets.receivables.reminders.sending import Report, send_due
from billing_assets.receivables.reminders.smtp import Server
from billing_assets.receivables.settings import ReminderSettings
from proving.world.journals import new_journal

DUE = date(2026, 11, 4)
"""A Wednesday: two days before is a business day, too."""

NOON = datetime(2026, 11, 4, 12, 0, tzinfo=UTC)
"""On DUE, in London's business hours."""

LADDER = ("before_due", "due", "overdue_7", "overdue_14")


@cache
def shipped_policy() -> Policy:
    """The ladder that ships."""
    return load_policy(shipped("config/reminders.yaml"))


@cache
def shipped_templates() -> Templates:
    """The templates that ship."""
    return Templates(None)


def settings(**changes: Any) -> ReminderSettings:
    """Switched on, as fast as it goes, and not minding when balances were read."""
    return ReminderSettings(**{"enabled": True, "per_minute": 10**9, "balances_max_age_hours": 10**6} | changes)


def contact(customer: str, **changes: Any) -> Contact:
    """A customer in London with an address of its own."""
    email = f"c{customer}@example.com"
    return Contact(**{"customer": customer, "name": f"Customer {customer}", "email": email, "country": "GB"} | changes)


def materials(*contacts: Contact, reminders: ReminderSettings | None = None, policy: Policy | None = None) -> Materials:
    """The shipped ladder; contacts are those named, any other customer has `contact`."""
    named = {one.customer: one for one in contacts}

    def read(customers: Sequence[str]) -> dict[str, Contact | None]:
        return {number: named.get(number) or contact(number) for number in customers}

    return Materials(reminders or settings(), policy or shipped_policy(), shipped_templates(), read)


def without(found: Materials, *customers: str) -> Materials:
    """A materials on which these customers have no contact."""

    def read(wanted: Sequence[str]) -> dict[str, Contact | None]:
        return found.read_contacts([one for one in wanted if one not in customers])

    return replace(found, read_contacts=read)


def open_item(
    connection: Connection,
    number: str = "536365",
    open_amount: str = "120.00",
    *,
    kind: str = "invoice",
    **changes: Any,
) -> None:
    """An open invoice (or credit memo, or payment) of a customer, as the receivables have it."""
    values: dict[str, Any] = {
        "source": "netsuite",
        "transaction_id": f"id-{kind}-{number}",
        "kind": kind,
        "number": number,
        "external_id": f"INV-{number}" if kind == "invoice" else None,
        "customer": "12346",
        "branch": "United Kingdom",
        "currency": "GBP",
        "document_date": DUE - timedelta(days=30),
        "due_date": DUE,
        "total": Decimal(open_amount),
        "open_amount": Decimal(open_amount),
        "read_at": NOON,
    } | changes
    columns = ", ".join(values)
    places = ", ".join(f"%({name})s" for name in values)
    connection.execute(f"insert into billing.open_receivables ({columns}) values ({places})", values)  # noqa: S608


def send(
    connection: Connection,
    server: Server,
    now: datetime = NOON,
    at: Materials | None = None,
    journal: Journal | None = None,
) -> Report:
    """One run that stands at a moment."""
    return send_due(connection, at or materials(), server, "a run", lambda: now, journal or new_journal())


def steps(connection: Connection, number: str = "536365") -> dict[str, str]:
    """State by step of an invoice."""
    rows = connection.execute("select step, state from billing.reminders where number = %s", [number]).fetchall()
    return {row["step"]: row["state"] for row in rows}


def reminder(connection: Connection, step: str = "due", number: str = "536365") -> dict[str, Any]:
    """The row of a step of an invoice."""
    row = connection.execute(
        """
        select r.*, w.decided_by from billing.reminders as r left join billing.decisions as w on w.id = r.decision_id
        where r.number = %s and r.step = %s""",
        [number, step],
    ).fetchone()
    assert row is not None
    return row
