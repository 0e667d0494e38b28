"""When a month is reported and audited: early in the next one."""

from collections.abc import Iterator

import dagster as dg

from billing_assets.erp.audit.queue import months_before
from billing_assets.erp.audit.settings import AuditSettings
from billing_assets.erp.settings import CloseSettings
from billing_assets.foundation.calendar.business_days import local_day
from billing_assets.foundation.settings import Settings

AUDIT_JOB = "audit_month"


def audit_schedule(settings: Settings) -> dg.ScheduleDefinition:
    """The report and the audit of last month."""

    zone = settings.calendar.zones.default

    @dg.schedule(
        name="audit_last_month",
        job_name=AUDIT_JOB,
        cron_schedule=settings.of(AuditSettings).cron,
        execution_timezone=zone.key,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Early in each month: what of last month is still open, and what an auditor must look at.",
    )
    def audit_last_month(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
        day = local_day(context.scheduled_execution_time, zone)
        (last_month,) = months_before(f"{day:%Y-%m}", 1)
        if last_month >= settings.of(CloseSettings).first_month:
            yield dg.RunRequest(run_key=f"{last_month}/{day}", partition_key=last_month)

    return audit_last_month
