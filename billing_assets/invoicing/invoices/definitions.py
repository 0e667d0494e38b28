"""What Dagster shows of invoices."""

import dagster as dg

from billing_assets.foundation.settings import Settings
from billing_assets.invoicing.invoices.assets import drafted_invoices


def build(settings: Settings) -> dg.Definitions:
    """The asset."""
    return dg.Definitions(assets=[drafted_invoices])
