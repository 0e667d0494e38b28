"""What can go wrong with extracts that people must be told."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from billing_assets.foundation.alerts import Alert, Severity, count, page, some
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.settings import Settings
from billing_assets.metering.extraction import store
from billing_assets.metering.import_engine.extracts.codes import LOADS

_HELD_DAYS = 3
"""How long an extract of master data that did not load is reported after others loaded: a person has seen it."""


def alerts(connection: Connection, settings: Settings, now: datetime) -> Iterator[Alert]:
    """Prices and master data of extracts that do not count, one alert for each code."""
    link = page(settings.alerts.ui_url, "assets/metering_extracts")
    for one in store.held(connection, now - timedelta(days=_HELD_DAYS)):
        what = "extract" if one.code == "MASTER_DATA" else "price"
        yield Alert(
            f"extracts_held:{one.code}",
            f"{count(one.number, what)} held by {one.code}",
            f"Nothing of it counts: {some(one.about)}. What was there before counts on.",
            one.number,
            (),
            LOADS[one.code].to_do,
            link,
            Severity.WARNING,
        )
