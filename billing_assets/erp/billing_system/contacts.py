"""Reads how customers can be reached (`contacts.sql`): when somebody writes to them, and then only those.

Nothing of it is kept, logged or shown.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from billing_assets.erp.billing_system.contract import CONTACT_COLUMNS
from billing_assets.erp.billing_system.queries import (
    CONTACTS_FILE,
    all_columns,
    column_names,
    contacts_table,
    is_one_of,
)
from billing_assets.foundation.source_database.errors import ColumnsWrong, QueryFailed, asking
from billing_assets.foundation.source_database.values import Unreadable


class Contact(NamedTuple):
    """A customer as `contacts.sql` has it. Everything but its number may be missing."""

    customer: str
    name: str | None = None
    email: str | None = None
    language: str | None = None
    country: str | None = None
    region: str | None = None
    timezone: str | None = None


def read_contacts(conn: Connection, query: str, customers: Sequence[str]) -> dict[str, Contact | None]:
    """The contacts of these customers (at most 1,000) by customer number; None where there are several of one.

    Raises SourceError: the query does not run, lacks a column, or has something that is no text.
    """
    table = contacts_table(query)
    found: dict[str, Contact | None] = {}
    with asking(conn, CONTACTS_FILE):
        result = conn.execute(all_columns(table).where(is_one_of(table.c.customer, conn.dialect, customers)))
        names = column_names(result.keys())
        if missing := [column.name for column in CONTACT_COLUMNS if column.name not in names]:
            raise ColumnsWrong({CONTACTS_FILE: missing}, {})
        places = [(column, names.index(column.name)) for column in CONTACT_COLUMNS]
        for row in result:
            try:
                contact = Contact(*(column.convert(row[place]) for column, place in places))
            except Unreadable as error:
                raise QueryFailed(CONTACTS_FILE, f"a value {error}; CAST it to text in the query") from None
            found[contact.customer] = None if contact.customer in found else contact
    return found
