"""Messages through a real mail server and a real webhook receiver."""

import json
import logging
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.header import decode_header, make_header
from io import StringIO

import pytest
import structlog
from apprise.plugins.smtp2go import NotifySMTP2Go

from billing_assets.foundation.alerts import Alert, Severity
from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.foundation.mail import QUIET
from billing_assets.foundation.sections import AlertSettings
from billing_assets.operations.alerts.causes import run_failure
from billing_assets.operations.alerts.send import AlertDeliveryError, deliver, masked
from billing_assets_tests.rooms.operations.alerts.conftest import Mailbox, Webhook

NOW = datetime(2010, 12, 1, 12, 0, tzinfo=UTC)
ALERT = run_failure(
    job="netsuite_invoices",
    error="RejectedDocuments",
    message="2 documents were refused: INVALID_CONTENT at item.items[0].item",
    run_id="4a1e0f1c",
    ui_url="http://dagster.example.com:3000",
    partition="2010-11-0042",
    documents=2,
    money=(("EUR", Decimal("-5.5")), ("GBP", Decimal("12345.67"))),
)
OTHER = Alert("other", "Another problem <b>", "£ & <b> \U0001f4b7", 0, (), "Look.", "", Severity.WARNING)


def settings(*urls: str, window: int = 60) -> AlertSettings:
    return AlertSettings(urls=" ".join(urls), window_minutes=window)


def six_alerts() -> list[Alert]:
    return [run_failure(job=f"job{n}", error="E", message="m", run_id="r", ui_url="http://ui") for n in range(6)]


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_mail_says_what_happened_how_much_money_what_to_do_and_where(connection: Connection, mailbox: Mailbox) -> None:
    report = deliver(connection, [ALERT], settings(mailbox.url), "qa", now=NOW)
    assert report.sent == (ALERT.cause,)
    [(recipients, mail)] = mailbox.mails
    assert recipients == ["ops@example.com"]
    assert mail["Subject"] == "[qa] netsuite_invoices for 2010-11-0042 failed: RejectedDocuments"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["X-Auto-Response-Suppress"] == "OOF, AutoReply"
    assert mail.get_content_type() == "text/plain"
    text = mailbox.text()
    assert "ended with RejectedDocuments: 2 documents were refused: INVALID_CONTENT at item.items[0].item" in text
    assert "Documents: 2, -5.50 EUR, 12,345.67 GBP" in text
    assert "What to do: Open the run" in text
    assert "http://dagster.example.com:3000/runs/4a1e0f1c" in text


