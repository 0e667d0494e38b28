"""Sending alerts through apprise: every channel gets the message, and one that is down does not stop the others.

A channel's URL holds its secrets, for many services in the host or the path, so a URL is only ever shown as its scheme.
"""

import logging
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import unquote

import structlog
from apprise import Apprise, AppriseAsset, NotifyFormat, NotifyType
from pydantic import SecretStr

from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.errors import BillingError
from billing_assets.foundation.mail import QUIET
from billing_assets.foundation.sections import AlertSettings
from billing_assets.operations.alerts import store
from billing_assets.operations.alerts.causes import Alert, Severity, message

SEND_SECONDS = 20
"""Longest wait for one channel, whatever the timeouts in its URL."""

_AT_ONCE = 16
_MAIL = re.compile(r"(?i)mailtos?://")
_TAKES_MAIL_HEADERS = re.compile(r"(?i)(mailtos?|mailgun|smtp2go|sparkpost)://")  # headers of others are HTTP's

# apprise logs URLs whose path it does not mask (json://, workflows://, …): we report its failures ourselves, masked.
_apprise_log = logging.getLogger("apprise")
_apprise_log.addHandler(logging.NullHandler())
_apprise_log.propagate = False

_log = structlog.get_logger(__name__)
_ASSET = AppriseAsset(app_id="billing", app_desc="Billing alerts", app_url="")
_TYPES = {Severity.WARNING: NotifyType.WARNING, Severity.CRITICAL: NotifyType.FAILURE}


class ChannelFailure(NamedTuple):
    """A channel that did not take a message: `channel` as `2 (slack://…)`, `reason` without any part of its URL."""

    cause: str
    channel: str
    reason: str


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """What became of each alert, by cause: sent, held back as a repeat, or only logged because there is no channel."""

    sent: tuple[str, ...]
    repeated: tuple[str, ...]
    logged: tuple[str, ...]
    failures: tuple[ChannelFailure, ...]


class AlertDeliveryError(BillingError):
    """No channel took some alerts. They stay due: the next look sends them."""

    retryable = True

    def __init__(self, causes: Sequence[str], failures: Sequence[ChannelFailure]) -> None:
        self.causes = tuple(causes)
        self.failures = tuple(failures)
        channels = sorted({f"{failure.channel}: {failure.reason}" for failure in failures})
        super().__init__(
            f"No alert channel took the alerts {', '.join(causes)}. {' '.join(channels)} "
            "Check BILLING_ALERTS__URLS and that this machine reaches those services; the alerts are sent again at the "
            "next look."
        )


def deliver(
    connection: Connection,
    alerts: Sequence[Alert],
    settings: AlertSettings,
    environment: str,
    *,
    now: datetime | None = None,
) -> DeliveryReport:
    """Tell people about each alert, once per cause within `settings.window_minutes`, over all processes.

    The `environment` (dev, qa, prod) is the first word of every message: several may send to one mailbox.
    Without channels the alert is logged instead, also once per window, and stays in billing.alerts. A channel that
    fails is logged and reported. Raises AlertDeliveryError at the end if some alert was taken by no channel.
    """
    when = now or datetime.now(UTC)
    claims: list[tuple[Alert, store.Claim]] = []
    repeated = []
    for alert in alerts:
        claim = store.claim(connection, alert, settings.window_minutes, when)
        if claim is None:
            repeated.append(alert.cause)
        else:
            claims.append((alert, claim))
    failures = _send(claims, settings.urls, environment)
    sent, logged, undelivered = [], [], []
    for alert, claim in claims:
        failed = sum(failure.cause == alert.cause for failure in failures)
        if not settings.urls:
            _log.warning(
                "alert_without_channel",
                cause=alert.cause,
                title=alert.title,
                documents=alert.documents,
                to_do="set BILLING_ALERTS__URLS; until then alerts are in the table billing.alerts",
            )
            store.confirm(connection, claim, when)
            logged.append(alert.cause)
        elif failed == len(settings.urls):
            store.give_back(connection, claim)
            undelivered.append(alert.cause)
        else:
            _log.info("alert_sent", cause=alert.cause, channels=len(settings.urls) - failed)
            store.confirm(connection, claim, when)
            sent.append(alert.cause)
    for failure in failures:
        _log.warning("alert_channel_failed", **failure._asdict())
    if undelivered:
        raise AlertDeliveryError(undelivered, [failure for failure in failures if failure.cause in undelivered])
    return DeliveryReport(tuple(sent), tuple(repeated), tuple(logged), failures)


