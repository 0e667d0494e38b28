"""What goes wrong with runs, checks, the daemon, our database and its journal, as alerts; and an alert as a message.

Rooms bring what can go wrong in them (`causes.alerts`).
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from billing_assets.foundation.alerts import Alert, Money, Severity, clock, count, page, some
from billing_assets.foundation.errors import BillingError
from billing_assets.foundation.phrases import shortened

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
        link=page(ui_url, f"runs/{run_id}"),
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
        link=page(ui_url, f"runs/{run_id}"),
        severity=severity,
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
        outcome = f"The journal does not cover the time that is lost. Until a person confirms it: {some(waits)}."
        to_do = (
            "`billing restore list`, then `billing restore confirm-month` and `billing restore confirm-reminders`. "
            "Until then nothing of these is closed or mailed."
        )
    return Alert(
        cause="database_put_back",
        title="The database was put back to an earlier time",
        what_happened=f"Noticed {clock(noticed_at)}: {seen}. {outcome}",
        documents=0,
        money=(),
        what_to_do=to_do,
        link=page(ui_url, "runs"),
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
        link=page(ui_url, "runs"),
        severity=Severity.CRITICAL,
    )


def daemon_silent(
    last_heartbeat: datetime | None, now: datetime, limit_seconds: float, *, ui_url: str = ""
) -> Alert | None:
    """Dagster's daemon has given no sign of life for longer than the limit (None: never), or None if it lives."""
    if last_heartbeat is not None and now - last_heartbeat <= timedelta(seconds=limit_seconds):
        return None
    seen = "never gave" if last_heartbeat is None else f"last gave, {clock(last_heartbeat)},"
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
        link=page(ui_url, "deployment/daemons") if ui_url else "",
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
        since = f"since the last message, {clock(told_before)}" if told_before else "and no message got through"
        parts.append(("Seen", f"{count(repeats, 'more time')}, {since}"))
    parts.append(("Cause", f"`{alert.cause}`" if markdown else alert.cause))
    return "\n\n".join(f"**{label}:** {text}" if markdown else f"{label}: {text}" for label, text in parts)


def format_money(currency: str, amount: Decimal) -> str:
    """`1,234.50 GBP`; finer amounts are shown in full."""
    exact = amount.quantize(_MINOR_UNIT)
    return f"{exact if exact == amount else amount:,f} {currency}"


def _one_line(text: str, most: int = _LONGEST_TEXT) -> str:
    """The first line of an error's text, whole where it is not endless, with what looks like a password masked.

    Our own errors carry no secrets; a driver's may hold a connection URL, and its later lines the row's values.
    """
    line = next((line.strip() for line in text.splitlines() if line.strip()), "no text")
    for pattern in _SECRETS:
        line = pattern.sub(r"\g<1>***", line)
    return shortened(line, most)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
