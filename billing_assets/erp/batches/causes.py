"""What can go wrong with batches that people must be told."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from billing_assets.erp.batches.cause_store import StaleLock, stale_locks
from billing_assets.erp.batches.store import needing_attention
from billing_assets.foundation.alerts import Alert, Money, Severity, clock, count, page, some, sum_money
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.settings import Settings


def alerts(connection: Connection, settings: Settings, now: datetime) -> Iterator[Alert]:
    """Locks whose run has gone, and batches that were left for longer than a window: of a newer one its failed run has
    told."""
    ui_url, minutes = settings.alerts.ui_url, settings.batches.stale_lock_minutes
    locks = stale_locks(connection, now - timedelta(minutes=minutes))
    if stale := stale_lock(locks, stale_lock_minutes=minutes, ui_url=ui_url):
        yield stale
    told = now - timedelta(minutes=settings.alerts.window_minutes)
    rows = [row for row in needing_attention(connection) if row["since"] is None or row["since"] <= told]
    left = partition_left_failed(
        asset="netsuite_invoices",
        partitions=list(dict.fromkeys(str(row["partition_key"]) for row in rows)),
        ui_url=ui_url,
        documents=sum(row["documents"] for row in rows),
        money=sum_money((row["currency"], row["total"]) for row in rows),
    )
    if left:
        yield left


def stale_lock(locks: Sequence[StaleLock], *, stale_lock_minutes: float, ui_url: str) -> Alert | None:
    """Locks whose run has gone, all in one alert (one killed machine leaves several). None if there are no locks."""
    if not locks:
        return None
    oldest = min(locks, key=lambda lock: lock.lease_ended)
    posting = sum(lock.posting for lock in locks)
    unknown = (
        f" Of these, {posting:,} were being sent: NetSuite may have them, and is asked before anything is sent again."
        if posting
        else ""
    )
    return Alert(
        cause="stale_lock",
        title=f"{count(len(locks), 'batch', 'batches')} locked by a run that is gone",
        what_happened=(
            f"The lease of {some(lock.batch for lock in locks)} ended more than {stale_lock_minutes:g} minutes ago "
            f"(the oldest {clock(oldest.lease_ended)}) and no run renewed or released it.{unknown}"
        ),
        documents=sum(lock.locked + lock.posting for lock in locks),
        money=sum_money(pair for lock in locks for pair in lock.money),
        what_to_do=(
            "Open the run to see why it ended. The unlock schedule gives the batches back; if it does not run, "
            "`billing unlock` does the same."
        ),
        link=page(ui_url, f"runs/{oldest.run_id}" if oldest.run_id else "runs"),
        severity=Severity.WARNING,
    )


def partition_left_failed(
    *, asset: str, partitions: Sequence[str], ui_url: str, documents: int = 0, money: Money = ()
) -> Alert | None:
    """Partitions that failed and were not materialized again, or None if there are none."""
    if not partitions:
        return None
    return Alert(
        cause=f"partition_left_failed:{asset}",
        title=f"{count(len(partitions), 'partition')} of {asset} left failed",
        what_happened=f"{some(partitions)} of {asset} failed and was not materialized again.",
        documents=documents,
        money=money,
        what_to_do=(
            "Open the asset's partitions, filter by Failed, view the logs and fix the cause. Then materialize them "
            "again: only what is left is taken up."
        ),
        link=page(ui_url, f"assets/{asset}?view=partitions"),
        severity=Severity.WARNING,
    )
