"""What Dagster shows of corrections."""

import dagster as dg

from billing_assets.foundation.settings import Settings
from billing_assets.invoicing.corrections.assets import invoice_corrections


def build(settings: Settings) -> dg.Definitions:
    """The asset."""
    return dg.Definitions(assets=[invoice_corrections])
