"""The watch: what in our tables people should be told about. Errors of runs come from Dagster, not from here."""

from datetime import datetime, timedelta

from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.sections import AlertSettings
from billing_assets.operations.alerts import store
from billing_assets.operations.alerts.causes import (
    Alert,
    credits_wait_too_long,
    stale_lock,
    sum_money,
    unposted_too_long,
    voids_undecided,
    watermark_too_old,
)


def look(connection: Connection, settings: AlertSettings, stale_lock_minutes: float, now: datetime) -> list[Alert]:
    """Stale locks, what is closed and unposted or waits for its invoice or a decision for too long, and watermarks that
    are too old, at `now` (UTC-aware)."""
    locks = stale_lock(
        store.stale_locks(connection, now - timedelta(minutes=stale_lock_minutes)),
        stale_lock_minutes=stale_lock_minutes,
        ui_url=settings.ui_url,
    )
    limit = now - timedelta(hours=settings.unposted_after_hours)
    unposted = unposted_too_long(
        store.unposted(connection, limit), limit_hours=settings.unposted_after_hours, ui_url=settings.ui_url
    )
    waiting = credits_wait_too_long(
        store.waiting_credits(connection, limit), limit_hours=settings.unposted_after_hours, ui_url=settings.ui_url
    )
    undecided = store.undecided_voids(connection, limit)
    voids = (
        voids_undecided(
            [row["number"] for row in undecided],
            sum_money((row["currency"], row["total"]) for row in undecided),
            undecided[0]["proposed_at"],
            ui_url=settings.ui_url,
        )
        if undecided
        else None
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
    return [alert for alert in (locks, *unposted, waiting, voids, *watermarks) if alert is not None]
