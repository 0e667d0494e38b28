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
    return _evenly(backlog, max(needed, shared, 1))


def staggered(sizes: list[int], side_by_side: int) -> list[int]:
    """The same documents, in batches of which the first ones, one for each run side by side, grow.

    Runs that begin together then end one after the other. While one ends and the next starts up, the others use its
    lanes; ending together, they would leave all lanes idle meanwhile, and begin together again.
    """
    together = min(side_by_side, len(sizes))
    growing = [max(1, size * place // together) for place, size in enumerate(sizes[:together], 1)]
    left = sum(sizes[:together]) - sum(growing)
    return growing + _evenly(left, -(-left // max(sizes, default=1))) + sizes[together:]


def _evenly(documents: int, parts: int) -> list[int]:
    if parts == 0:
        return []
    size, rest = divmod(documents, parts)
    return [size + 1] * rest + [size] * (parts - rest)


def partition_key(period: str, sequence: int) -> str:
    """The Dagster partition of a batch, e.g. `2010-11-0042`."""
    return f"{period}-{sequence:04d}"
