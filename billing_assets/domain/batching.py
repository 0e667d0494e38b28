"""How a backlog becomes batches."""


def batch_sizes(backlog: int, *, largest: int, at_once_below: int, side_by_side: int) -> list[int]:
    """Sizes of the batches for a backlog of documents, summing to it, none above `largest`.

    A backlog under `at_once_below` goes at once as one batch. A larger one is split evenly so that the runs side by
    side share it, but into no more batches than hold `at_once_below` documents each, unless `largest` asks for more.
    """
    if backlog <= 0:
        return []
    needed = -(-backlog // largest)
    shared = min(side_by_side, backlog // at_once_below)
    parts = max(needed, shared, 1)
    size, rest = divmod(backlog, parts)
    return [size + 1] * rest + [size] * (parts - rest)


def partition_key(period: str, sequence: int) -> str:
    """The Dagster partition of a batch, e.g. `2010-11-0042`."""
    return f"{period}-{sequence:04d}"
