"""The schedule that keeps the database small, and its button."""

import dagster as dg

from billing_assets.foundation.dagster_helpers.failing import explained
from billing_assets.foundation.runtime import Runtime
from billing_assets.operations.retention.archive import keep_small
from billing_assets.operations.retention.runs import prune
from billing_assets.operations.retention.settings import RetentionSettings


@dg.op(description="Archives the log of documents posted long ago, and deletes old runs and partitions from Dagster.")
@explained
def keep_history_small(context: dg.OpExecutionContext, billing: dg.ResourceParam[Runtime]) -> None:
    """Moves and deletes what is older than the settings say."""
    settings = billing.settings.of(RetentionSettings)
    with billing.state() as connection:
        documents = keep_small(connection, settings)
        pruned = prune(context.instance, connection, settings)
    context.log.info(
        f"The log of {documents:,} documents went to the archive. {pruned.runs:,} runs and {pruned.partitions:,} "
        f"batches left the web UI{'' if pruned.whole else '; there is more, the next run goes on'}."
    )


@dg.job(description="Archive the old log and delete old runs: the button of the schedule `keep_small`.")
def retention() -> None:
    """One step: keep the history small."""
    keep_history_small()


keep_small_schedule = dg.ScheduleDefinition(
    name="keep_small",
    job=retention,
    cron_schedule="0 3 * * *",
    execution_timezone="UTC",
    description="Every night: what is older than the settings of `retention` leaves the tables that are worked with.",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
