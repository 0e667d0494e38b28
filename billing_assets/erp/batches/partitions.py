"""The partitions of the money path. A key stays while a run of it may be in flight: that run would fail at its end."""

import dagster as dg

NAME = "netsuite_batches"
BY_BATCH = ("locked_batches", "netsuite_invoices")
"""The assets that are partitioned by batch."""

batches = dg.DynamicPartitionsDefinition(name=NAME)
