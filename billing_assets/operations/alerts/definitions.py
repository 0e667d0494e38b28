"""Alerts in Dagster."""

import dagster as dg

from billing_assets.foundation.settings import Settings
from billing_assets.operations.alerts.automation import alert_on_failed_check, alert_on_run_failure, watch_sensor


def build(settings: Settings) -> dg.Definitions:
    """The sensors that see what people must be told."""
    return dg.Definitions(sensors=[alert_on_run_failure, alert_on_failed_check, watch_sensor(settings)])
