"""When packs are delivered: soon after their month was closed for good."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from billing_assets.erp.pack_delivery.store import months_to_deliver
from billing_assets.erp.settings import CloseSettings
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import Settings

DELIVER_JOB = "deliver_close_pack"
_EVERY_SECONDS = 60
_PAUSE_SECONDS = 600.0
"""How long a pack rests after a run that could not deliver all of it."""
_RUNNING = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


def deliver_close_packs_sensor(settings: Settings) -> dg.SensorDefinition:
    """Asks for a run for every month closed for good whose pack can be delivered now."""

    @dg.sensor(
        name="deliver_close_packs",
        job_name=DELIVER_JOB,
        minimum_interval_seconds=_EVERY_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Every minute: asks for a run when a month was closed for good and its pack is not in the SFTP "
        "folder yet. What differs there waits for a person.",
    )
    def deliver_close_packs(
        context: dg.SensorEvaluationContext, billing: dg.ResourceParam[Runtime]
    ) -> dg.SensorResult | dg.SkipReason:
        # A run older than this may have died without Dagster knowing; two at once do no harm.
        lately = datetime.now(UTC) - timedelta(seconds=_PAUSE_SECONDS)
        running = dg.RunsFilter(job_name=DELIVER_JOB, statuses=_RUNNING, created_after=lately)
        busy = {run.tags.get(dg.PARTITION_NAME_TAG) for run in context.instance.get_runs(running)}
        with billing.state() as connection:
            months = months_to_deliver(connection, _PAUSE_SECONDS)
        wanted = [month for month in months if month >= settings.of(CloseSettings).first_month and month not in busy]
        if not wanted:
            return dg.SkipReason("Every pack is delivered, has a run, or waits for a person.")
        return dg.SensorResult(
            run_requests=[
                dg.RunRequest(partition_key=month, tags={"billing/asked_by": "deliver_close_packs"}) for month in wanted
            ]
        )

    return deliver_close_packs
