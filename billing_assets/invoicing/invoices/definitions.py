"""What Dagster shows of invoices."""

import dagster as dg

from billing_assets.foundation.settings import Settings
from billing_assets.invoicing.invoices.assets import drafted_invoices, issued_invoices
from billing_assets.invoicing.invoices.automation import bill_job, issue_job


def build(settings: Settings) -> dg.Definitions:
    """The assets, and the jobs of a batch."""
    return dg.Definitions(assets=[drafted_invoices, issued_invoices], jobs=[bill_job, issue_job])
