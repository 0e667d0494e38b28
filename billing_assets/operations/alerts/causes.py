"""Alerts, as plain data: one alert per cause, a cause being what a person would call one problem.

The `cause` is the key under which repeats are held back, so it names the problem and not the document, the batch or the
run: NetSuite being unavailable is one cause however many batches meet it. No customer data and no secrets in any text.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from billing_assets.erp.documents.documents import State
from billing_assets.foundation.errors import BillingError
from billing_assets.foundation.words import shortened

Money = tuple[tuple[str, Decimal], ...]
"""Sums by currency, credit memos negative: (("GBP", Decimal("12.50")), …), sorted by currency."""

NEED_PEOPLE = (State.HELD, State.REJECTED, State.DIFFERS)
"""Unposted states that end only when a person fixes something; the pipeline moves all the others on."""

_SHOWN = 5
_LONGEST_TEXT = 2_000
_LONGEST_TITLE = 200
_MINOR_UNIT = Decimal("0.01")
_SECRETS = (
    re.compile(r"(://)\S*(?=@)"),
    re.compile(r"(?i)(\bauthorization\W*[=:]\s*).+"),
    re.compile(r"(?i)(\bbearer\s+)\S+"),
    re.compile(
        r"""(?i)((?:password|passwd|pwd|secret|token|api_?key)["']?\s*[=:]\s*)(?:'[^']*'|"[^"]*"|\{[^}]*\}|[^\s;,&]+)"""
    ),
)


class Severity(StrEnum):
    WARNING = "warning"  # somebody should look today
    CRITICAL = "critical"  # billing stands still or is wrong


@dataclass(frozen=True, slots=True)
class Alert:
    """One problem to tell people about.

    `documents` counts the documents that it concerns (0: not known or none), `money` is their signed total by currency,
    `link` the page of the web UI to begin with ("" if there is none).
    """

    cause: str
    title: str
    what_happened: str
    documents: int
    money: Money
    what_to_do: str
    link: str
    severity: Severity


class StaleLock(NamedTuple):
    """A batch whose lease ended with documents locked: `locked` were not begun, of `posting` the outcome is unknown."""

    batch: str
    run_id: str | None
    lease_ended: datetime
    locked: int
    posting: int
    money: Money


class Waiting(NamedTuple):
    """Closed documents of one state and currency that have not been posted; `oldest` is since when the oldest waits."""

    state: str
    currency: str
    documents: int
    total: Decimal
    oldest: datetime


class WaitingCredit(NamedTuple):
    """A credit memo and an invoice for which it waits, because it is not in NetSuite; it may wait for several."""

    number: str
    invoice: str
    why: str
    since: datetime
    currency: str
    total: Decimal


def run_failure(
    *,
    job: str,
    error: str,
    message: str,
    run_id: str,
    ui_url: str,
    known: type[BillingError] | None = None,
    partition: str | None = None,
    documents: int = 0,
    money: Money = (),
) -> Alert:
    """A run ended with an error and will not be retried.

    `error` is the stable name of the problem (the error's type, or NetSuite's code), `message` its text, of which one
    line is told. `known` is its type where it is one of ours: where that names a system, the error is the system's and
    not the job's own, and all jobs and batches that meet it share one cause.
    """
    what = f"{job} for {partition}" if partition else job
    system = known.system if known else None
    title = f"{_capital(system)} stopped a run: {error}" if system else f"{what} failed: {error}"
    to_do = (known.to_do if known else None) or (
        "Open the run and fix the cause that it names. Then materialize the partition again: it takes up only what is "
        "left and sends nothing twice."
    )
    return Alert(
        cause=f"run_failed:{system or job}:{error}",
        title=_one_line(title, _LONGEST_TITLE),
        what_happened=f"The run of {what} ended with {error}: {_one_line(message)}",
        documents=documents,
        money=money,
        what_to_do=to_do,
        link=_page(ui_url, f"runs/{run_id}"),
        severity=Severity.CRITICAL,
    )


def failed_check(
    *,
    asset: str,
    check: str,
    message: str,
    run_id: str,
    ui_url: str,
    partition: str | None = None,
    documents: int = 0,
    money: Money = (),
    severity: Severity = Severity.CRITICAL,
) -> Alert:
    """A check of an asset did not pass. All partitions in which the same check fails share one cause."""
    where = f"{asset} for {partition}" if partition else asset
    return Alert(
        cause=f"check_failed:{asset}:{check}",
        title=f"Check {check} failed on {where}",
        what_happened=f"The check {check} of {where} did not pass: {_one_line(message)}",
        documents=documents,
        money=money,
        what_to_do="Open the run: the check's metadata lists what it found. Fix that and materialize the asset again.",
        link=_page(ui_url, f"runs/{run_id}"),
        severity=severity,
    )


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
        title=f"{_count(len(locks), 'batch', 'batches')} locked by a run that is gone",
        what_happened=(
            f"The lease of {_some(lock.batch for lock in locks)} ended more than {stale_lock_minutes:g} minutes ago "
            f"(the oldest {_clock(oldest.lease_ended)}) and no run renewed or released it.{unknown}"
        ),
        documents=sum(lock.locked + lock.posting for lock in locks),
        money=sum_money(pair for lock in locks for pair in lock.money),
        what_to_do=(
            "Open the run to see why it ended. The unlock schedule gives the batches back; if it does not run, "
            "`billing unlock` does the same."
        ),
        link=_page(ui_url, f"runs/{oldest.run_id}" if oldest.run_id else "runs"),
        severity=Severity.WARNING,
    )


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
        title=f"{_count(len(memos), 'credit memo')} waiting for an invoice for more than {limit_hours:g} hours",
        what_happened=(
            f"{_some(f'{one.number} waits for {one.invoice}: {one.why}' for one in waiting)} The oldest waits since "
            f"{_clock(min(one.since for one in waiting))}."
        ),
        documents=len(memos),
        money=sum_money((one.currency, one.total) for one in memos.values()),
        what_to_do=(
            "`billing waiting` lists them all. Fix the invoice that each waits for, or correct in the billing system "
            "what the credit memo is applied to; it goes as soon as its invoices are posted."
        ),
        link=_page(ui_url, "assets/staged_invoices"),
        severity=Severity.WARNING,
    )


def voids_undecided(numbers: Sequence[str], money: Money, oldest: datetime, *, ui_url: str) -> Alert:
    """Invoices that were voided after posting, whose proposed credit memo has not been decided for too long."""
    return Alert(
        cause="voids_undecided",
        title=f"{_count(len(numbers), 'proposed credit memo')} waiting for a decision",
        what_happened=(
            f"{_some(numbers)} became void in the billing system after having been posted, the oldest "
            f"{_clock(oldest)}. NetSuite still has them as receivables."
        ),
        documents=len(numbers),
        money=money,
        what_to_do="`billing voids list`, then `billing voids confirm` or `billing voids decline` for each.",
        link=_page(ui_url, "assets/staged_invoices"),
        severity=Severity.WARNING,
    )


def put_back(
    noticed_at: datetime, how: str, *, covered: bool, months: Sequence[str], reminders: bool, ui_url: str
) -> Alert:
    """The database was put back to an earlier time; `months` and `reminders` wait for a person's word."""
    seen = "NetSuite was ahead of it" if how == "netsuite" else "the journal was ahead of it"
    waits = [*months, *(["reminders"] if reminders else [])]
    if not waits:
        outcome = (
            "The closes and sent reminders that it lacked were taken in again from the journal."
            if covered
            else "People confirmed what the journal does not cover."
        )
        to_do = "Find out who put it back and why. `billing restore list` names what was taken in or confirmed."
    else:
        outcome = f"The journal does not cover the time that is lost. Until a person confirms it: {_some(waits)}."
        to_do = (
            "`billing restore list`, then `billing restore confirm-month` and `billing restore confirm-reminders`. "
            "Until then nothing of these is closed or mailed."
        )
    return Alert(
        cause="database_put_back",
        title="The database was put back to an earlier time",
        what_happened=f"Noticed {_clock(noticed_at)}: {seen}. {outcome}",
        documents=0,
        money=(),
        what_to_do=to_do,
        link=_page(ui_url, "runs"),
        severity=Severity.CRITICAL,
    )


def journal_unusable(problem: str, *, ui_url: str) -> Alert:
    """The journal of closes and sent reminders cannot be used, or has files that cannot be read."""
    return Alert(
        cause="journal_unusable",
        title="The journal of closes and reminders needs somebody",
        what_happened=_one_line(problem),
        documents=0,
        money=(),
        what_to_do="`billing doctor` names the folder and the files, and what to do about them.",
        link=_page(ui_url, "runs"),
        severity=Severity.CRITICAL,
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
            f"Staging of {source} last succeeded {_clock(succeeded_at)} (watermark {_clock(watermark)}), more than "
            f"{limit_hours:g} hours ago. Documents that were created or closed since then are not seen and not billed."
        ),
        documents=0,
        money=(),
        what_to_do=(
            "See why the newest staging run failed or never began. `billing doctor` checks the billing database; "
            "materialize staged_invoices afterwards."
        ),
        link=_page(ui_url, "assets/staged_invoices"),
        severity=Severity.CRITICAL,
    )


