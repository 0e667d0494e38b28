"""Balances in Dagster."""

import dagster as dg

from billing_assets.foundation.settings import Settings
from billing_assets.receivables.balances.assets import aging, late_fees, open_receivables_asset
from billing_assets.receivables.balances.automation import receivables_job, receivables_schedule


def build(settings: Settings) -> dg.Definitions:
    """What customers owe, how old it is, the late fees proposed, and the reading of every night."""
    return dg.Definitions(
        assets=[open_receivables_asset(settings), aging, late_fees],
        jobs=[receivables_job],
        schedules=[receivables_schedule(settings)],
    )
