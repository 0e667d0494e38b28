"""When staging runs: several times a day, as soon as something closed, every night over all months that are not closed
for good, and at the press of a button."""

import json
import time
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import dagster as dg

from billing_assets.erp.billing_system.resource import BillingSystem, BillingSystems
from billing_assets.erp.billing_system.totals import fingerprint
from billing_assets.erp.settings import source_names
from billing_assets.erp.staging import polling, store
from billing_assets.erp.staging.settings import StagingSettings
from billing_assets.foundation.dagster_helpers.runs import ASKED_BY
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import Settings

_RUNNING = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]

_ASK_AGAIN_SECONDS = 300.0
"""A staging that was asked for and did not succeed is asked for again after this."""


class Asked(NamedTuple):
    """The cursor: what was seen, which staging was the last then, and when (Unix time) a new one was asked for."""

    seen: str
    last_run: int
    at: float

    def text(self) -> str:
        """As the cursor keeps it."""
        return json.dumps(self)

    @classmethod
    def read(cls, cursor: str | None) -> "Asked | None":
        """From the cursor; None before the first look."""
        return cls(*json.loads(cursor)) if cursor else None


def _fingerprint(system: BillingSystem) -> str:
    with system.connection() as source:
        return fingerprint(source, system.queries, None)


stage_job = dg.define_asset_job(
    "stage_invoices",
    selection=dg.AssetSelection.assets("billing_invoices", "staged_invoices").materializable(),
    description="Read the billing system and bring the staging table up to date. Safe at any time. Started by hand it "
    "compares every document of the months that are not closed for good.",
)


def staging_schedule(settings: Settings) -> dg.ScheduleDefinition:
    """The regular staging."""
    return dg.ScheduleDefinition(
        name="stage_several_times_a_day",
        job=stage_job,
        cron_schedule=settings.of(StagingSettings).cron,
        execution_timezone="UTC",
        tags={ASKED_BY: "stage_several_times_a_day"},
        description="Stages several times a day, whether or not the sensor saw anything.",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )


whole_schedule = dg.ScheduleDefinition(
    name="compare_open_months_every_night",
    job=stage_job,
    cron_schedule="0 2 * * *",
    execution_timezone="UTC",
    tags={ASKED_BY: "compare_open_months_every_night"},
    description="Every night: stages, and compares every document of the months that are not closed for good with the "
    "billing system, however long ago it was created or posted.",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)


def stage_when_closed_sensor(settings: Settings) -> dg.SensorDefinition:
    """Stages as soon as a document appeared or closed in the billing system."""

    @dg.sensor(
        name="stage_when_closed",
        job=stage_job,
        minimum_interval_seconds=max(settings.of(StagingSettings).detect_seconds, 1),
        default_status=dg.DefaultSensorStatus.RUNNING
        if settings.of(StagingSettings).detect_seconds
        else dg.DefaultSensorStatus.STOPPED,
        description="Looks at the billing database's counts and asks for a staging when they changed, or when "
        "documents that changed before they were sent wait for one.",
    )
    def stage_when_closed(
        context: dg.SensorEvaluationContext, billing: dg.ResourceParam[Runtime]
    ) -> dg.RunRequest | dg.SkipReason:
        with billing.state() as connection:
            billing.compare(connection)
            names = source_names(billing.settings)
            last_run = min(polling.last_run(connection, name) for name in names)
            sent_back = store.sent_back(connection, names)
        seen = " ".join(map(_fingerprint, billing.of(BillingSystems)))
        asked = Asked.read(context.cursor)
        lately_asked = asked and 0 <= time.time() - asked.at < _ASK_AGAIN_SECONDS  # below 0: the clock was set back
        answered = asked and last_run > asked.last_run and not sent_back
        if asked and asked.seen == seen and (answered or lately_asked):
            return dg.SkipReason("Nothing appeared or closed since the last look.")
        # An old one may be dead without Dagster knowing (a power cut); two stagings at once wait for one another.
        lately = datetime.now(UTC) - timedelta(seconds=_ASK_AGAIN_SECONDS)
        running = dg.RunsFilter(job_name=stage_job.name, statuses=_RUNNING, created_after=lately)
        if context.instance.get_runs(running, limit=1):
            return dg.SkipReason("A staging is running; what is new is looked at again after it.")
        context.update_cursor(Asked(seen, last_run, time.time()).text())
        return dg.RunRequest(tags={ASKED_BY: "stage_when_closed"})

    return stage_when_closed
