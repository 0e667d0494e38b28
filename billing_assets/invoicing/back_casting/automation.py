"""When bills are rated again: every night, for the day."""

import dagster as dg

from billing_assets.foundation.dagster_helpers.runs import ASKED_BY
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import Settings
from billing_assets.invoicing.back_casting.settings import BackCastSettings
from billing_assets.invoicing.printing import day_of

_JOB, _NAME = "back_cast_bills", "back_cast_bills_daily"


back_cast_job = dg.define_asset_job(
    _JOB,
    selection=dg.AssetSelection.assets("back_casts"),
    description="Rate issued bills again by newer prices and profiles, and bill what changed.",
)


def back_cast_schedule(settings: Settings) -> dg.ScheduleDefinition:
    """Asks for today."""

    @dg.schedule(
        name=_NAME,
        job_name=_JOB,
        cron_schedule=settings.of(BackCastSettings).cron,
        execution_timezone=settings.calendar.time_zone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Every night, after corrections: rates bills again by newer prices and profiles.",
    )
    def back_cast_bills_daily(billing: dg.ResourceParam[Runtime]) -> dg.RunRequest:
        today = day_of(None, billing.settings.calendar)
        return dg.RunRequest(partition_key=today.isoformat(), tags={ASKED_BY: _NAME})

    return back_cast_bills_daily
