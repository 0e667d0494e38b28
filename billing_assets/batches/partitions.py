"""The partitions of the money path. A key is never deleted: a run in flight would fail at its end."""

import dagster as dg

batches = dg.DynamicPartitionsDefinition(name="batches")
