"""What people should be told about now. Errors of runs come from Dagster, not from here."""

from datetime import datetime

from billing_assets.areas import verbs
from billing_assets.foundation.alerts import Alert
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.settings import Settings


def detect(connection: Connection, settings: Settings, now: datetime) -> list[Alert]:
    """What the rooms that are switched on see go wrong, at `now` (UTC-aware)."""
    return [
        alert for alerts in verbs("causes", "alerts", settings.areas) for alert in alerts(connection, settings, now)
    ]
