"""Alerts in Dagster."""

import dagster as dg

from billing_assets.foundation.settings import Settings
from billing_assets.operations.alerts.automation import tell_about_failed_checks, tell_about_failed_runs, watch_sensor


def build(settings: Settings) -> dg.Definitions:
    """The sensors that see what people must be told."""
    return dg.Definitions(sensors=[tell_about_failed_runs, tell_about_failed_checks, watch_sensor(settings)])
