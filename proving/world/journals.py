"""Journals for tests."""

import os
import uuid
from pathlib import Path

from billing_assets.erp.close.journaling import closes_of
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.journal.comparing import compare
from billing_assets.foundation.journal.files import Journal
from billing_assets.receivables.reminders.journaling import REMINDERS_SENT

OWNER = {"environment": "dev", "netsuite_account": "1", "source": "billing"}


def new_journal(folder: Path | None = None) -> Journal:
    """A journal that begins now and was compared with no database; in a folder of its own if none is named."""
    journal = Journal(folder or Path(os.environ["BILLING_TEST_HOME"]) / "journals" / uuid.uuid4().hex)
    journal.begin(OWNER, [])
    journal.settle()
    return journal


def compared_journal(connection: Connection, folder: Path) -> Journal:
    """The journal of a folder, after the database was compared with it as every start does."""
    journal = Journal(folder)
    compare(connection, journal, OWNER, [closes_of(["billing"]), REMINDERS_SENT])
    return journal
