"""The journal and the database of one installation, compared: what every start does, and whatever closes or mails."""

from billing_assets.close.journaling import closes_of
from billing_assets.journal.comparing import Compared, compare
from billing_assets.journal.files import Journal
from billing_assets.reminders.journaling import REMINDERS_SENT
from billing_assets.settings import Settings
from billing_assets.state.database import Connection


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
