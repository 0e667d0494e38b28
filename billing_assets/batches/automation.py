"""The planner's sensor, which is a reconciler, and the schedule that unlocks what got stuck."""

import time

import dagster as dg

from billing_assets.batches.assets import ASKED_BY
from billing_assets.batches.partitions import batches, partition_of
from billing_assets.batches.planning import plan, runs_wanted
from billing_assets.batches.unlocking import unlock_stale
from billing_assets.runtime import Runtime
from billing_assets.settings import Settings

POST_JOB = "post_batch"

_ALIVE = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


_LOCKS_WITHIN_SECONDS = 60.0
"""A run that started longer ago has its batch by a live lease, waits for another that has, or is dead."""


def _about_to_lock(record: dg.RunRecord) -> str | None:
    """The partition of a run that will lock it soon. Whether a run still lives, Dagster cannot say after a power cut:
    it shows it as started for hours. The lease can."""
    run = record.dagster_run
    started = run.status == dg.DagsterRunStatus.STARTED and record.start_time
    if started and not 0 <= time.time() - started <= _LOCKS_WITHIN_SECONDS:  # below 0: the clock was set back
        return None
    return partition_of(run)


def plan_batches_sensor(settings: Settings) -> dg.SensorDefinition:
    """Plans batches and asks for the runs that are missing; what a crash left undone, the next look does."""

    @dg.sensor(
        name="plan_batches",
        job_name=POST_JOB,
        minimum_interval_seconds=settings.batches.sensor_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Turns ready documents into batches and asks for a run for every batch that has none.",
    )
    def plan_batches(
        context: dg.SensorEvaluationContext, billing: dg.ResourceParam[Runtime]
    ) -> dg.SensorResult | dg.SkipReason:
        alive = context.instance.get_run_records(dg.RunsFilter(statuses=_ALIVE))
        busy: dict[str, list[str]] = {}
        for record in alive:
            if partition := _about_to_lock(record):
                busy.setdefault(partition, []).append(record.dagster_run.run_id)
        with billing.state() as connection:
            plan(connection, billing.settings.batches)
            wanted = runs_wanted(connection, busy, pause_seconds=billing.settings.batches.retry_seconds)
        if not wanted:
            return dg.SkipReason("Every batch is posted, has a run, or waits for a person.")
        return dg.SensorResult(
            run_requests=[
                dg.RunRequest(run_key=one.run_key, partition_key=one.partition_key, tags={ASKED_BY: "plan_batches"})
                for one in wanted
            ],
            dynamic_partitions_requests=[batches.build_add_request([one.partition_key for one in wanted])],
        )

    return plan_batches


@dg.op(description="Gives the documents of stale locks back to the backlog.")
def unlock_stale_locks(context: dg.OpExecutionContext, billing: dg.ResourceParam[Runtime]) -> None:
    """Unlocks every batch whose lease ended longer ago than the stale-lock setting."""
    settings = billing.settings
    with billing.state() as connection:
        unlocked = unlock_stale(connection, settings.batches.stale_lock_minutes, settings.absence_counts_after_seconds)
    for key, documents in unlocked.items():
        context.log.warning(f"Unlocked batch {key}: {documents} documents went back to the backlog.")


@dg.job(description="Unlock stale locks: the button of the schedule with the same name.")
def unlock() -> None:
    """One step: unlock what got stuck."""
    unlock_stale_locks()


unlock_schedule = dg.ScheduleDefinition(
    name="unlock_stale_locks",
    job=unlock,
    cron_schedule="*/10 * * * *",
    execution_timezone="UTC",
    description="Gives the documents of runs that died back to the backlog, once their locks are stale.",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
