"""Interchanges that we made, in the folders of their partners."""

import dagster as dg

from billing_assets.file_exchange.assets import delivery_metadata
from billing_assets.foundation.dagster_helpers.failing import explained, failure
from billing_assets.foundation.runtime import Runtime
from billing_assets.metering.outbound.delivery import deliver_each
from billing_assets.posting.batch_lease import Patience


@dg.asset(
    name="outbound_interchanges",
    deps=["market_messages"],
    group_name="outbound",
    kinds={"file"},
    owners=["team:billing-operations"],
    description="Acknowledgements (997), application advices (824) and other interchanges for partners, in the folder "
    "of each: delivered once, read back and compared by hash. Safe to repeat: what is delivered is not sent again.",
)
@explained
def outbound_interchanges(
    context: dg.AssetExecutionContext, billing: dg.ResourceParam[Runtime]
) -> dg.MaterializeResult:
    """Delivers every batch that is due."""
    url = billing.database_url
    with billing.state() as connection:
        delivered = list(deliver_each(url, connection, billing.settings, context.run.run_id, Patience.UNTIL_RENEWED))
    metadata = delivery_metadata(delivered)
    if left := [one for one in delivered if not one.is_done]:
        raise failure(
            " ".join(f"{one.batch} is not delivered. {one.what_is_left()}" for one in left),
            billing.settings.alerts,
            to_do="The table `files` says of each what is in the way. What may still be on its way is looked up and, "
            "if it is not there, sent again by the sensor; for the rest fix the cause and materialize this asset "
            "again.",
            chapter="interchanges-to-partners",
            metadata=metadata,
        )
    return dg.MaterializeResult(metadata=metadata)
