"""What can go wrong with corrections that people must be told."""

from collections.abc import Iterator
from datetime import datetime

from billing_assets.foundation.alerts import Alert, Severity, count, page, some, sum_money
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.settings import Settings
from billing_assets.invoicing.corrections import reports


def alerts(connection: Connection, settings: Settings, now: datetime) -> Iterator[Alert]:
    """Cancels that went out alone and are not rebilled, and corrections that wait for a person."""
    link = page(settings.alerts.ui_url, "assets/invoice_corrections")
    alone = reports.cancelled_alone(connection)
    if alone:
        yield Alert(
            "cancelled_without_rebill",
            f"{count(len(alone), 'invoice')} cancelled, and not billed again",
            f"The utility cancelled the usage of {some(one.number for one in alone)} and sent no other in time: each "
            "customer has a credit memo, and the days are on no bill.",
            len(alone),
            sum_money((one.currency, one.total) for one in alone),
            "Ask the utility for the replacement: it is billed when it comes.",
            link,
            Severity.WARNING,
        )
    kept = [one for one in reports.open_corrections(connection) if one.code]
    if kept:
        yield Alert(
            "corrections_wait_for_a_person",
            f"{count(len(kept), 'correction')} of invoices not done",
            f"What came for {some(one.number for one in kept)} could not be billed again: "
            f"{some({one.code or '' for one in kept})}.",
            len(kept),
            sum_money((one.currency, one.total) for one in kept),
            "See why on the asset; then `billing invoicing rebill NUMBER`, which lets it go in your name.",
            link,
            Severity.WARNING,
        )
