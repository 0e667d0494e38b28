"""What Dagster shows of requests and batches."""

import dagster as dg

from billing_assets.foundation.settings import Settings
from billing_assets.invoicing.batches.assets import invoice_requests, validated_batches


def build(settings: Settings) -> dg.Definitions:
    """The assets."""
    return dg.Definitions(assets=[invoice_requests, validated_batches])
