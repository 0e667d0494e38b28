"""The partitions of the money path. A key stays while a run of it may be in flight: that run would fail at its end."""

import dagster as dg

NAME = "netsuite_batches"
BY_BATCH = ("locked_batches", "netsuite_invoices")
"""The assets that are partitioned by batch."""

PARTITION = "dagster/partition"
RANGE_START = "dagster/asset_partition_range_start"
"""Where a run's partition stands: a backfill's run names a range instead, of one partition by our backfill policies."""

batches = dg.DynamicPartitionsDefinition(name=NAME)


def partition_of(run: dg.DagsterRun) -> str | None:
    """The batch or month that a run is about, by whomever it was started; None where it is about none."""
    return run.tags.get(PARTITION) or run.tags.get(RANGE_START)
