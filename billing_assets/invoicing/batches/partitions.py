"""The partitions of what is done batch by batch: the key is the batch's number. A key stays for good."""

import dagster as dg

from billing_assets.invoicing.batches.store import BatchStateError

NAME = "invoice_batches"

invoice_batches = dg.DynamicPartitionsDefinition(name=NAME)


def batch_of(partition_key: str) -> int:
    """The batch of a partition. Raises BatchStateError where the key is none of ours."""
    if not partition_key.isdecimal():
        raise BatchStateError(f"{partition_key} is no number of a batch. `billing invoicing status --all` lists them.")
    return int(partition_key)
