"""The journal and the database of one installation, compared: what every start does, and whatever closes or mails."""

from billing_assets.areas import verbs
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.journal.comparing import Compared, compare
from billing_assets.foundation.journal.files import Journal
from billing_assets.foundation.settings import Settings


def compared_journal(connection: Connection, settings: Settings) -> tuple[Journal, Compared]:
    """The journal of the settings after it and the database were compared, and what that found. Raises JournalError.

    What a database that was put back lacks is in it again afterwards; a journal that was lost begins again. What an
    area that is switched off left in it is compared all the same.
    """
    journal = Journal(settings.journal_folder)
    owner: dict[str, str] = {"environment": settings.env}
    for of in verbs("journaling", "owner"):
        owner |= of(settings)
    kinds = [kind for of in verbs("journaling", "kinds") for kind in of(settings)]
    return journal, compare(connection, journal, owner, kinds)


def journal_of(connection: Connection, settings: Settings) -> Journal:
    """The same journal alone."""
    return compared_journal(connection, settings)[0]
