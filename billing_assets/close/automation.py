"""When months are closed: every night, those in which something moved."""

from collections.abc import Iterator

import dagster as dg

from billing_assets.close.store import months_that_moved
from billing_assets.runtime import Runtime
from billing_assets.settings import Settings

CLOSE_JOB = "close_month"
_HOURS = 26  # a little over a day, so that no change falls between two nights


def close_schedule(settings: Settings) -> dg.ScheduleDefinition:
    """A run of the close for every month in which a document moved since the night before."""

    @dg.schedule(
        name="close_months_that_moved",
        job_name=CLOSE_JOB,
        cron_schedule="0 5 * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Every night: reconciles each month in which a document appeared, changed or was posted.",
    )
    def close_months_that_moved(
        context: dg.ScheduleEvaluationContext, billing: dg.ResourceParam[Runtime]
    ) -> Iterator[dg.RunRequest]:
        with billing.state() as connection:
            moved = months_that_moved(connection, _HOURS)
        for period in moved:
            if period >= settings.close.first_month:
                day = context.scheduled_execution_time.date()
                yield dg.RunRequest(run_key=f"{period}/{day}", partition_key=period)

    return close_months_that_moved
