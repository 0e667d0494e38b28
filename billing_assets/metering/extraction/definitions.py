"""What Dagster shows of extraction."""

import dagster as dg

from billing_assets.foundation.settings import Settings
from billing_assets.metering.extraction.assets import metering_extracts
from billing_assets.metering.extraction.automation import EXTRACT_JOB, extract_schedule


def build(settings: Settings) -> dg.Definitions:
    """Asset, job and schedule."""
    job = dg.define_asset_job(
        EXTRACT_JOB,
        selection=[metering_extracts],
        description="Extract what is new in the metering database and the API. What is stored waits to be read.",
    )
    return dg.Definitions(assets=[metering_extracts], jobs=[job], schedules=[extract_schedule(settings)])
