"""When files are taken in: soon after they are complete in an input folder."""

import dagster as dg

from billing_assets.foundation.dagster_helpers.dead_runs import end_dead_runs
from billing_assets.foundation.files.errors import FolderError
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import Settings
from billing_assets.metering.import_engine import reports, taking
from billing_assets.metering.import_engine.settings import MeteringSettings
from billing_assets.metering.importing import sources_of

IMPORT_JOB = "import_market_files"
_UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


def watch_input_folders_sensor(settings: Settings) -> dg.SensorDefinition:
    """Asks for a run when a file is complete, or one that is stored waits to be read."""

    @dg.sensor(
        name="watch_input_folders",
        job_name=IMPORT_JOB,
        minimum_interval_seconds=settings.of(MeteringSettings).look_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Looks into the input folders, and asks for a run when a file is complete: its size and time did "
        "not change between two looks, or its sender renames what is complete. Ends runs whose machine died.",
    )
    def watch_input_folders(
        context: dg.SensorEvaluationContext, billing: dg.ResourceParam[Runtime]
    ) -> dg.SensorResult | dg.SkipReason:
        complete, growing, faults = 0, 0, []
        with billing.state() as connection:
            for source in sources_of(billing.settings.of(MeteringSettings)):
                try:
                    found = taking.look(connection, source)
                except FolderError as error:
                    faults.append(str(error))
                    continue
                complete, growing = complete + found.complete, growing + found.waiting
            complete += reports.waiting_files(connection)
            end_dead_runs(context.instance, connection, billing.settings.batches.lease_seconds)
        if not complete and not faults:
            return dg.SkipReason(f"No file is complete; {growing} may still be growing.")
        if context.instance.get_runs(dg.RunsFilter(job_name=IMPORT_JOB, statuses=_UNFINISHED), limit=1):
            return dg.SkipReason("A run takes files in already.")
        if not complete:  # a run would only fail once more; the next one that has work says it
            return dg.SkipReason(" ".join(faults))
        return dg.SensorResult(run_requests=[dg.RunRequest(tags={"billing/asked_by": "watch_input_folders"})])

    return watch_input_folders
