"""What it takes to write reminders: the ladder, the templates, and where customers can be reached."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy

from billing_assets.erp.contract import Contact, Queries, connect_source, contacts
from billing_assets.foundation.calendar.business_days import Zones
from billing_assets.foundation.shipped import shipped
from billing_assets.receivables.reminders.errors import ExampleLadder, NoContacts
from billing_assets.receivables.reminders.message import Templates
from billing_assets.receivables.reminders.policy import Policy, load_policy
from billing_assets.receivables.settings import ReminderSettings

CHUNK = 500
"""Customers whose contacts are read at once, and kept no longer than needed."""


@dataclass(frozen=True)
class Materials:
    """`read_contacts`: customer numbers, at most CHUNK, to contacts; None where the billing system has several."""

    settings: ReminderSettings
    policy: Policy
    templates: Templates
    read_contacts: Callable[[Sequence[str]], dict[str, Contact | None]]

    def balances_since(self, now: datetime) -> datetime:
        """From when on a balance must have been read, so that somebody may be reminded of it."""
        return now - timedelta(hours=self.settings.balances_max_age_hours)


def load_materials(
    settings: ReminderSettings, source: sqlalchemy.Engine, queries: Queries, zones: Zones, *, in_sample: bool = False
) -> Materials:
    """Reads ladder and templates. Raises PolicyError, and NoContacts where there is no `contacts.sql`.

    `zones` are those of the branches. The ladder that ships has an example's name and bank account: it is refused where
    NetSuite is a real one.
    """
    query = queries.contacts
    if query is None:
        raise NoContacts

    def read_contacts(customers: Sequence[str]) -> dict[str, Contact | None]:
        with connect_source(source) as conn:  # for these customers only: mail takes its time
            return contacts.read_contacts(conn, query, customers)

    path = settings.ladder or shipped("config/reminders.yaml")
    policy = load_policy(path, zones)
    if not in_sample and (example := policy.example):
        raise ExampleLadder(str(path), example)
    return Materials(settings, policy, Templates(settings.templates), read_contacts)
