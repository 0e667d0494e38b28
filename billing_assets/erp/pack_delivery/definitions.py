"""What Dagster shows of the delivery of close packs: nothing where the settings name no folder."""

import dagster as dg

from billing_assets.erp.pack_delivery.assets import close_pack_deliveries_asset
from billing_assets.erp.pack_delivery.automation import DELIVER_JOB, deliver_close_packs_sensor
from billing_assets.erp.pack_delivery.settings import PackDeliverySettings
from billing_assets.foundation.settings import Settings


def build(settings: Settings) -> dg.Definitions:
    """Asset, job and sensor."""
    if settings.of(PackDeliverySettings).host is None:
        return dg.Definitions()
    asset = close_pack_deliveries_asset(settings)
    job = dg.define_asset_job(
        DELIVER_JOB,
        selection=[asset],
        description="Deliver the close pack of a month that was closed for good to the SFTP folder. Nothing is sent "
        "twice.",
    )
    return dg.Definitions(assets=[asset], jobs=[job], sensors=[deliver_close_packs_sensor(settings)])
