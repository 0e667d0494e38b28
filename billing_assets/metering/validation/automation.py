"""When readings are validated: every night, this month and the last."""

import dagster as dg

from billing_assets.foundation.periods import month_of, previous
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import Settings
from billing_assets.metering.validation.settings import ValidationSettings

VALIDATE_JOB = "validate_readings"


def validate_daily_schedule(settings: Settings) -> dg.ScheduleDefinition:
    """Asks for the last two months."""
    ours = settings.of(ValidationSettings)

    @dg.schedule(
        name="validate_readings_daily",
        job_name=VALIDATE_JOB,
        cron_schedule=f"0 {ours.hour} * * *",
        execution_timezone=settings.calendar.time_zone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Every night: judges the readings of this month and of the last one, with what came since.",
    )
    def validate_readings_daily(billing: dg.ResourceParam[Runtime]) -> list[dg.RunRequest]:
        month = month_of(billing.settings.calendar.today().last)
        return [
            dg.RunRequest(partition_key=one, tags={"billing/asked_by": "validate_readings_daily"})
            for one in (previous(month), month)
            if one >= ours.first_month
        ]

    return validate_readings_daily
