"""When what the utility sent after a bill is answered: every night, after usage is settled."""

import dagster as dg

from billing_assets.foundation.settings import Settings
from billing_assets.invoicing.corrections.assets import invoice_corrections

corrections_job = dg.define_asset_job(
    "correct_invoices",
    selection=dg.AssetSelection.assets(invoice_corrections),
    description="Answer what the utility cancelled or replaced after it was billed. Safe at any time.",
)


def corrections_schedule(settings: Settings) -> dg.ScheduleDefinition:
    """The corrections of every night."""
    return dg.ScheduleDefinition(
        name="correct_invoices_daily",
        job=corrections_job,
        cron_schedule="30 5 * * *",
        execution_timezone=settings.calendar.time_zone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Every night: answers what the utility cancelled or replaced after it was billed.",
    )
