"""What the mail server answers, and what it means: taken, put off, refused, cut off."""

import socket
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.settings import SettingsError
from billing_assets.receivables.reminders import store
from billing_assets.receivables.reminders.message import Templates
from billing_assets.receivables.reminders.sending import GIVE_UP, RETRY
from billing_assets.receivables.reminders.smtp import Delivery, Server, parse_server
from billing_assets_tests.rooms.receivables.reminders.mail_server import MailServer, mail_server
from billing_assets_tests.rooms.security.test_tls import Authority
from proving.world.reminders import DUE, NOON, materials, open_item, reminder, send, steps


def test_one_bad_address_stops_nobody_else(connection: Connection, mails: MailServer) -> None:
    for number in "123":
        open_item(connection, number, customer=number)
    mails.happens = lambda verb, who: "550 5.1.1 <c2@example.com>: no such user" if who[:2] + verb == "c2RCPT" else None
    report = send(connection, mails.server)
    assert mails.recipients() == ["c1@example.com", "c3@example.com"]
    bounced = reminder(connection, number="2")
    assert (bounced["state"], bounced["smtp_code"], bounced["smtp_status"]) == ("bounced", 550, "5.1.1")
    assert "example.com" not in str([value for name, value in bounced.items() if name != "message_id"])
    assert report.count(Delivery.NEVER) == 1
    assert [row["customer"] for row in store.unreachable(connection)] == ["2"]
    mails.happens = lambda _verb, _who: None
    assert send(connection, mails.server).tried == [], "a person fixes the address first"


@pytest.mark.parametrize("verb", ["RCPT", "DATA"])
def test_what_is_refused_for_now_is_tried_again_later_and_sent_once(
    verb: str, connection: Connection, mails: MailServer
) -> None:
    open_item(connection)
    mails.happens = lambda at, _who: "451 4.7.1 greylisted" if at == verb else None
    assert send(connection, mails.server).count(Delivery.LATER) == 1
    assert reminder(connection)["state"] == "deferred"
    mails.happens = lambda _verb, _who: None
    assert send(connection, mails.server, NOON + RETRY / 2).tried == []
    next_look = NOON + timedelta(minutes=25)  # if its turn came five minutes into the run
    assert send(connection, mails.server, next_look).count(Delivery.SENT) == 1
    assert send(connection, mails.server, NOON + 3 * RETRY).tried == []
    assert len(mails.mails) == 1
    assert reminder(connection)["attempts"] == 2


def test_what_is_put_off_for_days_counts_as_refused(connection: Connection, mails: MailServer) -> None:
    open_item(connection)
    open_item(connection, "2", customer="2")
    full = "450 4.2.2 mailbox full"
    mails.happens = lambda verb, who: full if (verb, who) == ("RCPT", "c12346@example.com") else None
    for step_at in (NOON, NOON + timedelta(days=2), NOON + GIVE_UP + timedelta(days=1)):
        send(connection, mails.server, step_at)
    found = reminder(connection)
    assert (found["state"], found["smtp_code"]) == ("bounced", 450)


def test_a_connection_that_breaks_after_the_text_leaves_an_unknown_that_is_never_sent_again(
    connection: Connection, mails: MailServer
) -> None:
    for number in "12":
        open_item(connection, number, customer=number)
    mails.happens = lambda verb, who: "drop" if (verb, who) == ("DATA", "c1@example.com") else None
    report = send(connection, mails.server)
    assert report.count(Delivery.UNKNOWN) == 1
    assert report.count(Delivery.SENT) == 1, "the next one goes over a new connection"
    mails.happens = lambda _verb, _who: None
    for days in (0, 1, 2):
        send(connection, mails.server, NOON + timedelta(days=days, hours=1))
    assert steps(connection, "1")["due"] == "unknown"
    assert len(mails.arrived) == len(set(mails.arrived)) == 2


@pytest.mark.parametrize("verb", ["MAIL", "RCPT"])
def test_a_connection_that_breaks_before_the_text_loses_nothing(
    verb: str, connection: Connection, mails: MailServer
) -> None:
    open_item(connection)
    left = ["drop"]
    mails.happens = lambda at, _who: left.pop() if at == verb and left else None
    send(connection, mails.server)
    send(connection, mails.server, NOON + RETRY)
    assert len(mails.mails) == 1
    assert steps(connection)["due"] == "sent"


def test_a_server_that_ends_a_connection_after_a_few_mails_gets_another_one(
    connection: Connection, mails: MailServer
) -> None:
    for number in range(6):
        open_item(connection, str(number), customer=str(number))
    asked = iter(range(100))
    mails.happens = lambda verb, _who: "421 4.7.0 enough" if verb == "MAIL" and next(asked) % 3 == 2 else None
    assert send(connection, mails.server).count(Delivery.SENT) == 6
    assert mails.connections > 1


