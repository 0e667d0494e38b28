"""What Dagster shows of billing as a whole."""

import dagster as dg

from billing_assets.foundation.settings import Settings
from billing_assets.invoicing.control.assets import daily_billing_report_asset
from billing_assets.invoicing.control.automation import check_job, check_schedule, report_job, report_schedule
from billing_assets.invoicing.control.checks import every_kwh_explained


def build(settings: Settings) -> dg.Definitions:
    """The report of a day, the check over every kWh, and when they run."""
    return dg.Definitions(
        assets=[daily_billing_report_asset(settings)],
        asset_checks=[every_kwh_explained],
        jobs=[report_job, check_job],
        schedules=[report_schedule(settings), check_schedule(settings)],
    )
