"""Checks that look over all batches, not at one."""

import dagster as dg

from billing_assets.erp.batches import store
from billing_assets.erp.netsuite.assets import netsuite_invoices
from billing_assets.foundation.dagster_helpers.failing import explained
from billing_assets.foundation.dagster_helpers.presentation import table
from billing_assets.foundation.runtime import Runtime


@dg.asset_check(
    asset=netsuite_invoices,
    name="no_batch_left_behind",
    description="No batch has ended with documents that are rejected, unknown, different or not sent.",
)
@explained
def no_batch_left_behind(billing: dg.ResourceParam[Runtime]) -> dg.AssetCheckResult:
    """Lists the batches that need a person."""
    with billing.state() as connection:
        left = store.needing_attention(connection)
    return dg.AssetCheckResult(
        passed=not left,
        metadata={
            "batches": len(left),
            "left": table(left, ["partition_key", "total", "documents", "currency", "since"]),
        },
        description="Open the partition's last run, fix what it names, materialize it again." if left else None,
    )
