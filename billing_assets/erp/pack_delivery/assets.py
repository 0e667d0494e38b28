"""The close packs in the folder that they are delivered to, month by month."""

import dagster as dg

from billing_assets.erp.pack_delivery.delivery import deliver
from billing_assets.erp.partitions import month_partitions
from billing_assets.file_exchange.assets import delivery_metadata
from billing_assets.foundation.dagster_helpers.failing import explained, failure, page_of
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import Settings
from billing_assets.posting.batch_lease import Patience

NAME = "close_pack_deliveries"


def close_pack_deliveries_asset(settings: Settings) -> dg.AssetsDefinition:
    """The asset `close_pack_deliveries`, with the partitions of `month_close`."""

    @dg.asset(
        name=NAME,
        partitions_def=month_partitions(settings),
        deps=["month_close"],
        group_name="pack_delivery",
        kinds={"file"},
        owners=["team:finance"],
        backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=1),
        description="The workbook and the statement of a month that was closed for good, in the SFTP folder of the "
        "settings: each file delivered once, read back and compared by its hash. Safe to repeat: of a pack that is "
        "delivered nothing is sent again, and no file there is ever overwritten.",
    )
    @explained
    def close_pack_deliveries(
        context: dg.AssetExecutionContext, billing: dg.ResourceParam[Runtime]
    ) -> dg.MaterializeResult:
        period, url = context.partition_key, billing.database_url
        with billing.state() as connection:
            result = deliver(url, connection, billing.settings, period, context.run.run_id, Patience.ENDLESS)
        if result.is_done:
            return dg.MaterializeResult(metadata=delivery_metadata([result]))
        alerts = billing.settings.alerts
        raise failure(
            f"The pack of {period} is not delivered. {result.what_is_left()}",
            alerts,
            to_do="The table `files` says of each what is in the way. What may still be on its way is looked up and, "
            "if it is not there, sent again by the sensor; for the rest fix the cause, then press Materialize… on "
            "`materialize_again`.",
            chapter="close-packs-to-an-sftp-folder",
            metadata={"materialize_again": page_of(NAME, period, alerts), **delivery_metadata([result])},
        )

    return close_pack_deliveries