def test_a_server_that_is_not_there_stops_the_run_and_everything_stays_due(connection: Connection) -> None:
    open_item(connection)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = SecretStr(f"smtp://someone:MARKER-password@127.0.0.1:{taken.getsockname()[1]}")
        report = send(connection, parse_server(url))
    assert report.stopped_by is not None
    assert "cannot be reached" in report.stopped_by
    assert "MARKER" not in report.stopped_by
    assert steps(connection) == {}


@pytest.mark.parametrize("answer", ["550 5.7.1 sender refused", "451 4.3.2 later"])
def test_a_server_that_refuses_the_sender_bounces_nobody(
    answer: str, connection: Connection, mails: MailServer
) -> None:
    for number in "12":
        open_item(connection, number, customer=number)
    mails.happens = lambda verb, _who: answer if verb == "MAIL" else None
    report = send(connection, mails.server)
    assert report.stopped_by is not None
    assert answer[:3] in report.stopped_by
    assert steps(connection, "1") == steps(connection, "2") == {}


@pytest.mark.parametrize("answer", ["554 5.7.1 relay access denied", "530 login first", "451 4.3.2 later"])
def test_a_server_that_refuses_everybody_is_not_asked_for_all_of_them_and_bounces_nobody(
    answer: str, connection: Connection, mails: MailServer
) -> None:
    for number in range(30):
        open_item(connection, str(number), customer=str(number))
    mails.happens = lambda verb, _who: answer if verb == "RCPT" else None
    for now in (NOON, NOON + RETRY, NOON + GIVE_UP + timedelta(days=1)):
        report = send(connection, mails.server, now)
        assert report.stopped_by is not None
        assert len(report.tried) == 10
    mails.happens = lambda verb, who: answer if (verb, who) == ("RCPT", "c0@example.com") else None
    report = send(connection, mails.server, NOON + GIVE_UP + timedelta(days=1, hours=2))
    assert (report.count(Delivery.SENT), report.count(Delivery.NEVER)) == (29, 0), (
        "it was fixed: all of them get theirs"
    )
    send(connection, mails.server, NOON + GIVE_UP + timedelta(days=1, hours=3))
    assert reminder(connection, number="0")["state"] == "bounced", "and what it still does not take is of the address"


def test_a_dozen_that_are_put_off_again_and_again_keep_nobody_else_waiting(
    connection: Connection, mails: MailServer
) -> None:
    for number in range(10, 22):
        open_item(connection, str(number), customer=str(number))
    open_item(connection, "99", customer="99", due_date=DUE + timedelta(days=1))
    mails.happens = lambda verb, who: "450 4.2.2 full" if verb == "RCPT" and who != "c99@example.com" else None
    assert send(connection, mails.server).stopped_by is not None
    assert send(connection, mails.server, NOON + RETRY).stopped_by is None
    report = send(connection, mails.server, NOON + timedelta(days=1))
    assert (report.count(Delivery.SENT), report.count(Delivery.LATER), report.stopped_by) == (1, 12, None)


def test_starttls_is_used_where_it_is_offered_and_the_login_goes_through_it(
    connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path)
    open_item(connection)
    with mail_server(authority.server()) as mails:
        report = send(connection, mails.server)
        assert "not trusted" in (report.stopped_by or "")
        assert mails.mails == []
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
        assert send(connection, mails.server).count(Delivery.SENT) == 1
        assert mails.secured == [True]


@pytest.mark.parametrize(
    "url",
    ["mail.example.com", "http://mail.example.com", "smtp://", "smtp://h:port", "smtp://h/path", "smtp://u:MARKER@"],
)
def test_a_wrong_address_of_the_mail_server_is_explained_without_its_password(url: str) -> None:
    with pytest.raises(SettingsError, match="BILLING_REMINDERS__SMTP_URL") as caught:
        parse_server(SecretStr(url))
    assert "MARKER" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail.example.com", Server(False, "mail.example.com", 587, None, None)),
        ("smtps://a%40b:p%2Fw@mail.example.com", Server(True, "mail.example.com", 465, "a@b", "p/w")),
        ("smtp://127.0.0.1:2525", Server(False, "127.0.0.1", 2525, None, None)),
    ],
)
def test_the_address_of_the_mail_server_is_read(url: str, server: Server) -> None:
    assert parse_server(SecretStr(url)) == server
    assert server.local is (server.host == "127.0.0.1")


def test_a_line_that_begins_with_a_dot_arrives_as_it_is(
    connection: Connection, mails: MailServer, tmp_path: Path
) -> None:
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "due.txt.j2").write_text("Subject: x\n\nabove\n.\n..below\n")
    open_item(connection)
    assert (
        send(connection, mails.server, at=replace(materials(), templates=Templates(tmp_path))).count(Delivery.SENT) == 1
    )
    [(_, mail)] = mails.mails
    plain = mail.get_body(("plain",))
    assert plain is not None
    assert plain.get_content().splitlines() == ["above", ".", "..below"]
