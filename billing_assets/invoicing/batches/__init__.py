"""From a request to bill to batches whose members are validated."""
