"""The button that shows what a batch would send: an op of its own that cannot post, whatever its run config says."""

from platform import node

import dagster as dg

from billing_assets.batches.partitions import batches
from billing_assets.netsuite.dry_run import write_requests
from billing_assets.runtime import Runtime


@dg.op(description="Writes the requests of the batch to a file on this machine and sends nothing.")
def write_batch_requests(context: dg.OpExecutionContext, billing: dg.ResourceParam[Runtime]) -> None:
    """Writes one line per document that is not in NetSuite yet."""
    key = context.partition_key
    with billing.state() as connection:
        path, count = write_requests(connection, billing.mapping, key, billing.settings.home / "dry_run")
    context.log.info(f"Dry run: {count} requests of batch {key} are in {path} on {node()}; nothing was sent.")


@dg.job(partitions_def=batches, description="Write the requests that a batch would send to a file, and send nothing.")
def preview_batch() -> None:
    """One step: write the requests."""
    write_batch_requests()
