"""What can go wrong with staged documents that people must be told: they wait too long, or none are staged."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from billing_assets.erp.documents.documents import State
from billing_assets.erp.staging import cause_store
from billing_assets.erp.staging.cause_store import Waiting, WaitingCredit
from billing_assets.foundation.alerts import Alert, Money, Severity, clock, count, page, some, sum_money
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.settings import Settings

NEED_PEOPLE = (State.HELD, State.REJECTED, State.DIFFERS)
"""Unposted states that end only when a person fixes something; the pipeline moves all the others on."""


def alerts(connection: Connection, settings: Settings, now: datetime) -> Iterator[Alert]:
    """What is closed and unposted or waits for its invoice or a decision for too long, and watermarks that are too
    old."""
    ui_url, hours = settings.alerts.ui_url, settings.alerts.unposted_after_hours
    limit = now - timedelta(hours=hours)
    yield from unposted_too_long(cause_store.unposted(connection, limit), limit_hours=hours, ui_url=ui_url)
    waiting = cause_store.waiting_credits(connection, limit)
    if waits := credits_wait_too_long(waiting, limit_hours=hours, ui_url=ui_url):
        yield waits
    if undecided := cause_store.undecided_voids(connection, limit):
        yield voids_undecided(
            [row["number"] for row in undecided],
            sum_money((row["currency"], row["total"]) for row in undecided),
            undecided[0]["proposed_at"],
            ui_url=ui_url,
        )
    for mark in cause_store.watermarks(connection):
        old = watermark_too_old(
            source=mark.source,
            succeeded_at=mark.succeeded_at,
            watermark=mark.watermark,
            now=now,
            limit_hours=settings.alerts.watermark_after_hours,
            ui_url=ui_url,
        )
        if old:
            yield old


def unposted_too_long(waiting: Sequence[Waiting], *, limit_hours: float, ui_url: str) -> list[Alert]:
    """Closed documents older than the limit: those that need people and those that do not move are two causes."""
    alerts = []
    people = [row for row in waiting if row.state in NEED_PEOPLE]
    moving = [row for row in waiting if row.state not in NEED_PEOPLE]
    if moving:
        alerts.append(
            _unposted(
                moving,
                cause="unposted:not_moving",
                says="closed and valid for more than {hours:g} hours and not in NetSuite",
                what_to_do=(
                    "See whether the daemon runs, the sensor of the batches is on and runs succeed (`billing status`, "
                    "then the newest runs in the web UI)."
                ),
                limit_hours=limit_hours,
                ui_url=ui_url,
            )
        )
    if people:
        alerts.append(
            _unposted(
                people,
                cause="unposted:needs_people",
                says="stuck for more than {hours:g} hours until a person fixes them",
                what_to_do=(
                    "`billing held`, `billing rejected` and `billing differs list` list them with the reasons. Fix the "
                    "source or the mapping: held ones go on by themselves at the next staging, rejected ones after "
                    "`billing requeue`. What differs in NetSuite waits for a decision."
                ),
                limit_hours=limit_hours,
                ui_url=ui_url,
            )
        )
    return alerts


def credits_wait_too_long(waiting: Sequence[WaitingCredit], *, limit_hours: float, ui_url: str) -> Alert | None:
    """Credit memos that have waited for an invoice for longer than the limit, or None if there are none."""
    if not waiting:
        return None
    memos = {one.number: one for one in waiting}
    return Alert(
        cause="unposted:waits_for_invoice",
        title=f"{count(len(memos), 'credit memo')} waiting for an invoice for more than {limit_hours:g} hours",
        what_happened=(
            f"{some(f'{one.number} waits for {one.invoice}: {one.why}' for one in waiting)} The oldest waits since "
            f"{clock(min(one.since for one in waiting))}."
        ),
        documents=len(memos),
        money=sum_money((one.currency, one.total) for one in memos.values()),
        what_to_do=(
            "`billing waiting` lists them all. Fix the invoice that each waits for, or correct in the billing system "
            "what the credit memo is applied to; it goes as soon as its invoices are posted."
        ),
        link=page(ui_url, "assets/staged_invoices"),
        severity=Severity.WARNING,
    )


def voids_undecided(numbers: Sequence[str], money: Money, oldest: datetime, *, ui_url: str) -> Alert:
    """Invoices that were voided after posting, whose proposed credit memo has not been decided for too long."""
    return Alert(
        cause="voids_undecided",
        title=f"{count(len(numbers), 'proposed credit memo')} waiting for a decision",
        what_happened=(
            f"{some(numbers)} became void in the billing system after having been posted, the oldest "
            f"{clock(oldest)}. NetSuite still has them as receivables."
        ),
        documents=len(numbers),
        money=money,
        what_to_do="`billing voids list`, then `billing voids confirm` or `billing voids decline` for each.",
        link=page(ui_url, "assets/staged_invoices"),
        severity=Severity.WARNING,
    )


def watermark_too_old(
    *, source: str, succeeded_at: datetime, watermark: datetime, now: datetime, limit_hours: float, ui_url: str
) -> Alert | None:
    """Staging of a source has not succeeded for too long, or None. `succeeded_at` is our clock, `watermark` its own."""
    age = now - succeeded_at
    if age <= timedelta(hours=limit_hours):
        return None
    return Alert(
        cause=f"watermark_too_old:{source}",
        title=f"Nothing staged from {source} for {_duration(age)}",
        what_happened=(
            f"Staging of {source} last succeeded {clock(succeeded_at)} (watermark {clock(watermark)}), more than "
            f"{limit_hours:g} hours ago. Documents that were created or closed since then are not seen and not billed."
        ),
        documents=0,
        money=(),
        what_to_do=(
            "See why the newest staging run failed or never began. `billing doctor` checks the billing database; "
            "materialize staged_invoices afterwards."
        ),
        link=page(ui_url, "assets/staged_invoices"),
        severity=Severity.CRITICAL,
    )


def _unposted(
    rows: Sequence[Waiting], *, cause: str, says: str, what_to_do: str, limit_hours: float, ui_url: str
) -> Alert:
    documents = sum(row.documents for row in rows)
    states: dict[str, int] = {}
    for row in rows:
        states[row.state] = states.get(row.state, 0) + row.documents
    by_state = ", ".join(f"{state} {count:,}" for state, count in sorted(states.items()))
    return Alert(
        cause=cause,
        title=f"{count(documents, 'document')} {says.format(hours=limit_hours)}",
        what_happened=f"By state: {by_state}. The oldest waits since {clock(min(row.oldest for row in rows))}.",
        documents=documents,
        money=sum_money((row.currency, row.total) for row in rows),
        what_to_do=what_to_do,
        link=page(ui_url, "assets/staged_invoices"),
        severity=Severity.CRITICAL if cause == "unposted:not_moving" else Severity.WARNING,
    )


def _duration(age: timedelta) -> str:
    hours = int(age.total_seconds() // 3600)
    return f"{hours // 24} d {hours % 24} h" if hours >= 48 else f"{hours} h"
