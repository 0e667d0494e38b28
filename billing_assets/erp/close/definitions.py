"""The close in Dagster."""

import dagster as dg

from billing_assets.erp.close.assets import month_close_asset
from billing_assets.erp.close.automation import CLOSE_JOB, close_schedule, closing_jobs
from billing_assets.foundation.settings import Settings


def build(settings: Settings) -> dg.Definitions:
    """The close of each month, and the buttons that close and reopen one."""
    month_close = month_close_asset(settings)
    close_job = dg.define_asset_job(CLOSE_JOB, selection=[month_close], description="Reconcile a billing month.")
    return dg.Definitions(
        assets=[month_close], jobs=[close_job, *closing_jobs(settings)], schedules=[close_schedule(settings)]
    )
