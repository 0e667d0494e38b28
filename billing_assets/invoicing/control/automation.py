"""When a day is reported: the morning after, with the check over every kWh."""

from datetime import timedelta

import dagster as dg

from billing_assets.foundation.dagster_helpers.runs import ASKED_BY
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import Settings
from billing_assets.invoicing.control.assets import REPORT
from billing_assets.invoicing.control.checks import every_kwh_explained
from billing_assets.invoicing.control.settings import ControlSettings

REPORT_JOB = "report_billing_day"

check_job = dg.define_asset_job(
    "explain_every_kwh",
    selection=dg.AssetSelection.checks(every_kwh_explained),
    description="Check that every kWh of the last months is on one live invoice or in one explained place.",
)


report_job = dg.define_asset_job(
    REPORT_JOB,
    selection=dg.AssetSelection.assets(REPORT),
    description="Report the billing of a day by bill group. Only reads.",
)


def report_schedule(settings: Settings) -> dg.ScheduleDefinition:
    """Asks for the day before."""

    @dg.schedule(
        name="report_billing_daily",
        job_name=REPORT_JOB,
        cron_schedule=f"0 {settings.of(ControlSettings).hour} * * *",
        execution_timezone=settings.calendar.time_zone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Every morning: the billing of the day before, by bill group.",
    )
    def report_billing_daily(billing: dg.ResourceParam[Runtime]) -> dg.RunRequest | dg.SkipReason:
        day = (billing.settings.calendar.today().first - timedelta(days=1)).isoformat()
        if day < billing.settings.of(ControlSettings).first_day:
            return dg.SkipReason("The settings begin on a later day.")
        return dg.RunRequest(run_key=day, partition_key=day, tags={ASKED_BY: "report_billing_daily"})

    return report_billing_daily


def check_schedule(settings: Settings) -> dg.ScheduleDefinition:
    """The check of every morning."""
    return dg.ScheduleDefinition(
        name="explain_every_kwh_daily",
        job=check_job,
        cron_schedule=f"30 {settings.of(ControlSettings).hour} * * *",
        execution_timezone=settings.calendar.time_zone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Every morning: is every kWh of the last months on one live invoice or in one explained place?",
    )
