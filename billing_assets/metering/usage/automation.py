"""When usage and charges are settled: after files were read, and every night for what the clock changes."""

import dagster as dg

from billing_assets.foundation.settings import Settings
from billing_assets.metering.usage.assets import billable_usage, utility_charges
from billing_assets.metering.usage.settings import UsageSettings

SETTLE_JOB = "settle_usage"

settle_job = dg.define_asset_job(
    SETTLE_JOB,
    selection=[billable_usage, utility_charges],
    description="Settle usage and charges: pairs, cancels, replacements, credits that are due. Safe at any time.",
)


def settle_schedule(settings: Settings) -> dg.ScheduleDefinition:
    """The settling of every night."""
    return dg.ScheduleDefinition(
        name="settle_usage_daily",
        job=settle_job,
        cron_schedule=settings.of(UsageSettings).cron,
        execution_timezone=settings.calendar.time_zone,
        description="Settles usage and charges: a credit is due, and an orphan is reported, when its days are over.",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
