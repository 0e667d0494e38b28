"""When months are compared: every night, those in which something moved; and the buttons that close them."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import dagster as dg
from pydantic import Field

from billing_assets.erp.close.closing import Decision, hard_close, reopen, soft_close
from billing_assets.erp.close.comparing import compared, packed
from billing_assets.erp.close.reconciliation import MonthClose
from billing_assets.erp.close.store import Closing, months_that_moved
from billing_assets.erp.partitions import month_partitions
from billing_assets.erp.settings import CloseSettings, source_names
from billing_assets.foundation.dagster_helpers.failing import explained
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.journal.compared import journal_of
from billing_assets.foundation.journal.files import Journal
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import Settings

CLOSE_JOB = "close_month"
_HOURS = 26  # a little over a day, so that no change falls between two nights


def close_schedule(settings: Settings) -> dg.ScheduleDefinition:
    """A run of the close for every month in which a document moved since the night before."""

    @dg.schedule(
        name="close_changed_months",
        job_name=CLOSE_JOB,
        cron_schedule="0 5 * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Every night: reconciles each month in which a document appeared, changed or was posted.",
    )
    def close_changed_months(
        context: dg.ScheduleEvaluationContext, billing: dg.ResourceParam[Runtime]
    ) -> Iterator[dg.RunRequest]:
        with billing.state() as connection:
            moved = months_that_moved(connection, _HOURS)
        for period in moved:
            if period >= settings.of(CloseSettings).first_month:
                day = context.scheduled_execution_time.date()
                yield dg.RunRequest(run_key=f"{period}/{day}", partition_key=period)

    return close_changed_months


class DecisionConfig(dg.Config):
    """Who decides, and why; kept for good."""

    by: str = Field(default="", description="Your name.")
    why: str = Field(default="", description="The reason.")


def closing_jobs(settings: Settings) -> list[dg.JobDefinition]:
    """The buttons: close a month soft, close it hard, reopen it. Each asks for who and why."""
    months = month_partitions(settings)

    @dg.op(description="Compares the month and closes it until it is reopened.")
    @explained
    def close_softly(
        context: dg.OpExecutionContext, config: DecisionConfig, billing: dg.ResourceParam[Runtime]
    ) -> None:
        _close(context.partition_key, config, billing, soft_close)

    @dg.op(description="Compares the month and closes it for good, or says what is in the way.")
    @explained
    def close_for_good(
        context: dg.OpExecutionContext, config: DecisionConfig, billing: dg.ResourceParam[Runtime]
    ) -> None:
        _close(context.partition_key, config, billing, partial(hard_close, today=billing.settings.calendar.today()))

    @dg.op(description="Opens a month again that is closed soft.")
    @explained
    def open_again(context: dg.OpExecutionContext, config: DecisionConfig, billing: dg.ResourceParam[Runtime]) -> None:
        with billing.state() as connection:
            decision = Decision(config.by, config.why)
            journal = journal_of(connection, billing.settings)
            reopen(connection, source_names(billing.settings), context.partition_key, decision, journal)

    @dg.job(partitions_def=months, description="Close a month until it is reopened. Give who and why in the config.")
    def soft_close_month() -> None:
        close_softly()

    @dg.job(
        partitions_def=months,
        description="Close a month for good; refused while anything in it is unknown, on its way or off by a cent. "
        "Give who and why in the config.",
    )
    def hard_close_month() -> None:
        close_for_good()

    @dg.job(
        partitions_def=months, description="Open a month again that is closed soft. Give who and why in the config."
    )
    def reopen_month() -> None:
        open_again()

    return [soft_close_month, hard_close_month, reopen_month]


def _close(
    period: str,
    config: DecisionConfig,
    billing: Runtime,
    act: Callable[[Connection, Sequence[str], MonthClose, Decision, Journal], Closing],
) -> None:
    decision, names = Decision(config.by, config.why), source_names(billing.settings)
    with billing.state() as connection:
        journal = journal_of(connection, billing.settings)
        close = compared(billing, connection, period)
        packed(billing, connection, close)
        act(connection, names, close, decision, journal)
