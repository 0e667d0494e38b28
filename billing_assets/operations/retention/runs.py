"""Dagster's own history, which Dagster never prunes: old runs go, and the partitions of batches posted long ago.

All by Dagster's API. What a person still wants to see stays: the last run of every asset and of every month's close,
the run that posted a batch for as long as the batch is a partition, and everything about a batch that is not posted.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg
import structlog
from dagster._core.execution.backfill import BulkActionStatus

from billing_assets.erp.batches.partitions import BY_BATCH, NAME
from billing_assets.foundation.dagster_helpers.runs import PARTITION, RANGE_START, partition_of
from billing_assets.foundation.database.connection import Connection
from billing_assets.operations.retention import store
from billing_assets.operations.retention.settings import RetentionSettings

log = structlog.get_logger(__name__)

_OVER = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
_ALIVE = [status for status in dg.DagsterRunStatus if status not in _OVER]
_PAGE = 500


@dataclass(frozen=True)
class Pruned:
    """What went: runs, and batches that are no partitions any more. `whole`: there was time for all of it."""

    runs: int
    partitions: int
    whole: bool


def prune(
    instance: dg.DagsterInstance, connection: Connection, settings: RetentionSettings, longest_seconds: float = 900.0
) -> Pruned:
    """Deletes what is older than the settings say, for so long at most; the next time goes on where this one ended."""
    until = time.monotonic() + longest_seconds
    runs = partitions = 0
    for key in _old_partitions(instance, connection, settings.batches_days):
        if time.monotonic() > until:
            break
        gone = drop_partition(instance, key)
        runs, partitions = runs + gone, partitions + 1
    for run_id in _old_runs(instance, connection, settings.runs_days):
        if time.monotonic() > until:
            break
        _delete(instance, run_id)
        runs += 1
    pruned = Pruned(runs, partitions, time.monotonic() <= until)
    log.info("pruned", runs=pruned.runs, partitions=pruned.partitions, whole=pruned.whole)
    return pruned


def _old_partitions(instance: dg.DagsterInstance, connection: Connection, days: float) -> Sequence[str]:
    """The batches that were posted longer ago than that and about which nothing is under way."""
    settled = store.settled_batches(connection, instance.get_dynamic_partitions(NAME), days)
    if not settled or instance.get_backfills(status=BulkActionStatus.REQUESTED, limit=1):
        return []
    under_way = {partition_of(run) for run in instance.get_runs(dg.RunsFilter(statuses=_ALIVE))}
    return [key for key in settled if key not in under_way]


def drop_partition(instance: dg.DagsterInstance, key: str) -> int:
    """Deletes a batch's runs and then its partition; returns how many runs that were."""
    runs = _runs_of(instance, key, _OVER)
    for run in runs:
        _delete(instance, run.run_id)
    instance.delete_dynamic_partition(NAME, key)
    # Somebody may have asked for a run just now: without its partition it would fail at its end.
    if _runs_of(instance, key, _ALIVE):
        instance.add_dynamic_partitions(NAME, [key])
    return len(runs)


def _runs_of(
    instance: dg.DagsterInstance, key: str, statuses: Sequence[dg.DagsterRunStatus]
) -> Sequence[dg.DagsterRun]:
    """A batch's runs, those of backfills too."""
    return [
        run
        for tag in (PARTITION, RANGE_START)
        for run in instance.get_runs(dg.RunsFilter(tags={tag: key}, statuses=statuses))
    ]


def _old_runs(instance: dg.DagsterInstance, connection: Connection, days: float) -> Iterator[str]:
    """Runs that ended longer ago than that, oldest first, but for those that a person may still want to see."""
    kept = _last_runs(instance)
    over = dg.RunsFilter(statuses=_OVER, updated_before=datetime.now(UTC) - timedelta(days=days))
    page = instance.get_runs(over, limit=_PAGE, ascending=True)
    while page:
        # Before the caller deletes what this page ends with: it is where the next one begins.
        following = instance.get_runs(over, cursor=page[-1].run_id, limit=_PAGE, ascending=True)
        by_batch = store.batch_runs(connection, [key for run in page if (key := partition_of(run))])
        yield from (run.run_id for run in page if run.run_id not in kept and _is_history(run, by_batch))
        page = following


def _is_history(run: dg.DagsterRun, by_batch: Mapping[str, store.BatchRun]) -> bool:
    """Of a batch, all runs are needed until it is posted, and then the one that posted it."""
    batch = by_batch.get(partition_of(run) or "")
    return batch is None or (batch.posted and batch.run_id != run.run_id)


def _last_runs(instance: dg.DagsterInstance) -> set[str]:
    """The last run that materialized each asset, or each partition of it where those are not batches."""
    last = set()
    for asset in instance.get_asset_keys():
        if (event := instance.get_latest_materialization_event(asset)) is not None:
            last.add(event.run_id)
        if asset.to_user_string() in BY_BATCH:
            continue
        newest = instance.get_latest_storage_id_by_partition(asset, dg.DagsterEventType.ASSET_MATERIALIZATION)
        if newest:
            wanted = dg.AssetRecordsFilter(asset_key=asset, storage_ids=list(newest.values()))
            last |= {record.run_id for record in instance.fetch_materializations(wanted, limit=len(newest)).records}
    return last


def _delete(instance: dg.DagsterInstance, run_id: str) -> None:
    """Deletes a run with its events, these first: what a kill leaves is still found by the next look."""
    instance.event_log_storage.delete_events(run_id)
    instance.delete_run(run_id)
