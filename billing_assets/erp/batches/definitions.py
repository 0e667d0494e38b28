"""Batches in Dagster."""

import dagster as dg

from billing_assets.erp.batches.assets import locked_batches
from billing_assets.erp.batches.automation import (
    plan_batches_sensor,
    requeue_rejected_invoices,
    unlock_schedule,
    unlock_stale_batches,
)
from billing_assets.foundation.settings import Settings


def build(settings: Settings) -> dg.Definitions:
    """The locked batches, their planner, and the buttons that give documents back to it."""
    return dg.Definitions(
        assets=[locked_batches],
        jobs=[requeue_rejected_invoices, unlock_stale_batches],
        sensors=[plan_batches_sensor(settings)],
        schedules=[unlock_schedule],
    )
