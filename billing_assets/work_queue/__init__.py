"""Work without an outside system, item by item, by many workers side by side: claim, lease, epoch, retry, park."""
