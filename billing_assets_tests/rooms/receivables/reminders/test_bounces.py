"""Delivery reports as mail servers write them, from every kind of mailbox."""

import mailbox
from base64 import b64encode
from datetime import timedelta
from email import message_from_bytes, message_from_string
from email.message import Message
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_assets.foundation.database.connection import Connection
from billing_assets.receivables.reminders import store
from billing_assets.receivables.reminders.bounces import note_bounces, read_mailbox, read_stream
from billing_assets.receivables.reminders.delivery_reports import Unclear, delivery_report, read
from billing_assets.receivables.reminders.sending import send_due
from billing_assets_tests.rooms.receivables.reminders.mail_server import MailServer
from proving.world.journals import new_journal
from proving.world.reminders import NOON, materials, open_item, reminder, steps

POSTFIX = """\
Return-Path: <>
From: MAILER-DAEMON@mail.example.com (Mail Delivery System)
To: receivables@example.com
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="B1"
Message-Id: <20261104120001.ABC@mail.example.com>

This is a MIME-encapsulated message.

--B1
Content-Type: text/plain; charset=us-ascii

<c12346@example.com>: host mx.example.com said: 550 5.1.1 User unknown

--B1
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.example.com
Arrival-Date: Wed,  4 Nov 2026 12:00:00 +0000

Final-Recipient: rfc822; c12346@example.com
Original-Recipient: rfc822;c12346@example.com
Action: {action}
Status: {status}
Diagnostic-Code: smtp; 550 5.1.1 User unknown

--B1
Content-Type: {kind}

From: receivables@example.com
To: c12346@example.com
Subject: Invoice 536365 is due today
Message-ID: {message_id}

--B1--
"""
OURS = "<reminder-0123456789abcdef0123456789abcdef@example.com>"

REPORT = POSTFIX.format(action="failed", status="5.1.1", kind="message/rfc822", message_id=OURS)
GLOBAL = REPORT.replace("message/delivery-status", "message/global-delivery-status")
BARE = REPORT.partition("--B1\nContent-Type: message/rfc822")[0] + "--B1--\n"
STATUS = "Reporting-MTA: dns; mx\n\nFinal-Recipient: utf-8; ä@example.com\nAction: failed\nStatus: 5.1.1\n"
ENCODED = "Content-Transfer-Encoding: base64\n\n"
FORMS = {
    "global status": GLOBAL,
    "global headers": GLOBAL.replace("Content-Type: message/rfc822", "Content-Type: message/global-headers"),
    "global original": REPORT.replace("Content-Type: message/rfc822", "Content-Type: message/global"),
    "global, encoded": "Content-Type: multipart/report; boundary=B1\n\n"
    "--B1\nContent-Type: message/global-delivery-status\n"
    f"{ENCODED}{b64encode(STATUS.encode()).decode()}\n--B1\nContent-Type: message/global-headers\n"
    f"{ENCODED}{b64encode(f'Message-ID: {OURS}'.encode()).decode()}\n--B1--\n",
    "id in the status": BARE.replace("Arrival-Date:", f"X-Original-Message-ID: {OURS}\nArrival-Date:"),
    "id in the head": f"In-Reply-To: {OURS}\nReferences: {OURS}\n{BARE}",
    "a comment": REPORT.replace("Action: failed", "Action: failed (user unknown)"),
    "an error": REPORT.replace("Action: failed", "Action: error"),
    "qmail": f"""\
Return-Path: <>
From: MAILER-DAEMON@mail.example.com
Subject: failure notice

Hi. This is the qmail-send program at mail.example.com.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<c12346@example.com>:
This address no longer accepts mail. (#5.1.1)

--- Below this line is a copy of the message.

From: receivables@example.com
Message-ID: {OURS}
Subject: Invoice 536365 is due today

Dear customer,
""",
    "exim": f"""\
From: Mail Delivery System <Mailer-Daemon@mail.example.com>
Subject: Mail delivery failed: returning message to sender
X-Failed-Recipients: c12346@example.com
Auto-Submitted: auto-replied

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  c12346@example.com
    550 5.1.1 User unknown

------ This is a copy of the message's headers. ------

From: receivables@example.com
Message-Id: {OURS}
""",
    "exchange": f"""\
From: System Administrator <postmaster@example.com>
Subject: Undeliverable: Invoice 536365 is due today
In-Reply-To: {OURS}

Your message

  Subject: Invoice 536365 is due today
  Sent:    Wed, 4 Nov 2026 12:00:00 +0000

did not reach the following recipient(s):

c12346@example.com on Wed, 4 Nov 2026 12:00:01 +0000
    The recipient name is not recognized: 5.1.1
""",
}
CLERKS = "<a-clerks-answer@example.com>"


