"""What can go wrong with interchanges for partners that people must be told."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from billing_assets.foundation.alerts import Alert, Severity, count, page, some
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.settings import Settings, variable
from billing_assets.metering.import_engine.settings import MeteringSettings
from billing_assets.metering.outbound import store
from billing_assets.metering.outbound.advices import without_partner
from billing_assets.metering.outbound.settings import OutboundSettings

_REFUSED_DAYS = 3
"""How long a refusal is reported: until then a person has seen it."""


def alerts(connection: Connection, settings: Settings, now: datetime) -> Iterator[Alert]:
    """Partners without a folder, batches left undelivered, and what partners did not acknowledge or refused, and
    what people rejected without its sender being told."""
    ours = settings.of(OutboundSettings)
    link = page(settings.alerts.ui_url, "assets/outbound_interchanges")

    def alert(cause: str, title: str, what_happened: str, what_to_do: str, number: int) -> Alert:
        return Alert(cause, title, what_happened, number, (), what_to_do, link, Severity.WARNING)

    homeless = {one: number for one, number in store.waiting(connection).items() if one not in ours.folders}
    if homeless:
        number = sum(homeless.values())
        yield alert(
            "no_outbound_folder",
            f"{count(number, 'interchange')} for {some(homeless)} cannot be delivered: no folder is set",
            "They were made for partners whose folder the settings do not name.",
            f"Name the folder of each in {variable('outbound.folders')}.",
            number,
        )
    if left := store.left_behind(connection, now - timedelta(minutes=settings.alerts.window_minutes)):
        yield alert(
            "outbound_not_delivered",
            f"{count(len(left), 'batch', 'batches')} of interchanges not delivered",
            f"The last run left something of {some(left)}.",
            "The table `files` of the asset says what is in the way of each file. Fix it, then materialize the asset, "
            "or run `billing metering send`.",
            len(left),
        )
    if silent := store.unanswered(connection, now - timedelta(hours=ours.acknowledgement_hours)):
        yield alert(
            "no_functional_acknowledgement",
            f"{count(len(silent), 'interchange')} without a 997",
            f"No acknowledgement came within {ours.acknowledgement_hours:g} hours after delivery of {some(silent)}.",
            "Ask the partner whether it arrived. The same bytes may be sent again under the same number.",
            len(silent),
        )
    if refused := store.refused(connection, now - timedelta(days=_REFUSED_DAYS)):
        yield alert(
            "outbound_refused",
            f"{count(len(refused), 'interchange')} refused by a partner (AK9*R)",
            f"The 997 refuses {some(refused)}.",
            "`billing metering show` of the 997 has the segment and the code of each error; `billing metering status` "
            "names it. Once the partner can take it, `billing metering resend ID` sends the same bytes again.",
            len(refused),
        )
    partners = settings.of(MeteringSettings).partners
    if unanswered := without_partner(connection, partners, now - timedelta(days=_REFUSED_DAYS)):
        yield alert(
            "rejection_without_partner",
            f"{count(len(unanswered), 'rejection')} of which the sender is not told",
            f"No 824 is written for {some(one.id for one in unanswered)}: their senders are no partners.",
            f"Name the sender in {variable('metering.partners')}, and the 824 is written; or tell it another way.",
            len(unanswered),
        )
