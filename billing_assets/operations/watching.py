"""Seen from outside Dagster's daemon: whether it still gives signs of life."""

from datetime import UTC, datetime

import dagster as dg

from billing_assets.alerts.causes import daemon_silent
from billing_assets.alerts.send import deliver
from billing_assets.runtime import Runtime

SILENT_SECONDS = 180.0
"""Dagster calls a daemon healthy for up to half an hour after its last heartbeat; that is too long for us."""


def last_heartbeat(instance: dg.DagsterInstance) -> datetime | None:
    """The latest sign of life of any of Dagster's daemons, in UTC."""
    beats = [one.last_heartbeat.timestamp for one in instance.get_daemon_statuses().values() if one.last_heartbeat]
    return datetime.fromtimestamp(max(beats), UTC) if beats else None


def tell_about_silent_daemon(runtime: Runtime, instance: dg.DagsterInstance) -> None:
    """Alerts once per window when the daemon has been silent for too long."""
    beat = last_heartbeat(instance)
    settings = runtime.settings.alerts
    if beat and (alert := daemon_silent(beat, datetime.now(UTC), SILENT_SECONDS, ui_url=settings.ui_url)):
        with runtime.state() as connection:
            deliver(connection, [alert], settings)
