"""What can go wrong with files that come in that people must be told."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from billing_assets.foundation.alerts import Alert, Severity, count, page, some
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.settings import Settings
from billing_assets.metering.import_engine import reports
from billing_assets.metering.import_engine.settings import MeteringSettings

_REFUSED_DAYS = 3
"""How long a refusal is reported: until then a person has seen it."""


def alerts(connection: Connection, settings: Settings, now: datetime) -> Iterator[Alert]:
    """Files that were refused or could not be read, files that wait too long, and folders that have fallen silent."""
    ours = settings.of(MeteringSettings)
    link = page(settings.alerts.ui_url, "assets/market_messages")

    def alert(cause: str, title: str, what_happened: str, what_to_do: str, number: int) -> Alert:
        return Alert(cause, title, what_happened, number, (), what_to_do, link, Severity.WARNING)

    if refused := reports.refused_since(connection, now - timedelta(days=_REFUSED_DAYS)):
        yield alert(
            "market_files_refused",
            f"{count(len(refused), 'file')} of the market refused",
            f"Nothing of {some(refused)} counts.",
            "`billing metering file ID` has the findings with their lines. Ask the sender for a correct file.",
            len(refused),
        )
    if parked := reports.put_aside(connection):
        yield alert(
            "market_files_put_aside",
            f"{count(len(parked), 'file')} of the market could not be read",
            f"The reader did not expect what is in {some(parked)}.",
            "`billing metering file ID` says why. Report it with its bytes; `billing metering read-again ID` after it "
            "is corrected.",
            len(parked),
        )
    if unread := reports.unread_since(connection, now - timedelta(minutes=settings.alerts.window_minutes)):
        yield alert(
            "market_files_waiting",
            f"{count(unread, 'file')} of the market not read",
            f"They were stored more than {settings.alerts.window_minutes} minutes ago.",
            "Look whether the runs of `import_market_files` succeed, or run `billing metering import`.",
            unread,
        )
    if silent := reports.silent_folders(connection, ours, now):
        yield alert(
            "input_folder_silent",
            f"{count(len(silent), 'input folder')} without new files",
            f"Nothing came in {some(silent)} for longer than is usual there.",
            "Ask the sender, and look whether files go to another place.",
            len(silent),
        )
