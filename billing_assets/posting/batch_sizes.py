"""How large the batches of a backlog are, and what each is called."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SizePolicy:
    """How a backlog is cut: no batch above `largest` items; fewer than `at_once_below` go at once as one batch;
    `side_by_side` runs share what is more."""

    largest: int
    at_once_below: int
    side_by_side: int


def sizes_by_group(backlog: Mapping[str, int], policy: SizePolicy) -> dict[str, list[int]]:
    """Sizes of the batches of each group, from how many items of it wait. Where there are more batches than run side
    by side, the first ones are staggered."""
    sizes = {
        group: batch_sizes(
            items,
            largest=policy.largest,
            at_once_below=policy.at_once_below,
            side_by_side=policy.side_by_side,
        )
        for group, items in backlog.items()
    }
    if sum(map(len, sizes.values())) > policy.side_by_side:
        first = next(iter(sizes))
        sizes[first] = staggered(sizes[first], policy.side_by_side)
    return sizes


def batch_sizes(backlog: int, *, largest: int, at_once_below: int, side_by_side: int) -> list[int]:
    """Sizes of the batches for a backlog of items, summing to it, none above `largest`.

    A backlog under `at_once_below` goes at once as one batch. A larger one is split evenly so that the runs side by
    side share it, but into no more batches than hold `at_once_below` items each, unless `largest` asks for more.
    """
    if backlog <= 0:
        return []
    needed = -(-backlog // largest)
    shared = min(side_by_side, backlog // at_once_below)
    return _evenly(backlog, max(needed, shared, 1))


def staggered(sizes: list[int], side_by_side: int) -> list[int]:
    """The same items, in batches of which the first ones, one for each run side by side, grow.

    Runs that begin together then end one after the other. While one ends and the next starts up, the others use its
    lanes; ending together, they would leave all lanes idle meanwhile, and begin together again.
    """
    together = min(side_by_side, len(sizes))
    growing = [max(1, size * place // together) for place, size in enumerate(sizes[:together], 1)]
    left = sum(sizes[:together]) - sum(growing)
    return growing + _evenly(left, -(-left // max(sizes, default=1))) + sizes[together:]


def _evenly(items: int, parts: int) -> list[int]:
    if parts == 0:
        return []
    size, rest = divmod(items, parts)
    return [size + 1] * rest + [size] * (parts - rest)


def partition_key(group: str, sequence: int) -> str:
    """The Dagster partition of a batch, e.g. `2010-11-0042` of the group `2010-11`."""
    return f"{group}-{sequence:04d}"
