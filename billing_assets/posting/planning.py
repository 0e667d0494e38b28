"""The planner: what waits becomes batches, in one transaction, and runs are asked for what has none."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import structlog

from billing_assets.foundation.database.connection import Connection, settle_order
from billing_assets.posting import backlog as store
from billing_assets.posting.batch_sizes import SizePolicy, partition_key, sizes_by_group
from billing_assets.posting.ledger import Backlog, Ledger

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class RunWanted:
    """A run to ask for. `run_key` is new for every request, so that no request is taken for an earlier one.

    `begun`: an earlier run had the batch already and did not bring it to its end.
    """

    partition_key: str
    run_key: str
    begun: bool


def plan(connection: Connection, backlog: Backlog, policy: SizePolicy) -> list[str]:
    """Makes batches of everything that waits. Returns their partition keys; all or none are made."""
    made = []
    with connection.transaction():
        settle_order(connection)  # an item that its owner is just changing is planned as it will be
        store.serialise_planning(connection, backlog.ledger)
        for group, sizes in sizes_by_group(store.waiting(connection, backlog), policy).items():
            sequence = store.next_sequence(connection, backlog, group)
            for size in sizes:
                key = partition_key(group, sequence)
                if store.add_batch(connection, backlog, key, group, sequence, size):
                    made.append(key)
                    sequence += 1
    if made:
        log.info("planned", batches=len(made), first=made[0], last=made[-1])
    return made


def runs_wanted(
    connection: Connection, ledger: Ledger, about_to_lock: Mapping[str, Collection[str]], *, pause_seconds: float = 0.0
) -> list[RunWanted]:
    """A request for every batch with something to do that no live run holds or is about to hold.

    `about_to_lock`: ids of the runs that will lock a batch soon, by its partition key. One that had the batch already
    and let its lease end is dead, whatever is said of it.

    A crash between planning and asking loses nothing: the next look finds the batch again. One whose run left items
    unsent rests for `pause_seconds` first.
    """
    wanted = []
    for batch in store.wanting_a_run(connection, ledger, pause_seconds):
        if not set(about_to_lock.get(batch.partition_key, ())) - {batch.run_id}:
            request = store.note_request(connection, ledger, batch.partition_key)
            key = f"{batch.partition_key}/{batch.epoch}/{request}"
            wanted.append(RunWanted(batch.partition_key, key, begun=batch.epoch > 0))
    return wanted
