"""Reminders in Dagster."""

import dagster as dg

from billing_assets.foundation.settings import Settings
from billing_assets.receivables.reminders.assets import payment_reminders
from billing_assets.receivables.reminders.automation import send_due_reminders_job, send_reminders_in_office_hours


def build(_: Settings) -> dg.Definitions:
    """The reminders that are sent, and when an office is open for them."""
    return dg.Definitions(
        assets=[payment_reminders], jobs=[send_due_reminders_job], sensors=[send_reminders_in_office_hours]
    )
