"""What can go wrong with files that come in that people must be told."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from billing_assets.foundation.alerts import Alert, Severity, clock, count, page, some
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.settings import Settings
from billing_assets.metering.import_engine import health
from billing_assets.metering.import_engine.settings import MeteringSettings

_REFUSED_DAYS = 1
"""How long a refusal is reported: until then a person has seen it."""


def alerts(connection: Connection, settings: Settings, now: datetime) -> Iterator[Alert]:
    """Files that could not be read, files that were refused, and senders from whom nothing came."""
    link = page(settings.alerts.ui_url, "assets/market_messages")
    if parked := health.parked(connection):
        yield Alert(
            "file_could_not_be_read",
            f"{count(len(parked), 'file')} could not be read",
            f"{some(str(one.id) for one in parked)}: {parked[0].why}",
            len(parked),
            (),
            "All other files are read. The bytes are kept (`billing metering file ID --save FILE`): report them.",
            link,
            Severity.CRITICAL,
        )
    if refused := health.refused(connection, now - timedelta(days=_REFUSED_DAYS)):
        yield Alert(
            "file_refused",
            f"{count(len(refused), 'file')} refused",
            f"Files {some(str(one.id) for one in refused)} are broken in form, and nothing of them counts. The first: "
            f"{refused[0].why}",
            len(refused),
            (),
            "`billing metering file ID` has every fault with its line. Ask the sender to send the file again.",
            link,
            Severity.WARNING,
        )
    hours = settings.of(MeteringSettings).silent_hours
    silent = [one for one in health.last_files(connection, now) if one.hours_ago > hours]
    if silent:
        yield Alert(
            "sender_is_silent",
            f"Nothing from {count(len(silent), 'sender')} for {hours:g} hours",
            f"The last file of {some(f'{one.folder} {one.sender}'.strip() for one in silent)} came "
            f"{clock(silent[0].last)} or later.",
            len(silent),
            (),
            "Ask the sender, and look whether files are left in the folder (`billing doctor`).",
            page(settings.alerts.ui_url, "assets/raw_files"),
            Severity.WARNING,
        )
