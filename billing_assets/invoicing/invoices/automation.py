"""The job that bills a batch, and the one by which a person issues it."""

import dagster as dg

from billing_assets.invoicing.batches.assets import validated_batches
from billing_assets.invoicing.batches.automation import BILL_JOB
from billing_assets.invoicing.invoices.assets import drafted_invoices, issued_invoices

bill_job = dg.define_asset_job(
    BILL_JOB,
    selection=dg.AssetSelection.assets(validated_batches, drafted_invoices),
    description="Validate a batch and draft its invoices. It stops where a person is needed. Again for a red "
    "partition: only what is left is taken up.",
)
issue_job = dg.define_asset_job(
    "issue_batch",
    selection=dg.AssetSelection.assets(issued_invoices),
    description="Issue the drafts of a batch that passed the checks before release: they get their numbers, and the "
    "ledger sees them. Give the invoice date in the config, or leave it empty for today.",
)
