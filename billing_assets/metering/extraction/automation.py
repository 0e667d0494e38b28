"""When the customer's systems are read: by a schedule, where the settings name one."""

import dagster as dg

from billing_assets.foundation.settings import Settings
from billing_assets.metering.extraction.settings import MeteringApiSettings, MeteringSourceSettings

EXTRACT_JOB = "extract_from_metering_systems"


def extract_schedule(settings: Settings) -> dg.ScheduleDefinition:
    """Runs the job; on where there is a system to read."""
    database, api = settings.of(MeteringSourceSettings), settings.of(MeteringApiSettings)
    is_on = database.url is not None or api.base_url is not None
    return dg.ScheduleDefinition(
        name=f"{EXTRACT_JOB}_regularly",
        job_name=EXTRACT_JOB,
        cron_schedule=database.schedule,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING if is_on else dg.DefaultScheduleStatus.STOPPED,
        description="Extracts what is new in the metering database and the API.",
    )