def test_a_mail_over_a_services_interface_asks_machines_not_to_answer_either(
    connection: Connection, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(NotifySMTP2Go, "notify_url", f"http://127.0.0.1:{webhook.port}/")
    url = "smtp2go://billing@example.com/0123456789abcdef/ops@example.com?+Precedence=list"
    deliver(connection, [ALERT], settings(url), "qa", now=NOW)
    [post] = webhook.posts
    assert {one["header"]: one["value"] for one in post["custom_headers"]} == QUIET | {"Precedence": "list"}


def test_a_long_error_and_a_title_in_any_letters_arrive_whole(connection: Connection, mailbox: Mailbox) -> None:
    """The mail about a batch with three reasons ended in the middle of a word."""
    reasons = " ".join(f"INV-{n}: INVALID_KEY_OR_REF, the item of line {n} is inactive in NetSuite." for n in range(9))
    alert = run_failure(job="Фактурирование Zürich", error="E" * 60, message=reasons, run_id="r", ui_url="http://ui")
    deliver(connection, [alert], settings(mailbox.url), "prod", now=NOW)
    [(_, mail)] = mailbox.mails
    assert str(make_header(decode_header(mail["Subject"]))) == f"[prod] {alert.title}"
    assert reasons in mailbox.text()


@pytest.mark.parametrize(
    "where", ["b%C3%BCcher.example?to=ops@example.com", "x.example?to=ops@bergstra%C3%9Fe.example", "u:p@fuß.example"]
)
def test_no_alert_goes_to_another_domain_than_was_written(where: str, connection: Connection) -> None:
    """apprise reads ops@bergstraße.example as ops@bergstra."""
    with pytest.raises(AlertDeliveryError, match="write it as the DNS has it"):
        deliver(connection, [ALERT], settings(f"mailto://{where}"), "qa", now=NOW)


def test_a_webhook_gets_the_same_with_the_severity(connection: Connection, webhook: Webhook) -> None:
    deliver(connection, [ALERT, OTHER], settings(webhook.url()), "qa", now=NOW)
    first, second = sorted(webhook.posts, key=lambda post: str(post["type"]))
    assert first["title"] == f"[qa] {ALERT.title}"
    assert "Documents: 2, -5.50 EUR, 12,345.67 GBP" in first["message"]
    assert (first["type"], second["type"]) == ("failure", "warning")
    assert second["title"] == "[qa] Another problem <b>"
    assert "£ & <b> \U0001f4b7" in second["message"]


def test_a_channel_that_speaks_markdown_gets_markdown(connection: Connection, webhook: Webhook) -> None:
    deliver(connection, [ALERT], settings(webhook.url("/hook?format=markdown")), "qa", now=NOW)
    assert "**What happened:** The run of netsuite_invoices" in webhook.posts[0]["message"]


def test_one_message_per_cause_within_the_window_and_the_next_one_says_how_often(
    connection: Connection, mailbox: Mailbox, webhook: Webhook
) -> None:
    both = settings(mailbox.url, webhook.url())
    for minute in (0, 5, 10, 59):
        deliver(connection, [ALERT, ALERT], both, "qa", now=NOW + timedelta(minutes=minute))
    assert len(mailbox.mails) == len(webhook.posts) == 1
    report = deliver(connection, [ALERT], both, "qa", now=NOW + timedelta(minutes=60))
    assert report.sent == (ALERT.cause,)
    assert len(mailbox.mails) == len(webhook.posts) == 2
    assert "Seen: 7 more times, since the last message, 2010-12-01 12:00 UTC" in mailbox.text(1)


def test_several_causes_go_out_side_by_side_without_waiting_for_each_other(
    connection: Connection, mailbox: Mailbox
) -> None:
    """apprise makes a channel that is used again wait 5.5 s; six causes would outlast a sensor's tick."""
    began = time.monotonic()
    deliver(connection, six_alerts(), settings(mailbox.url), "qa", now=NOW)
    assert len(mailbox.mails) == 6
    assert time.monotonic() - began < 5 * 5.5


def test_two_watchers_at_once_send_one_message(state_url: str, webhook: Webhook) -> None:
    def watcher(_: int) -> tuple[str, ...]:
        with connect(state_url) as connection:
            return deliver(connection, [ALERT], settings(webhook.url()), "qa", now=NOW).sent

    with ThreadPoolExecutor(4) as pool:
        sent = list(pool.map(watcher, range(4)))
    assert len(webhook.posts) == 1
    assert sorted(map(len, sent)) == [0, 0, 0, 1]


def test_a_channel_that_is_down_does_not_stop_the_others(
    connection: Connection, mailbox: Mailbox, webhook: Webhook
) -> None:
    webhook.status = 500
    down = f"json://127.0.0.1:{closed_port()}/x"
    report = deliver(connection, [ALERT], settings(down, webhook.url(), mailbox.url), "qa", now=NOW)
    assert len(mailbox.mails) == 1
    assert report.sent == (ALERT.cause,)
    assert [failure.channel for failure in report.failures] == ["1 (json://…)", "2 (json://…)"]
    assert "error=500" in report.failures[1].reason
    assert deliver(connection, [ALERT], settings(down), "qa", now=NOW).repeated == (ALERT.cause,), "people know already"


def test_when_no_channel_works_the_error_is_red_and_the_next_look_sends(
    connection: Connection, webhook: Webhook
) -> None:
    webhook.status = 503
    with pytest.raises(AlertDeliveryError) as raised:
        deliver(connection, [ALERT, OTHER], settings(webhook.url("/secret-path-1")), "qa", now=NOW)
    assert raised.value.causes == (ALERT.cause, "other")
    assert "BILLING_ALERTS__URLS" in str(raised.value)
    assert "secret-path-1" not in str(raised.value)
    webhook.status = 200
    report = deliver(connection, [ALERT, OTHER], settings(webhook.url("/secret-path-1")), "qa", now=NOW)
    assert report.sent == (ALERT.cause, "other")
    assert "Seen: 1 more time, and no message got through" in webhook.posts[0]["message"]


def test_a_channel_that_never_answers_costs_its_wait_once_however_many_causes(
    connection: Connection, mailbox: Mailbox
) -> None:
    """A tick of Dagster's sensors lasts at most 60 s."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as deaf:
        url = f"json://127.0.0.1:{deaf.getsockname()[1]}/x?rto=1"
        began = time.monotonic()
        report = deliver(connection, six_alerts(), settings(url, mailbox.url), "qa", now=NOW)
    assert time.monotonic() - began < 5
    assert [failure.channel for failure in report.failures] == ["1 (json://…)"] * 6
    assert len(mailbox.mails) == 6


def test_without_channels_alerts_are_logged_once_a_window_and_kept_in_the_table(connection: Connection) -> None:
    with structlog.testing.capture_logs() as logs:
        first = deliver(connection, [ALERT], settings(), "qa", now=NOW)
        deliver(connection, [ALERT], settings(), "qa", now=NOW + timedelta(minutes=5))
    assert first.logged == (ALERT.cause,)
    assert [entry["event"] for entry in logs] == ["alert_without_channel"]
    row = connection.execute("select message, repeats from billing.alerts").fetchone()
    assert row is not None
    assert row["repeats"] == 1
    assert "12,345.67 GBP" in row["message"]


@pytest.fixture
def root_log() -> Iterator[StringIO]:
    """What a process prints that logs all from INFO on (caplog would also hear loggers that do not propagate)."""
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield stream
    root.setLevel(level)
    root.removeHandler(handler)


def test_no_part_of_a_channels_url_is_logged_reported_or_raised(
    connection: Connection, webhook: Webhook, root_log: StringIO, capfd: pytest.CaptureFixture[str]
) -> None:
    webhook.status = 403
    secrets = ("hunter2", "p@ss", "T0KEN-A", "T0KEN-B", "host-name-secret", "B0T-secret")
    urls = (
        f"json://user:hunter2@127.0.0.1:{webhook.port}/T0KEN-A?token=T0KEN-B",
        f"json://user:p%40ss@127.0.0.1:{closed_port()}/T0KEN-A",
        "slack://T0KEN-A",
        "json://host-name-secret.invalid/T0KEN-B",
        f"mailto://user:hunter2@example.com:{closed_port()}?smtp=127.0.0.1&mode=insecure&to=B0T-secret@example.com",
        "nosuchservice://T0KEN-A",
        "B0T-secret",
    )
    with structlog.testing.capture_logs() as logs, pytest.raises(AlertDeliveryError) as raised:
        deliver(connection, [ALERT], settings(*urls), "qa", now=NOW)
    assert len(raised.value.failures) == len(urls)
    printed = capfd.readouterr()
    everything = (
        json.dumps(logs) + root_log.getvalue() + printed.out + printed.err + str(raised.value) + repr(raised.value)
    )
    for secret in secrets:
        assert secret.lower() not in everything.lower()
    shown = str(raised.value)
    assert "1 (json://…): Failed to send *** POST notification: error=403." in shown
    assert "5 (mailto://…): Connection error while submitting email" in shown
    assert "7 (no scheme)" in shown


def test_a_url_is_shown_as_its_scheme_only() -> None:
    assert masked("SLACK://T1/T2/T3") == "slack://…"
    assert masked("xoxb-123-456") == "no scheme"
