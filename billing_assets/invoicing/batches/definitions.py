"""What Dagster shows of requests and batches."""

import dagster as dg

from billing_assets.foundation.settings import Settings
from billing_assets.invoicing.batches.assets import invoice_requests, validated_batches
from billing_assets.invoicing.batches.automation import plan_invoice_batches_sensor


def build(settings: Settings) -> dg.Definitions:
    """The assets, and the sensor that plans and reconciles."""
    return dg.Definitions(assets=[invoice_requests, validated_batches], sensors=[plan_invoice_batches_sensor(settings)])
