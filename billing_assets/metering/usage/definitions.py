"""What Dagster shows of usage and charges."""

import dagster as dg

from billing_assets.foundation.settings import Settings
from billing_assets.metering.usage.assets import (
    billable_usage,
    every_set_is_settled,
    usage_and_charges_find_each_other,
    utility_charges,
)
from billing_assets.metering.usage.automation import settle_job, settle_schedule


def build(settings: Settings) -> dg.Definitions:
    """Assets, checks, job and schedule."""
    return dg.Definitions(
        assets=[billable_usage, utility_charges],
        asset_checks=[usage_and_charges_find_each_other, every_set_is_settled],
        jobs=[settle_job],
        schedules=[settle_schedule(settings)],
    )
