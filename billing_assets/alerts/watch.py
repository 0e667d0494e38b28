"""The watch: what in our tables people should be told about. Errors of runs come from Dagster, not from here."""

from datetime import datetime, timedelta

from billing_assets.alerts import store
from billing_assets.alerts.causes import Alert, stale_lock, unposted_too_long, watermark_too_old
from billing_assets.settings import AlertSettings
from billing_assets.state.database import Connection


def look(connection: Connection, settings: AlertSettings, stale_lock_minutes: float, now: datetime) -> list[Alert]:
    """Stale locks, closed documents unposted for too long, and watermarks that are too old, at `now` (UTC-aware)."""
    locks = stale_lock(
        store.stale_locks(connection, now - timedelta(minutes=stale_lock_minutes)),
        stale_lock_minutes=stale_lock_minutes,
        ui_url=settings.ui_url,
    )
    unposted = unposted_too_long(
        store.unposted(connection, now - timedelta(hours=settings.unposted_after_hours)),
        limit_hours=settings.unposted_after_hours,
        ui_url=settings.ui_url,
    )
    watermarks = [
        watermark_too_old(
            source=mark.source,
            succeeded_at=mark.succeeded_at,
            watermark=mark.watermark,
            now=now,
            limit_hours=settings.watermark_after_hours,
            ui_url=settings.ui_url,
        )
        for mark in store.watermarks(connection)
    ]
    return [alert for alert in (locks, *unposted, *watermarks) if alert is not None]