def partition_left_failed(
    *, asset: str, partitions: Sequence[str], ui_url: str, documents: int = 0, money: Money = ()
) -> Alert | None:
    """Partitions that failed and were not materialized again, or None if there are none."""
    if not partitions:
        return None
    return Alert(
        cause=f"partition_left_failed:{asset}",
        title=f"{_count(len(partitions), 'partition')} of {asset} left failed",
        what_happened=f"{_some(partitions)} of {asset} failed and was not materialized again.",
        documents=documents,
        money=money,
        what_to_do=(
            "Open the asset's partitions, filter by Failed, view the logs and fix the cause. Then materialize them "
            "again: only what is left is taken up."
        ),
        link=_page(ui_url, f"assets/{asset}?view=partitions"),
        severity=Severity.WARNING,
    )


def daemon_silent(
    last_heartbeat: datetime | None, now: datetime, limit_seconds: float, *, ui_url: str = ""
) -> Alert | None:
    """Dagster's daemon has given no sign of life for longer than the limit (None: never), or None if it lives."""
    if last_heartbeat is not None and now - last_heartbeat <= timedelta(seconds=limit_seconds):
        return None
    seen = "never gave" if last_heartbeat is None else f"last gave, {_clock(last_heartbeat)},"
    return Alert(
        cause="daemon_silent",
        title="Dagster's daemon is silent",
        what_happened=(
            f"The daemon {seen} a sign of life; the limit is {limit_seconds:g} seconds. Without it no sensor, schedule "
            "or queued run starts: nothing is staged and nothing is posted."
        ),
        documents=0,
        money=(),
        what_to_do="Start the daemon again (its log says why it ended). It goes on where it stopped.",
        link=_page(ui_url, "deployment/daemons") if ui_url else "",
        severity=Severity.CRITICAL,
    )


