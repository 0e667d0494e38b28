"""Staging in Dagster."""

import dagster as dg

from billing_assets.erp.staging.assets import staged_invoices
from billing_assets.erp.staging.automation import stage_job, stage_when_closed_sensor, staging_schedule, whole_schedule
from billing_assets.foundation.settings import Settings


def build(settings: Settings) -> dg.Definitions:
    """The staged documents, and when they are staged."""
    return dg.Definitions(
        assets=[staged_invoices],
        jobs=[stage_job],
        sensors=[stage_when_closed_sensor(settings)],
        schedules=[staging_schedule(settings), whole_schedule],
    )
