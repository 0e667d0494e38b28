"""When reminders go out: every half hour somebody's office may have opened."""

from datetime import timedelta

import dagster as dg

from billing_assets.erp.contract import BillingSystem, NetSuite
from billing_assets.foundation.journal.compared import journal_of
from billing_assets.foundation.journal.errors import JournalError
from billing_assets.foundation.journal.restores import require_reminders
from billing_assets.foundation.runtime import Runtime
from billing_assets.receivables.reminders.assets import payment_reminders
from billing_assets.receivables.reminders.invoices import Reminder
from billing_assets.receivables.reminders.materials import load_materials
from billing_assets.receivables.reminders.plan import plan
from billing_assets.receivables.reminders.sending import utc_now
from billing_assets.receivables.settings import ReminderSettings

_EVERY_SECONDS = 1800
_RUNNING = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]

send_due_reminders_job = dg.define_asset_job(
    "send_due_reminders",
    selection=[payment_reminders],
    description="Send the payment reminders that are due now, to those whose office is open. Nothing is sent twice.",
)


@dg.sensor(
    name="send_reminders_in_office_hours",
    job=send_due_reminders_job,
    minimum_interval_seconds=_EVERY_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Every half hour: asks for a run when a reminder is due to somebody whose office is open.",
)
def send_reminders_in_office_hours(
    context: dg.SensorEvaluationContext, billing: dg.ResourceParam[Runtime]
) -> dg.RunRequest | dg.SkipReason:
    """Looks who could be written to now; the run looks again."""
    settings = billing.settings.of(ReminderSettings)
    if not settings.enabled:
        return dg.SkipReason("Reminders are switched off (BILLING_REMINDERS__ENABLED).")
    now = utc_now()
    # A run older than this may have died without Dagster knowing; two at once do no harm.
    lately = now - timedelta(seconds=4 * _EVERY_SECONDS)
    running = dg.RunsFilter(job_name=send_due_reminders_job.name, statuses=_RUNNING, created_after=lately)
    if context.instance.get_runs(running, limit=1):
        return dg.SkipReason("A run is sending.")
    billing.of(BillingSystem).compare()
    materials = load_materials(
        settings,
        billing.of(BillingSystem).engine,
        billing.of(BillingSystem).queries,
        billing.settings.calendar.zones,
        in_sample=billing.of(NetSuite).in_sample,
    )
    with billing.state() as connection:
        billing.compare(connection)
        try:
            journal_of(connection, billing.settings)
            require_reminders(connection)
        except JournalError as error:
            return dg.SkipReason(str(error))
        found = list(plan(connection, materials, now, now))
    if not any(isinstance(one, Reminder) for one in found):
        return dg.SkipReason(f"No customer is due a reminder now; {len(found)} invoices are kept back.")
    return dg.RunRequest(tags={"billing/asked_by": "send_reminders_in_office_hours"})
