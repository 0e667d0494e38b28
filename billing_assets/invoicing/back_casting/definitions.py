"""What Dagster shows of back-casting."""

import dagster as dg

from billing_assets.foundation.settings import Settings
from billing_assets.invoicing.back_casting.assets import back_casts_asset
from billing_assets.invoicing.back_casting.automation import back_cast_job, back_cast_schedule


def build(settings: Settings) -> dg.Definitions:
    """The asset, its job and its schedule."""
    return dg.Definitions(
        assets=[back_casts_asset(settings)], jobs=[back_cast_job], schedules=[back_cast_schedule(settings)]
    )
