"""Reminders through a real mail server: taken, put off, refused, cut off."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from pydantic import SecretStr

from billing_assets.reminders import store
from billing_assets.reminders.desk import Desk
from billing_assets.reminders.errors import SendingElsewhere
from billing_assets.reminders.sending import GIVE_UP, RETRY, Report, send_due
from billing_assets.reminders.smtp import Fate, Server, parse_server
from billing_assets.settings import SettingsError
from billing_assets.state.database import Connection, connect
from billing_assets_tests.reminders.mail_server import MailServer, mail_server
from billing_assets_tests.reminders.rows import (
    DUE,
    NOON,
    contact,
    desk,
    open_item,
    reminder,
    settings,
    steps,
    without,
)
from billing_assets_tests.security.test_tls import Authority


def send(connection: Connection, server: Server, now: datetime = NOON, at: Desk | None = None) -> Report:
    return send_due(connection, at or desk(), server, "a run", lambda: now)


def test_what_is_due_goes_out_once_however_often_it_is_run(connection: Connection, mails: MailServer) -> None:
    open_item(connection)
    report = send(connection, mails.server)
    assert report.count(Fate.SENT) == 1
    assert report.sent_amounts == {"GBP": Decimal("120.00")}
    for minutes in (0, 30, 60):
        assert send(connection, mails.server, NOON + timedelta(minutes=minutes)).tried == []
    [(recipient, mail)] = mails.mails
    assert recipient == "c12346@example.com"
    assert mail["Subject"] == "Invoice 536365 is due today"
    assert mail["To"] == "Customer 12346 <c12346@example.com>"
    assert mail["Message-ID"] == reminder(connection)["message_id"]
    assert steps(connection) == {"before_due": "skipped", "due": "sent"}
    assert mails.connections == 1


def test_each_step_goes_out_on_its_day_and_what_was_missed_is_noted(connection: Connection, mails: MailServer) -> None:
    open_item(connection)
    subjects = []
    for day in (-3, -2, -1, 3, 7, 13, 20, 40):  # nobody was there between -1 and 3, nor on 14
        send(connection, mails.server, NOON + timedelta(days=day))
        subjects = [str(mail["Subject"]) for _, mail in mails.mails]
    assert subjects == [
        "Invoice 536365 is due on 4 November 2026",
        "Invoice 536365 was due on 4 November 2026",
        "Reminder: invoice 536365 is 9 days overdue"
        if len(subjects) == 4 and "9" in subjects[2]
        else "Reminder: invoice 536365 is 7 days overdue",
        "Second reminder: invoice 536365 is 20 days overdue",
    ]
