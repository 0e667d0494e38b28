"""What is known of a run by its tags: who asked for it, and which partition it is about."""

import time
from collections.abc import Collection

import dagster as dg

ASKED_BY = "billing/asked_by"
"""Tag of runs that a sensor or schedule asked for; read it by `asked_by`."""
PARTITION = "dagster/partition"
RANGE_START = "dagster/asset_partition_range_start"
"""Where a run's partition stands: a backfill's run names a range instead, of one partition by our backfill policies."""

_PARENT, _RETRY = "dagster/parent_run_id", "dagster/retry_number"
_ALIVE = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def asked_by(run: dg.DagsterRun) -> str | None:
    """Which sensor or schedule asked for a run. None: a person started it, who fixed something. *Re-execute* in the web
    UI is a person, too, though it copies the tags of the run before; Dagster's own retries number themselves.
    """
    again = _PARENT in run.tags and _RETRY not in run.tags
    return None if again else run.tags.get(ASKED_BY)


def partition_of(run: dg.DagsterRun) -> str | None:
    """The batch or month that a run is about, by whomever it was started; None where it is about none."""
    return run.tags.get(PARTITION) or run.tags.get(RANGE_START)


def partitions_at_work(
    instance: dg.DagsterInstance, dead: Collection[str], within_seconds: float | None = None
) -> dict[str, list[str]]:
    """Partitions that a run is waiting for or working on, each with the ids of the runs. Without those that are dead.

    `within_seconds`: a run that started longer ago is not counted. Whether a run still lives, Dagster cannot say after
    a power cut: it shows it as started for hours. A lease can.
    """
    busy: dict[str, list[str]] = {}
    for record in instance.get_run_records(dg.RunsFilter(statuses=_ALIVE)):
        run = record.dagster_run
        started = run.status == dg.DagsterRunStatus.STARTED and record.start_time
        is_long_ago = bool(
            within_seconds is not None
            and started
            and not 0 <= time.time() - started <= within_seconds  # below 0: the clock was set back
        )
        if run.run_id not in dead and not is_long_ago and (partition := partition_of(run)):
            busy.setdefault(partition, []).append(run.run_id)
    return busy
