"""The code location: every asset, check, job, sensor, schedule and resource, composed in one place."""

import dagster as dg

from billing_assets.alerts.automation import tell_about_failed_checks, tell_about_failed_runs, watch_sensor
from billing_assets.audit.assets import audit_assets
from billing_assets.audit.automation import AUDIT_JOB, audit_schedule
from billing_assets.batches.assets import locked_batches
from billing_assets.batches.automation import POST_JOB, plan_batches_sensor, requeue, unlock, unlock_schedule
from billing_assets.billing_system.assets import billing_invoices, lines_have_a_header
from billing_assets.close.assets import month_close_asset
from billing_assets.close.automation import CLOSE_JOB, close_schedule, closing_jobs
from billing_assets.erp.pack_delivery import definitions as pack_delivery
from billing_assets.logs import configure_logs
from billing_assets.netsuite.assets import netsuite_invoices
from billing_assets.netsuite.automation import preview_batch, preview_document
from billing_assets.netsuite.checks import no_batch_left_behind
from billing_assets.receivables.assets import aging, late_fees, open_receivables
from billing_assets.receivables.automation import receivables_job, receivables_schedule
from billing_assets.reminders.assets import payment_reminders
from billing_assets.reminders.automation import office_hours, remind_job
from billing_assets.resource import billing_resource
from billing_assets.retention.automation import keep_small_schedule, retention
from billing_assets.runtime import Runtime
from billing_assets.settings import load_settings
from billing_assets.staging.assets import staged_invoices
from billing_assets.staging.automation import newly_closed_sensor, stage_job, staging_schedule, whole_schedule


def _without_look_over(*assets: dg.AssetsDefinition) -> dg.AssetSelection:
    """Assets with their own checks only: a batch's run does not answer for the batches beside it."""
    return dg.AssetSelection.assets(*assets) - dg.AssetSelection.checks(no_batch_left_behind)


post_job = dg.define_asset_job(
    POST_JOB,
    selection=_without_look_over(locked_batches, netsuite_invoices),
    description="Lock a batch, post it, read it back. Again for a failed partition: only what is left is taken up.",
)
checks_job = dg.define_asset_job(
    "look_over",
    selection=dg.AssetSelection.checks(lines_have_a_header, no_batch_left_behind),
    description="The checks that look over everything: lines without a header, batches left behind.",
)


def build_defs(runtime: Runtime | None = None) -> dg.Definitions:
    """Fresh definitions on a runtime, by default the one of the environment's settings.

    Raises SettingsError when the settings are wrong.
    """
    runtime = runtime or Runtime(load_settings(), may_start_server=False)
    settings = runtime.settings
    configure_logs(settings.log_format)
    month_close = month_close_asset(settings)
    close_job = dg.define_asset_job(CLOSE_JOB, selection=[month_close], description="Reconcile a billing month.")
    audits = audit_assets(settings)
    audit_job = dg.define_asset_job(AUDIT_JOB, selection=audits, description="Report and audit a billing month.")
    ours = dg.Definitions(
        assets=[
            billing_invoices,
            staged_invoices,
            locked_batches,
            netsuite_invoices,
            month_close,
            open_receivables,
            aging,
            late_fees,
            payment_reminders,
            *audits,
        ],
        asset_checks=[lines_have_a_header, no_batch_left_behind],
        jobs=[
            stage_job,
            post_job,
            preview_batch,
            preview_document,
            requeue,
            close_job,
            receivables_job,
            remind_job,
            audit_job,
            checks_job,
            unlock,
            retention,
            *closing_jobs(settings),
        ],
        sensors=[
            newly_closed_sensor(settings),
            plan_batches_sensor(settings),
            tell_about_failed_runs,
            tell_about_failed_checks,
            watch_sensor(settings),
            office_hours,
        ],
        schedules=[
            staging_schedule(settings),
            whole_schedule,
            unlock_schedule,
            close_schedule(settings),
            receivables_schedule(settings),
            audit_schedule(settings),
            keep_small_schedule,
            dg.ScheduleDefinition(
                name="look_over_every_day",
                job=checks_job,
                cron_schedule="30 5 * * *",
                execution_timezone="UTC",
                description="Every morning, over everything: lines without a header, batches left behind.",
                default_status=dg.DefaultScheduleStatus.RUNNING,
            ),
        ],
        resources={"billing": billing_resource(runtime)},
        executor=dg.in_process_executor,
    )
    return dg.Definitions.merge(ours, pack_delivery.build(settings))


defs = build_defs()
