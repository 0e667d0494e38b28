"""When alerts go out: a run failed for good, a check failed, or the watch found something that waits for a person."""

from datetime import UTC, datetime

import dagster as dg

from billing_assets.foundation.alerts import Alert
from billing_assets.foundation.dagster_helpers.runs import partition_of
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.errors import of_code
from billing_assets.foundation.journal.compared import compared_journal
from billing_assets.foundation.journal.errors import ForeignJournal, JournalError, JournalUnusable
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import Settings
from billing_assets.operations.alerts import store
from billing_assets.operations.alerts.causes import failed_check, run_failure
from billing_assets.operations.alerts.detection import detect
from billing_assets.operations.alerts.restores import TOLD_FOR, journal_alerts, restore_alerts
from billing_assets.operations.alerts.send import deliver
from billing_assets.receivables.settings import ReminderSettings

_PRESSED = frozenset({"preview_batch", "preview_document", "requeue_rejected_invoices"})
"""Jobs that only a person starts, who waits for what they say: a number that was mistyped is no alert."""

_JOURNAL = (JournalUnusable.code, ForeignJournal.code)
"""Errors of a run that the watch finds, too: one cause, and one mail."""


@dg.run_failure_sensor(
    name="alert_on_run_failure",
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="One message per cause when a run has failed for the last time.",
)
def alert_on_run_failure(
    context: dg.RunFailureSensorContext, billing: dg.ResourceParam[Runtime]
) -> dg.SkipReason | None:
    """Tells about a failed run, with what it leaves behind in documents and money."""
    run = context.dagster_run
    if run.tags.get("dagster/will_retry") == "true":
        return dg.SkipReason("The run is tried again.")
    if run.job_name in _PRESSED:
        return dg.SkipReason("Who started it reads why it failed.")
    error, message = _error(context)
    partition = partition_of(run)
    with billing.state() as connection:
        if error in _JOURNAL:
            alerts = journal_alerts([message], billing.settings.alerts.ui_url)
            deliver(connection, alerts, billing.settings.alerts, billing.settings.env)
            return None
        left = store.left_in_batches(connection, [partition] if partition else [])
        alert = run_failure(
            job=run.job_name,
            error=error,
            message=message,
            run_id=run.run_id,
            ui_url=billing.settings.alerts.ui_url,
            known=of_code(error),
            partition=partition,
            documents=left.documents,
            money=left.money,
        )
        deliver(connection, [alert], billing.settings.alerts, billing.settings.env)
    return None


def _error(context: dg.RunFailureSensorContext) -> tuple[str, str]:
    """What our own code said of the first failed step: the error's type and its text."""
    for event in context.get_step_failure_events():
        failure = event.step_failure_data
        error = failure.error
        told = failure.user_failure_data
        if told and told.description and (error is None or error.cause is None):  # by the step itself, of no error
            return "documents left", told.description
        # Below the wrapper (Dagster's, or `explained`) stands our error, which names the system; below that the
        # driver's, which does not.
        if error is not None and error.cause is not None and (error.cls_name or "").startswith(("Dagster", "Failure")):
            error = error.cause
        if error is not None:
            return error.cls_name or "error", (error.message.partition(": ")[2] or error.message).strip()
    return "failure", context.failure_event.message or "no message"


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.SUCCESS,
    name="alert_on_failed_check",
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="One message per check that did not pass in a run that went through.",
)
def alert_on_failed_check(context: dg.RunStatusSensorContext, billing: dg.ResourceParam[Runtime]) -> None:
    """Tells about failed checks that did not stop their run."""
    run = context.dagster_run
    alerts = [
        failed_check(
            asset=evaluation.asset_key.to_user_string(),
            check=evaluation.check_name,
            message=evaluation.description or "see its metadata",
            run_id=run.run_id,
            ui_url=billing.settings.alerts.ui_url,
            partition=partition_of(run),
        )
        for entry in context.instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
        if entry.dagster_event
        and not (evaluation := entry.dagster_event.asset_check_evaluation_data).passed
        and evaluation.severity == dg.AssetCheckSeverity.ERROR  # a warning is to be read, not to wake anybody
    ]
    if alerts:
        with billing.state() as connection:
            deliver(connection, alerts, billing.settings.alerts, billing.settings.env)


def watch_sensor(settings: Settings) -> dg.SensorDefinition:
    """The watch over our own tables."""

    @dg.sensor(
        name="alert_on_problems",
        minimum_interval_seconds=settings.alerts.check_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Looks for stale locks, documents that wait too long, an old watermark, batches left behind and a "
        "database that was put back.",
    )
    def watch(context: dg.SensorEvaluationContext, billing: dg.ResourceParam[Runtime]) -> dg.SkipReason:
        now = datetime.now(UTC)
        with billing.state() as connection:
            alerts = [
                *detect(connection, billing.settings, now),
                *_journal(connection, billing),
            ]
            report = deliver(connection, alerts, billing.settings.alerts, billing.settings.env)
        return dg.SkipReason(f"{len(alerts)} causes found, {len(report.sent)} told.")

    return watch


def _journal(connection: Connection, billing: Runtime) -> list[Alert]:
    """Compares database and journal, as a database is put back under a running system, too."""
    problems = []
    try:
        journal, found = compared_journal(connection, billing.settings)
        journal.try_out()
        problems += [f"{one.name}: {one.problem}." for one in found.damaged]
        if journal.begun_again_since(datetime.now(UTC) - TOLD_FOR):
            problems.append("It was lost and was begun again from the database.")
    except JournalError as error:
        problems.append(str(error))
    reminders, ui_url = billing.settings.of(ReminderSettings).enabled, billing.settings.alerts.ui_url
    return [
        *journal_alerts(problems, ui_url),
        *restore_alerts(connection, datetime.now(UTC), ui_url, reminders=reminders),
    ]
