"""Batches of documents, locked by one run at a time."""

from collections.abc import Iterator
from typing import TypedDict

import dagster as dg

from billing_assets.erp.batches import store
from billing_assets.erp.batches.ledger import DOCUMENTS, lease_policy
from billing_assets.erp.batches.partitions import batches
from billing_assets.erp.batches.resource import TakenLocks
from billing_assets.erp.settings import absence_counts_after_seconds
from billing_assets.erp.staging.assets import staged_invoices
from billing_assets.foundation.dagster_helpers.failing import explained
from billing_assets.foundation.dagster_helpers.presentation import money
from billing_assets.foundation.dagster_helpers.runs import asked_by
from billing_assets.foundation.runtime import Runtime
from billing_assets.posting import batch_lock
from billing_assets.posting.batch_lease import Patience, take
from billing_assets.posting.batch_lock import Lock, LockHeldError


class TakeOptions(TypedDict):
    """How a run takes its batch."""

    retry_rejected: bool
    patience: Patience


def take_options(context: dg.AssetExecutionContext) -> TakeOptions:
    """A person's run takes up what was rejected, and waits for its turn. One that a sensor asked for is not needed
    while another lives that has the batch; it keeps its place among the parallel runs no longer than it must."""
    if asked_by(context.run):
        return {"retry_rejected": False, "patience": Patience.UNTIL_RENEWED}
    return {"retry_rejected": True, "patience": Patience.ENDLESS}


WHOLE = dg.AssetCheckSpec(
    "batch_is_whole",
    asset="locked_batches",
    blocking=True,
    description="Every locked document is closed, complete and without an error finding; nothing else may be posted.",
)


@dg.asset(
    partitions_def=batches,
    deps=[staged_invoices],
    group_name="batches",
    kinds={"postgres"},
    owners=["team:billing"],
    pool="netsuite_batches",
    check_specs=[WHOLE],
    backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=1),
    description="Up to 1,000 documents of one billing month that one run holds while it posts them. Planned from what "
    "is ready, by the sensor `plan_batches`; the partition is the batch.",
)
@explained
def locked_batches(
    context: dg.AssetExecutionContext, billing: dg.ResourceParam[Runtime]
) -> Iterator[dg.MaterializeResult]:
    """Locks the batch for this run. The posting in the same run goes on under the same lock."""
    key, run_id = context.partition_key, context.run.run_id
    with billing.state() as connection:
        try:
            lock: Lock | None = take(
                connection, DOCUMENTS, key, run_id, lease_policy(billing.settings), **take_options(context)
            )
        except LockHeldError as held:
            context.log.info(f"{held} It is at work: this run is not needed.")
            lock = None
        summary = store.locked_summary(connection, key)
        if lock and summary.unfit:
            batch_lock.release(connection, lock, absence_counts_after_seconds(billing.settings))
        elif lock:
            billing.of(TakenLocks).note(lock)
    if lock:
        context.log.info(f"Locked {summary.documents} documents of batch {key} (epoch {lock.epoch}).")
    yield dg.MaterializeResult(
        metadata={
            "dagster/row_count": summary.documents,
            **({"epoch": lock.epoch} if lock else {}),
            **{name: value for total in summary.totals for name, value in money(f"total_{total[0]}", total[1]).items()},
        },
        check_results=[
            dg.AssetCheckResult(
                check_name=WHOLE.name, passed=not summary.unfit, metadata={"documents_unfit": summary.unfit}
            )
        ],
    )
