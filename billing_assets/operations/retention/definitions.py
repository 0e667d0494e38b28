"""Retention in Dagster."""

import dagster as dg

from billing_assets.foundation.settings import Settings
from billing_assets.operations.retention.automation import keep_small_schedule, retention


def build(_: Settings) -> dg.Definitions:
    """The nightly archiving."""
    return dg.Definitions(jobs=[retention], schedules=[keep_small_schedule])
