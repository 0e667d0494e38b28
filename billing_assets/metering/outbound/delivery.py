"""Delivering what we made for partners: each interchange once, the oldest batch first."""

from collections.abc import Iterator

from billing_assets.file_exchange import delivery
from billing_assets.file_exchange.delivery import Delivered
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.errors import BillingError
from billing_assets.foundation.settings import Settings, SettingsError, variable
from billing_assets.metering.import_engine.settings import MeteringSettings
from billing_assets.metering.outbound import store
from billing_assets.metering.outbound.advices import write_advices
from billing_assets.metering.outbound.settings import OutboundSettings
from billing_assets.metering.outbound.store import INTERCHANGES, Batch
from billing_assets.posting.batch_lease import Patience

PAUSE_SECONDS = 300.0
"""How long a batch rests after a run that could not deliver all of it."""


class UnknownBatchError(BillingError):
    """There is no batch of this name."""

    def __init__(self, batch: str) -> None:
        super().__init__(f"There is no batch {batch} of outbound interchanges. `billing metering send` sends all.")


def due(connection: Connection, settings: Settings, pause_seconds: float = PAUSE_SECONDS) -> list[Batch]:
    """Writes the 824 of what was rejected, and plans what is new; the batches that a run can deliver now, of partners
    that have a folder."""
    ours = settings.of(MeteringSettings)
    write_advices(connection, ours.partners, ours.limits)
    store.plan(connection)
    folders = settings.of(OutboundSettings).folders
    return [one for one in store.batches_to_deliver(connection, pause_seconds) if one.partner in folders]


def deliver(
    url: str, connection: Connection, settings: Settings, batch: str, run_id: str, patience: Patience
) -> Delivered:
    """Delivers what is left of a batch. Raises SettingsError where its partner has no folder, UnknownBatchError, and
    what `file_exchange.delivery.deliver` raises."""
    partner = store.partner_of(connection, batch)
    if partner is None:
        raise UnknownBatchError(batch)
    folder = settings.of(OutboundSettings).folders.get(partner)
    if folder is None:
        raise SettingsError(f"{variable('outbound.folders')} names no folder for {partner}, to whom {batch} goes.")
    place = delivery.place(folder, f"outbound.folders.{partner}")
    return delivery.deliver(
        url, connection, INTERCHANGES, batch, place, settings.batches.lease_seconds, run_id, patience
    )


def deliver_each(
    url: str, connection: Connection, settings: Settings, run_id: str, patience: Patience
) -> Iterator[Delivered]:
    """Delivers every batch that is due, one after the other; what is wrong with one partner's folder stops no
    other's."""
    for one in due(connection, settings):
        try:
            yield deliver(url, connection, settings, one.partition_key, run_id, patience)
        except BillingError as error:
            yield Delivered(one.partition_key, store.files(connection, one.partition_key), 0, str(error))
