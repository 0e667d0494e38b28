"""Delivering the pack of a month: each file once, read back by its hash."""

from billing_assets.erp.close.store import closed_state
from billing_assets.erp.pack_delivery import store
from billing_assets.erp.pack_delivery.errors import NoPackError
from billing_assets.erp.pack_delivery.settings import PackDeliverySettings
from billing_assets.erp.pack_delivery.store import PACKS
from billing_assets.file_exchange import delivery
from billing_assets.file_exchange.delivery import Delivered, sftp_place
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.settings import Settings
from billing_assets.posting.batch_lease import Patience


def deliver(
    url: str, connection: Connection, settings: Settings, period: str, run_id: str, patience: Patience
) -> Delivered:
    """Delivers what is left of the pack of a month; of one that is delivered it sends nothing.

    Raises SettingsError, NoPackError, and what `file_exchange.delivery.deliver` raises.
    """
    place = sftp_place(settings.of(PackDeliverySettings), PackDeliverySettings.section)
    if not store.register(connection, period):
        raise NoPackError(_why_no_pack(connection, period))
    return delivery.deliver(url, connection, PACKS, period, place, settings.batches.lease_seconds, run_id, patience)


def _why_no_pack(connection: Connection, period: str) -> str:
    if closed_state(connection, period) != "hard":
        return f"{period} is not closed for good: its pack is delivered once it is (`billing close hard {period}`)."
    return (
        f"{period} is closed for good, but the pack on which it was closed is not in this database, as one from before "
        "that was put back. Deliver the copy that finance signed by hand."
    )
