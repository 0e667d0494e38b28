"""Retention in Dagster."""

import dagster as dg

from billing_assets.foundation.settings import Settings
from billing_assets.operations.retention.automation import archive_old_runs, archive_schedule


def build(_: Settings) -> dg.Definitions:
    """The nightly archiving."""
    return dg.Definitions(jobs=[archive_old_runs], schedules=[archive_schedule])
