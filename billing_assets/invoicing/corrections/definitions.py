"""What Dagster shows of corrections."""

import dagster as dg

from billing_assets.foundation.settings import Settings
from billing_assets.invoicing.corrections.assets import invoice_corrections
from billing_assets.invoicing.corrections.automation import corrections_job, corrections_schedule


def build(settings: Settings) -> dg.Definitions:
    """The asset, and when it runs."""
    return dg.Definitions(
        assets=[invoice_corrections], jobs=[corrections_job], schedules=[corrections_schedule(settings)]
    )
