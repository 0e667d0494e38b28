"""The sensor that plans and reconciles: requests of this night, batches, and a run for every batch that has none."""

import dagster as dg

from billing_assets.foundation.dagster_helpers.dead_runs import end_dead_runs
from billing_assets.foundation.dagster_helpers.runs import ASKED_BY, partitions_at_work
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import Settings
from billing_assets.invoicing.batches import asking
from billing_assets.invoicing.batches.partitions import invoice_batches
from billing_assets.invoicing.printing import day_of

BILL_JOB = "bill_batch"
_NAME = "plan_invoice_batches"


def plan_invoice_batches_sensor(settings: Settings) -> dg.SensorDefinition:
    """Plans batches and asks for the runs that are missing; what a crash left undone, the next look does."""

    @dg.sensor(
        name=_NAME,
        job_name=BILL_JOB,
        minimum_interval_seconds=settings.batches.sensor_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Requests the customers of automated bill groups once a night while their window is open, turns "
        "requests into batches, and asks for a run for every batch that is to be validated or invoiced and has none.",
    )
    def plan_invoice_batches(
        context: dg.SensorEvaluationContext, billing: dg.ResourceParam[Runtime]
    ) -> dg.SensorResult | dg.SkipReason:
        night = day_of(None, billing.settings.calendar)
        with billing.state() as connection:
            dead = end_dead_runs(context.instance, connection, billing.settings.batches.lease_seconds)
            at_work = partitions_at_work(context.instance, dead)
            windows = asking.request_tonight(connection, night)
            asking.plan_pending(connection)
            wanted = asking.runs_wanted(
                connection, at_work, windows, night, pause_seconds=billing.settings.batches.retry_seconds
            )
        if not wanted:
            return dg.SkipReason("Every batch is done, has a run, or waits for a person.")
        keys = [str(one.batch) for one in wanted]
        return dg.SensorResult(
            run_requests=[
                dg.RunRequest(run_key=one.run_key, partition_key=str(one.batch), tags={ASKED_BY: _NAME})
                for one in wanted
            ],
            dynamic_partitions_requests=[invoice_batches.build_add_request(keys)],
        )

    return plan_invoice_batches
