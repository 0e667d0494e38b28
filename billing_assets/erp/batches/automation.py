"""The planner's sensor, which is a reconciler; the schedule that unlocks what got stuck, and the buttons beside it."""

import dagster as dg
from pydantic import Field

from billing_assets.erp.batches.partitions import batches
from billing_assets.erp.batches.planning import plan, runs_wanted
from billing_assets.erp.batches.unlocking import requeue_and_explain, unlock_stale
from billing_assets.erp.settings import absence_counts_after_seconds
from billing_assets.foundation.dagster_helpers.dead_runs import end_dead_runs
from billing_assets.foundation.dagster_helpers.failing import explained, failure
from billing_assets.foundation.dagster_helpers.presentation import table
from billing_assets.foundation.dagster_helpers.runs import ASKED_BY, partitions_at_work
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import Settings

POST_JOB = "post_batch"

_TOLD = 3
"""Documents that a failed run's message names; its table names all."""
_LOCKS_WITHIN_SECONDS = 60.0
"""A run that started longer ago has its batch by a live lease, waits for another that has, or is dead."""


def plan_batches_sensor(settings: Settings) -> dg.SensorDefinition:
    """Plans batches and asks for the runs that are missing; what a crash left undone, the next look does."""

    @dg.sensor(
        name="plan_batches",
        job_name=POST_JOB,
        minimum_interval_seconds=settings.batches.sensor_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Turns ready documents into batches and asks for a run for every batch that has none; ends runs "
        "whose machine died.",
    )
    def plan_batches(
        context: dg.SensorEvaluationContext, billing: dg.ResourceParam[Runtime]
    ) -> dg.SensorResult | dg.SkipReason:
        with billing.state() as connection:
            billing.compare(connection)
            dead = end_dead_runs(context.instance, connection, billing.settings.batches.lease_seconds)
            busy = partitions_at_work(context.instance, dead, _LOCKS_WITHIN_SECONDS)
            plan(connection, billing.settings.batches)
            wanted = runs_wanted(connection, busy, pause_seconds=billing.settings.batches.retry_seconds)
        if not wanted:
            return dg.SkipReason("Every batch is posted, has a run, or waits for a person.")
        return dg.SensorResult(
            run_requests=[
                dg.RunRequest(
                    run_key=one.run_key,
                    partition_key=one.partition_key,
                    # What was begun comes first: else it would wait behind every other batch of a large backlog.
                    tags={ASKED_BY: "plan_batches"} | ({"dagster/priority": "1"} if one.begun else {}),
                )
                for one in wanted
            ],
            dynamic_partitions_requests=[batches.build_add_request([one.partition_key for one in wanted])],
        )

    return plan_batches


@dg.op(description="Gives the documents of stale locks back to the backlog.")
@explained
def unlock_stale_locks(context: dg.OpExecutionContext, billing: dg.ResourceParam[Runtime]) -> None:
    """Unlocks every batch whose lease ended longer ago than the stale-lock setting."""
    settings = billing.settings
    with billing.state() as connection:
        unlocked = unlock_stale(connection, settings.batches.stale_lock_minutes, absence_counts_after_seconds(settings))
    for key, documents in unlocked.items():
        context.log.warning(f"Unlocked batch {key}: {documents} documents went back to the backlog.")


@dg.job(description="Unlock stale locks: the button of the schedule with the same name.")
def unlock_stale_batches() -> None:
    """One step: unlock what got stuck."""
    unlock_stale_locks()


class RequeueConfig(dg.Config):
    """Which documents are sent to the backlog again."""

    numbers: list[str] = Field(
        default=[], description="Numbers of rejected documents, e.g. ['536365']. Without any: every rejected one."
    )


@dg.op(description="Sends rejected documents to the backlog again, after their cause was fixed.")
@explained
def requeue_rejected(context: dg.OpExecutionContext, config: RequeueConfig, billing: dg.ResourceParam[Runtime]) -> None:
    """Requeues the named documents, or every rejected one. Fails, naming them, while any stays as it is."""
    with billing.state() as connection:
        done = requeue_and_explain(connection, config.numbers, absence_counts_after_seconds(billing.settings))
    refused = table(({"number": number, "why": why} for number, why in done.refused.items()), ["number", "why"])
    metadata: dict[str, dg.MetadataValue | int] = {"documents_requeued": done.documents, "not_requeued": refused}
    if done.refused:
        told = " ".join(f"{number} {why}" for number, why in list(done.refused.items())[:_TOLD])
        more = f" And {len(done.refused) - _TOLD} more." if len(done.refused) > _TOLD else ""
        raise failure(
            f"{done.documents} documents wait for a batch again. {told}{more}",
            billing.settings.alerts,
            to_do="The table `not_requeued` says why a document stays as it is: only rejected ones can be sent again. "
            "`preview_document` shows the state of one.",
            chapter="rejected-and-held-documents",
            metadata=metadata,
        )
    context.add_output_metadata(metadata)
    context.log.info(f"{done.documents} documents wait for a batch again.")


@dg.job(
    description="Send rejected documents to the backlog again, after their cause was fixed: those whose numbers the "
    "config gives, or all."
)
def requeue_rejected_invoices() -> None:
    """One step: requeue."""
    requeue_rejected()


unlock_schedule = dg.ScheduleDefinition(
    name="unlock_stale_locks",
    job=unlock_stale_batches,
    cron_schedule="*/10 * * * *",
    execution_timezone="UTC",
    description="Gives the documents of runs that died back to the backlog, once their locks are stale.",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