def report(
    message_id: str = OURS, action: str = "failed", status: str = "5.1.1", kind: str = "message/rfc822"
) -> Message:
    """A report as Postfix writes it; Exchange and others enclose `text/rfc822-headers` only."""
    return message_from_string(POSTFIX.format(message_id=message_id, action=action, status=status, kind=kind))


@pytest.mark.parametrize("kind", ["message/rfc822", "text/rfc822-headers", "text/rfc822-headers; charset=us-ascii"])
def test_a_report_names_the_mail_that_failed_and_why(kind: str) -> None:
    assert delivery_report(report(kind=kind)) == (OURS, "5.1.1")


@pytest.mark.parametrize(
    "mail",
    [
        report(action="delayed", status="4.4.1"),
        report(action="delivered", status="2.0.0"),
        report(message_id="<somebody-elses@example.com>"),
        report(message_id=""),
        message_from_string(f"Subject: Re: Invoice\nIn-Reply-To: {OURS}\n\nI have paid."),
        message_from_string("Content-Type: multipart/report; boundary=x\n\n--x\n\ngarbage"),
        message_from_string("Content-Type: multipart/report"),
    ],
    ids=["delayed", "delivered", "another mail", "no id", "an answer", "garbage", "empty"],
)
def test_what_is_no_failure_of_ours_is_left_alone(mail: Message) -> None:
    assert delivery_report(mail) is None


@pytest.mark.parametrize("form", FORMS)
def test_a_report_is_a_report_in_whatever_of_the_usual_forms_it_comes(form: str) -> None:
    for mail in (message_from_string(FORMS[form]), message_from_bytes(FORMS[form].encode())):
        assert delivery_report(mail) == (OURS, "5.1.1")


@pytest.mark.parametrize("form", ["id in the status", "id in the head", "global status"])
def test_one_that_is_only_late_is_not(form: str) -> None:
    late = FORMS[form].replace("Action: failed", "Action: delayed").replace("Status: 5.1.1", "Status: 4.4.1")
    assert read(message_from_string(late)) is None


@pytest.mark.parametrize(
    "mail",
    [
        REPORT.replace(OURS, CLERKS).replace(f"Message-ID: {CLERKS}", f"References: {OURS}\nMessage-ID: {CLERKS}"),
        f"In-Reply-To: {CLERKS}\nReferences: {OURS} {CLERKS}\n{BARE}",
        FORMS["qmail"].replace(f"Message-ID: {OURS}", f"Message-ID: {CLERKS}\nReferences: {OURS}"),
    ],
    ids=["enclosed", "in the head", "in the text"],
)
def test_a_mail_that_answered_ours_and_came_back_is_another_mail(mail: str) -> None:
    assert read(message_from_string(mail)) is Unclear.NAMES_NONE


def test_an_answer_is_no_report_even_if_it_quotes_one() -> None:
    head = f"From: c12346@example.com\nSubject: Re: Invoice\nIn-Reply-To: {OURS}\n"
    assert read(message_from_string(f"{head}\nI have paid.")) is None
    assert read(message_from_string(head + FORMS["qmail"].partition("Subject: failure notice\n")[2])) is None
    absent = message_from_string(f"Auto-Submitted: auto-replied\n{head}\nI am back on Monday.")
    assert read(absent) is None
    receipt = f"Content-Type: multipart/report; report-type=disposition-notification; boundary=x\n{head}\n--x--"
    assert read(message_from_string(receipt)) is None