def masked(url: str) -> str:
    """A channel's URL as it may be shown: `slack://…`."""
    scheme = re.match(r"([A-Za-z][A-Za-z0-9]{1,19})://", url)
    return f"{scheme[1].lower()}://…" if scheme else "no scheme"


def _send(
    claims: Sequence[tuple[Alert, store.Claim]], urls: Sequence[SecretStr], environment: str
) -> tuple[ChannelFailure, ...]:
    """Send every alert to every channel, all side by side: one that does not answer must not use up a sensor's tick."""
    posts = [
        (alert, claim, number, url.get_secret_value())
        for alert, claim in claims
        for number, url in enumerate(urls, start=1)
    ]
    with ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="alert") as pool:
        reasons = list(pool.map(lambda post: _post(post[0], post[1], post[3], environment), posts))
    return tuple(
        ChannelFailure(alert.cause, f"{number} ({masked(url)})", reason)
        for (alert, _, number, url), reason in zip(posts, reasons, strict=True)
        if reason is not None
    )


def _post(alert: Alert, claim: store.Claim, url: str, environment: str) -> str | None:
    """Send to one channel: None, or why it did not take the message."""
    is_mail = _MAIL.match(url) is not None
    if is_mail and not all(host.isascii() for host in _hosts(url)):
        return "its domain has letters that apprise drops or misreads; write it as the DNS has it (xn--…)."
    # A new channel object for each message: apprise makes one that is used again wait 5.5 s between messages.
    channel = Apprise.instantiate(url, asset=_ASSET)
    if channel is None:
        return "apprise cannot read this URL; check its parts against the channel's page in apprise's documentation."
    if not getattr(channel, "verify_certificate", True):
        return "its URL switches the verification of certificates off (verify=no); take that out."
    headers = getattr(channel, "headers", None)
    if _TAKES_MAIL_HEADERS.match(url) and isinstance(headers, dict):
        headers.update(QUIET | headers)
    markdown = channel.resolve_format() is NotifyFormat.MARKDOWN
    sender = Apprise(asset=_ASSET)
    sender.add(channel)
    result = sender.notify(
        title=f"[{environment}] {alert.title}",
        body=message(alert, markdown=markdown, repeats=claim.repeats, told_before=claim.told_before),
        body_format=NotifyFormat.MARKDOWN if markdown else NotifyFormat.TEXT,
        notify_type=_TYPES[alert.severity],
        timeout=SEND_SECONDS,
    )
    if result:
        return None
    said = " ".join(entry.message for entry in result.logs()) or f"no answer within {SEND_SECONDS} s."
    return _without_parts_of(url, said)


def _hosts(url: str) -> list[str]:
    """The server of a mail channel's URL, and the domains of all addresses in it."""
    address = unquote(url.partition("://")[2])
    named = [part.rpartition("@")[2] for part in re.split(r"[/?&=,;<>\s\"]+", address) if "@" in part]
    return [re.split(r"[/?]", address)[0].rpartition("@")[2], *re.findall(r"[?&]smtp=([^&]*)", address), *named]


def _without_parts_of(url: str, text: str) -> str:
    """The text with everything masked that is in the URL, as it is there or unquoted."""
    parts = {part for form in (url, unquote(url)) for part in re.split(r"[:/?&=@,\s]+", form) if len(part) > 2}
    parts |= {unquote(part) for part in parts}
    for part in sorted(parts, key=len, reverse=True):
        text = re.sub(re.escape(part), "***", text, flags=re.IGNORECASE)
    return text
