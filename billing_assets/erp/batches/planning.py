"""The planner: ready documents become batches, in one transaction, and runs are asked for what has none."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import structlog

from billing_assets.erp.batches import store
from billing_assets.erp.documents.batching import batch_sizes, partition_key, staggered
from billing_assets.foundation.database.connection import Connection, settle_order
from billing_assets.foundation.sections import BatchSettings

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class RunWanted:
    """A run to ask for. `run_key` is new for every request, so that no request is taken for an earlier one.

    `begun`: an earlier run had the batch already and did not bring it to its end.
    """

    partition_key: str
    run_key: str
    begun: bool


def plan(connection: Connection, settings: BatchSettings) -> list[str]:
    """Makes batches of everything that waits. Returns their partition keys; all or none are made."""
    made = []
    with connection.transaction():
        settle_order(connection)  # a document that staging is just changing is planned as it will be
        store.serialise_planning(connection)
        for period, sizes in _sizes(store.backlog(connection), settings).items():
            sequence = store.next_sequence(connection, period)
            for size in sizes:
                key = partition_key(period, sequence)
                if store.add_batch(connection, key, period, sequence, size):
                    made.append(key)
                    sequence += 1
    if made:
        log.info("planned", batches=len(made), first=made[0], last=made[-1])
    return made


def _sizes(backlog: Mapping[str, int], settings: BatchSettings) -> dict[str, list[int]]:
    """Sizes of the batches by month. Where there are more than run side by side, the first ones are staggered."""
    sizes = {
        period: batch_sizes(
            documents,
            largest=settings.max_documents,
            at_once_below=settings.at_once_below,
            side_by_side=settings.parallel_runs,
        )
        for period, documents in backlog.items()
    }
    if sum(map(len, sizes.values())) > settings.parallel_runs:
        first = next(iter(sizes))
        sizes[first] = staggered(sizes[first], settings.parallel_runs)
    return sizes


def runs_wanted(
    connection: Connection, about_to_lock: Mapping[str, Collection[str]], *, pause_seconds: float = 0.0
) -> list[RunWanted]:
    """A request for every batch with something to do that no live run holds or is about to hold.

    `about_to_lock`: ids of the runs that will lock a batch soon, by its partition key. One that had the batch already
    and let its lease end is dead, whatever is said of it.

    A crash between planning and asking loses nothing: the next look finds the batch again. One whose run left documents
    unsent rests for `pause_seconds` first.
    """
    wanted = []
    for batch in store.wanting_a_run(connection, pause_seconds):
        if not set(about_to_lock.get(batch.partition_key, ())) - {batch.run_id}:
            request = store.note_request(connection, batch.partition_key)
            key = f"{batch.partition_key}/{batch.epoch}/{request}"
            wanted.append(RunWanted(batch.partition_key, key, begun=batch.epoch > 0))
    return wanted
