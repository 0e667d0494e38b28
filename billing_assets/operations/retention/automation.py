"""The schedule that keeps the database small, and its button."""

import dagster as dg

from billing_assets.foundation.dagster_helpers.failing import explained
from billing_assets.foundation.runtime import Runtime
from billing_assets.operations.retention.archive import archive_documents
from billing_assets.operations.retention.runs import prune
from billing_assets.operations.retention.settings import RetentionSettings


@dg.op(description="Archives the log of documents posted long ago, and deletes old runs and partitions from Dagster.")
@explained
def archive_and_prune(context: dg.OpExecutionContext, billing: dg.ResourceParam[Runtime]) -> None:
    """Moves and deletes what is older than the settings say."""
    settings = billing.settings.of(RetentionSettings)
    with billing.state() as connection:
        documents = archive_documents(connection, settings)
        pruned = prune(context.instance, connection, settings)
    context.log.info(
        f"The log of {documents:,} documents went to the archive. {pruned.runs:,} runs and {pruned.partitions:,} "
        f"batches left the web UI{'' if pruned.whole else '; there is more, the next run goes on'}."
    )


@dg.job(description="Archive the old log and delete old runs: the button of the schedule `archive_old_runs_nightly`.")
def archive_old_runs() -> None:
    """One step: keep the history small."""
    archive_and_prune()


archive_schedule = dg.ScheduleDefinition(
    name="archive_old_runs_nightly",
    job=archive_old_runs,
    cron_schedule="0 3 * * *",
    execution_timezone="UTC",
    description="Every night: what is older than the settings of `retention` leaves the tables that are worked with.",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