def message(alert: Alert, *, markdown: bool, repeats: int = 0, told_before: datetime | None = None) -> str:
    """The alert's text for a human. `repeats` says how often the cause came up since the last message."""
    parts = [("What happened", alert.what_happened)]
    if alert.documents:
        amounts = ", ".join(format_money(currency, amount) for currency, amount in alert.money)
        parts.append(("Documents", f"{alert.documents:,}" + (f", {amounts}" if amounts else "")))
    parts.append(("What to do", alert.what_to_do))
    if alert.link:
        parts.append(("Link", alert.link))
    if repeats:
        since = f"since the last message, {_clock(told_before)}" if told_before else "and no message got through"
        parts.append(("Seen", f"{_count(repeats, 'more time')}, {since}"))
    parts.append(("Cause", f"`{alert.cause}`" if markdown else alert.cause))
    return "\n\n".join(f"**{label}:** {text}" if markdown else f"{label}: {text}" for label, text in parts)


def sum_money(pairs: Iterable[tuple[str, Decimal]]) -> Money:
    """Sums by currency of any number of (currency, amount)."""
    sums: dict[str, Decimal] = {}
    for currency, amount in pairs:
        sums[currency] = sums.get(currency, Decimal(0)) + amount
    return tuple(sorted(sums.items()))


def format_money(currency: str, amount: Decimal) -> str:
    """`1,234.50 GBP`; finer amounts are shown in full."""
    exact = amount.quantize(_MINOR_UNIT)
    return f"{exact if exact == amount else amount:,f} {currency}"


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
        title=f"{_count(documents, 'document')} {says.format(hours=limit_hours)}",
        what_happened=f"By state: {by_state}. The oldest waits since {_clock(min(row.oldest for row in rows))}.",
        documents=documents,
        money=sum_money((row.currency, row.total) for row in rows),
        what_to_do=what_to_do,
        link=_page(ui_url, "assets/staged_invoices"),
        severity=Severity.CRITICAL if cause == "unposted:not_moving" else Severity.WARNING,
    )


def _one_line(text: str, most: int = _LONGEST_TEXT) -> str:
    """The first line of an error's text, whole where it is not endless, with what looks like a password masked.

    Our own errors carry no secrets; a driver's may hold a connection URL, and its later lines the row's values.
    """
    line = next((line.strip() for line in text.splitlines() if line.strip()), "no text")
    for pattern in _SECRETS:
        line = pattern.sub(r"\g<1>***", line)
    return shortened(line, most)


def _page(ui_url: str, path: str) -> str:
    return f"{ui_url.rstrip('/')}/{path}"


def _some(keys: Iterable[str]) -> str:
    """`a, b, c and 4 more`."""
    names = sorted(keys)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _count(number: int, one: str, many: str | None = None) -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _clock(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M} UTC"


def _duration(age: timedelta) -> str:
    hours = int(age.total_seconds() // 3600)
    return f"{hours // 24} d {hours % 24} h" if hours >= 48 else f"{hours} h"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