def test_what_cannot_be_understood_is_counted_and_can_be_found(connection: Connection) -> None:
    open_item(connection)
    strange = "Message-ID: <1@mx.example.net>\nDate: Wed, 4 Nov 2026 13:00:00 +0000\nFrom: MAILER-DAEMON@mx\n\nOh no."
    mails = [strange, "Subject: hello\n\nhello", REPORT.replace(OURS, CLERKS), REPORT]
    found = note_bounces(connection, map(message_from_string, mails), NOON)
    assert (found.mails, len(found.noted), found.unknown) == (4, 0, 1)
    assert [one.why for one in found.strange] == [Unclear.NOT_READ, Unclear.NAMES_NONE]
    assert found.strange[0][1:] == ("Wed, 4 Nov 2026 13:00:00 +0000", "<1@mx.example.net>")
    assert found.strange[1].message_id == "<20261104120001.ABC@mail.example.com>", (
        "the report's own, by which it is found"
    )


def test_a_report_without_a_readable_status_still_counts() -> None:
    assert delivery_report(report(status="unknown")) == (OURS, None)


@given(st.text())
def test_no_mail_however_broken_stops_the_reading(text: str) -> None:
    head = "Content-Type: multipart/report; boundary=B1\n\n--B1\nContent-Type: message/delivery-status\n\n"
    for mail in (message_from_string(text), message_from_string(head + text), report(text, text, text)):
        delivery_report(mail)


def test_a_reminder_that_came_back_is_marked_once_and_its_customer_named_by_number(
    connection: Connection, mails: MailServer, tmp_path: Path
) -> None:
    for number in "12":
        open_item(connection, number, customer=number)
    send_due(connection, materials(), mails.server, "a run", lambda: NOON, new_journal())
    message_id = str(reminder(connection, number="1")["message_id"])
    box = mailbox.mbox(tmp_path / "mbox")
    for mail in (report(message_id), report(), message_from_string("Subject: hello\n\nhello"), report(message_id)):
        box.add(mail)
    box.close()
    later = NOON + timedelta(hours=1)
    found = note_bounces(connection, read_mailbox(tmp_path / "mbox"), later)
    assert (found.mails, len(found.noted), found.unknown) == (4, 1, 1)
    assert steps(connection, "1")["due"] == "bounced"
    assert steps(connection, "2")["due"] == "sent"
    [row] = store.unreachable(connection)
    assert (row["customer"], row["smtp_status"]) == ("1", "5.1.1")
    assert "@" not in str(row)
    again = note_bounces(connection, read_mailbox(tmp_path / "mbox"), later + timedelta(hours=1))
    assert (len(again.noted), again.known, again.unknown) == (0, 2, 1), "a report that was noted before is no news"
    assert reminder(connection, number="1")["settled_at"] == later
    assert store.resolve(connection, "1", "due", send_again=True, by="anna", why="address fixed", now=later)
    send_due(connection, materials(), mails.server, "a run", lambda: later, new_journal())
    note_bounces(connection, read_mailbox(tmp_path / "mbox"), later + timedelta(hours=2))
    assert steps(connection, "1")["due"] == "sent", "a report about the first mail says nothing of the second"
    note_bounces(connection, iter([report(mails.message_ids()[-1])]), later + timedelta(hours=3))
    assert steps(connection, "1")["due"] == "bounced"
    send_due(connection, materials(), mails.server, "a run", lambda: NOON + timedelta(days=7), new_journal())
    assert store.unreachable(connection) == [], "a later reminder got through"


def test_mails_are_read_from_maildirs_single_files_and_streams(tmp_path: Path) -> None:
    maildir = mailbox.Maildir(tmp_path / "maildir")
    maildir.add(report())
    (tmp_path / "one.eml").write_bytes(report().as_bytes())
    box = mailbox.mbox(tmp_path / "mbox")
    box.add(report())
    box.add(report())
    box.close()
    (tmp_path / "empty").touch()
    counts = [
        [delivery_report(mail) for mail in read_mailbox(tmp_path / name)] for name in ("maildir", "one.eml", "mbox")
    ]
    assert counts == [[(OURS, "5.1.1")], [(OURS, "5.1.1")], [(OURS, "5.1.1")] * 2]
    assert [delivery_report(mail) for mail in read_mailbox(tmp_path / "empty")] == [None]
    for name, mails in (("one.eml", 1), ("mbox", 2)):
        found = list(read_stream(BytesIO((tmp_path / name).read_bytes())))
        assert [delivery_report(mail) for mail in found] == [(OURS, "5.1.1")] * mails
