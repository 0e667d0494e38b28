"""When balances are read and aged: every night, and at the press of a button."""

import dagster as dg

from billing_assets.foundation.settings import Settings
from billing_assets.receivables.balances.settings import ReceivablesSettings

receivables_job = dg.define_asset_job(
    "age_receivables",
    selection=dg.AssetSelection.assets("open_receivables", "aging", "late_fees"),
    description="Read what customers owe, age it, and propose late fees. Safe at any time.",
)


def receivables_schedule(settings: Settings) -> dg.ScheduleDefinition:
    """The reading of every night."""
    return dg.ScheduleDefinition(
        name="age_receivables_daily",
        job=receivables_job,
        cron_schedule=settings.of(ReceivablesSettings).cron,
        execution_timezone=settings.calendar.time_zone,
        description="Reads what customers owe from NetSuite (or the billing system), ages it, and proposes late fees.",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
