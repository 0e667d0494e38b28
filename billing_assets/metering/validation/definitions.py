"""What Dagster shows of the validation of readings."""

import dagster as dg

from billing_assets.foundation.settings import Settings
from billing_assets.metering.validation.assets import validated_readings_asset
from billing_assets.metering.validation.automation import VALIDATE_JOB, validate_daily_schedule


def build(settings: Settings) -> dg.Definitions:
    """Asset, job and schedule."""
    asset = validated_readings_asset(settings)
    job = dg.define_asset_job(
        VALIDATE_JOB, selection=[asset], description="Judge the readings of a month by every rule. Safe to repeat."
    )
    return dg.Definitions(assets=[asset], jobs=[job], schedules=[validate_daily_schedule(settings)])
