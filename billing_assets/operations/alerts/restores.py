"""Alerts about a database that was put back, and a journal that needs a person."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from billing_assets.foundation.alerts import Alert
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.journal.restores import months_unconfirmed, restores, unconfirmed
from billing_assets.operations.alerts.causes import journal_unusable, put_back

TOLD_FOR = timedelta(hours=2)
"""For how long something that is over is still reported: a watch that was not running then may run by now."""


def journal_alerts(problems: Sequence[str], ui_url: str) -> list[Alert]:
    """One alert for all that is wrong with the journal."""
    return [journal_unusable(" ".join(problems), ui_url=ui_url)] if problems else []


def restore_alerts(connection: Connection, now: datetime, ui_url: str, *, reminders: bool) -> list[Alert]:
    """The last restore, if it was noticed lately or somebody has to confirm something. `reminders`: they are sent."""
    noticed = restores(connection)
    if not noticed:
        return []
    months = months_unconfirmed(connection)
    waiting = reminders and bool(unconfirmed(connection, "reminders"))
    last = noticed[-1]
    if not (months or waiting or last.noticed_at > now - TOLD_FOR):
        return []
    return [put_back(last.noticed_at, last.how, covered=last.covered, months=months, reminders=waiting, ui_url=ui_url)]
