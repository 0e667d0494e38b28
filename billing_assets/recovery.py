"""The journal and the database of one installation, compared: what every start does, and whatever closes or mails."""

from billing_assets.erp.close.journaling import closes_of
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.journal.comparing import Compared, compare
from billing_assets.foundation.journal.files import Journal
from billing_assets.foundation.settings import Settings
from billing_assets.receivables.reminders.journaling import REMINDERS_SENT


def compared_journal(connection: Connection, settings: Settings) -> tuple[Journal, Compared]:
    """The journal of the settings after it and the database were compared, and what that found. Raises JournalError.

    What a database that was put back lacks is in it again afterwards; a journal that was lost begins again.
    """
    journal = Journal(settings.journal_folder)
    owner = {
        "environment": settings.env,
        "netsuite_account": settings.netsuite.account or "",
        "source": settings.source.name,
    }
    found = compare(connection, journal, owner, [closes_of(settings.source.name), REMINDERS_SENT])
    return journal, found
