"""Reminders between journal and database: what a person or a report said later, attempts, and a disk that fills up."""

import resource
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from billing_assets.decisions.store import Subject, history, record
from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.foundation.journal.compared import journal_of
from billing_assets.foundation.journal.restores import note_restore, restores, unconfirmed
from billing_assets.receivables.reminders import journal_store
from billing_assets.receivables.reminders.journaling import note
from billing_assets.receivables.reminders.sending import RETRY
from billing_assets.receivables.reminders.smtp import Delivery
from billing_assets_tests.rooms.foundation.journal.test_files import largest_file
from billing_assets_tests.rooms.operations.test_cli import Command, machine
from billing_assets_tests.rooms.receivables.reminders.mail_server import MailServer
from billing_assets_tests.rooms.receivables.reminders.test_bounces import report as delivery_report
from proving.world.command import complete
from proving.world.journals import compared_journal
from proving.world.reminders import NOON, contact, materials, open_item, reminder, send, steps
from proving.world.system import System

__all__ = ["machine"]


def forget(connection: Connection, states: dict[str, str] | None = None) -> None:
    """As a database that was put back: without these reminders, or with those named in an earlier state."""
    with connection.transaction():
        connection.execute("set local session_replication_role = replica")
        if states is None:
            connection.execute("delete from billing.reminders")
        for number, state in (states or {}).items():
            connection.execute(
                """update billing.reminders
                set state = %(state)s, attempts = attempts - (%(state)s in ('deferred', 'bounced'))::integer,
                    retry_at = now(), decision_id = null
                where number = %(number)s and attempts > 0""",
                {"state": state, "number": number},
            )
        connection.execute("delete from billing.journal_files")


@pytest.mark.parametrize("before", ["sending", "unknown", "deferred", "bounced", "gone"])
def test_whatever_an_earlier_database_says_what_was_sent_counts_as_sent(
    before: str, connection: Connection, mails: MailServer, tmp_path: Path
) -> None:
    open_item(connection, "1")
    send(connection, mails.server, journal=compared_journal(connection, tmp_path / "journal"))
    sent = reminder(connection, "due", "1")
    forget(connection, None if before == "gone" else {"1": before})
    journal = compared_journal(connection, tmp_path / "journal")
    again = reminder(connection, "due", "1")
    for name in ("state", "message_id", "attempts", "open_amount", "customer", "first_claimed_at", "claimed_at"):
        assert again[name] == sent[name], name
    assert again["why"] == journal_store.FROM_JOURNAL
    assert send(connection, mails.server, journal=journal).tried == []
    assert len(mails.arrived) == 1
    [one] = restores(connection)
    assert one.facts == {"reminders_sent": 1}
    compared_journal(connection, tmp_path / "journal")
    assert len(restores(connection)) == 1


def test_a_mail_that_was_put_off_is_tried_again_after_a_restore_and_its_attempts_go_on(
    connection: Connection, mails: MailServer, tmp_path: Path
) -> None:
    open_item(connection, "1")
    mails.happens = lambda verb, _who: "451 4.7.1 later" if verb == "RCPT" else None
    for retry in (0, 1):
        journal = compared_journal(connection, tmp_path / "journal")
        send(connection, mails.server, NOON + retry * RETRY, journal=journal)
    forget(connection)
    journal = compared_journal(connection, tmp_path / "journal")
    row = reminder(connection, "due", "1")
    assert (row["state"], row["attempts"]) == ("deferred", 2)
    mails.happens = lambda _verb, _who: None
    connection.execute("update billing.reminders set retry_at = %s", [NOON])
    assert send(connection, mails.server, NOON + 2 * RETRY, journal=journal).count(Delivery.SENT) == 1
    forget(connection)
    journal = compared_journal(connection, tmp_path / "journal")
    assert steps(connection, "1") == {"due": "sent"}
    assert send(connection, mails.server, NOON + 3 * RETRY, journal=journal).tried == []


def test_what_a_person_or_a_delivery_report_said_later_is_remembered_too(
    machine: Command, system: System, mails: MailServer, tmp_path: Path
) -> None:
    connection = system.state
    for number in "123":
        open_item(connection, number, customer=number)
    answers = {"c1@example.com": "drop", "c2@example.com": "drop"}
    mails.happens = lambda verb, who: answers.get(who) if verb == "DATA" else None
    send(connection, mails.server, journal=journal_of(connection, system.runtime.settings))
    assert [steps(connection, number)["due"] for number in "123"] == ["unknown", "unknown", "sent"]
    who = ("--by", "anna", "--why", "the log of the mail server")
    complete(machine("reminders", "resolve", "1", "due", "--as", "sent", *who), 0, ["Noted as sent"])
    complete(machine("reminders", "resolve", "2", "due", "--as", "again", *who), 0, ["sent at the next look"])
    mail = tmp_path / "report"
    mail.write_bytes(delivery_report(reminder(connection, "due", "3")["message_id"]).as_bytes())
    complete(machine("reminders", "bounces", str(mail)), 0, ["1 reminders came back"])
    forget(connection)
    machine("status")
    assert [steps(connection, number)["due"] for number in "123"] == ["sent", "deferred", "bounced"]
    assert reminder(connection, "due", "1")["decided_by"] == "anna"
    said, again = history(connection, Subject.REMINDER, "invoice 1, step due")
    assert (said.decided_by, said.why, said.decision) == ("anna", "the log of the mail server", "sent")
    assert (again.decided_by, again.decided_at, again.decided_from) == ("anna", said.decided_at, "the journal")
    mails.happens = lambda _verb, _who: None
    report = send(
        connection, mails.server, NOON + timedelta(days=3650), journal=journal_of(connection, system.runtime.settings)
    )
    assert [one.number for one in report.tried if one.step == "due"] == []


def test_no_name_address_or_reason_is_in_the_journal(connection: Connection, mails: MailServer, tmp_path: Path) -> None:
    open_item(connection, "1")
    journal = compared_journal(connection, tmp_path / "journal")
    send(connection, mails.server, journal=journal)
    connection.execute("update billing.reminders set why = 'Mrs Jones called'")
    note(journal, journal_store.by_number(connection, "1", "due"))
    content = b"".join(path.read_bytes() for path in journal.folder.rglob("*.jsonl")).decode()
    assert '"number":"1"' in content
    for private in ("Customer 12346", "c12346@example.com", "is due today", "Jones"):
        assert private not in content


def test_a_disk_that_fills_up_stops_the_run_before_the_mail_that_it_could_not_note(
    connection: Connection, mails: MailServer, tmp_path: Path
) -> None:
    for number in "123":
        open_item(connection, number, customer=number)
    journal = compared_journal(connection, tmp_path / "journal")
    with journal.writer("reminders") as trial:
        head = trial.path.stat().st_size
    soft, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    with largest_file(head + 1_200):
        report = send(connection, mails.server, journal=journal)
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == soft
    assert report.stopped_by is not None
    assert str(journal.folder) in report.stopped_by
    assert "No month is closed and no reminder is sent" in report.stopped_by
    sent = len(mails.arrived)
    assert 0 < sent < 3
    states = [steps(connection, number).get("due") for number in "123"]
    assert states[:sent] == ["sent"] * sent
    assert "unknown" not in states
    assert "sending" not in states
    after = compared_journal(connection, tmp_path / "journal")
    assert restores(connection) == []
    send(connection, mails.server, NOON + RETRY, journal=after)
    assert len(mails.arrived) == len(set(mails.arrived)) == 3


def test_a_database_that_is_put_back_under_a_run_stops_it_at_the_next_mail(
    connection: Connection, state_url: str, mails: MailServer, tmp_path: Path
) -> None:
    for number in "1234":
        open_item(connection, number, customer=number)

    def happens(verb: str, who: str) -> None:
        if (verb, who) == ("DATA", "c2@example.com"):
            with connect(state_url) as other:
                forget(other)

    mails.happens = happens
    report = send(connection, mails.server, journal=compared_journal(connection, tmp_path / "journal"))
    assert report.stopped_by is not None
    assert "put back meanwhile" in report.stopped_by
    assert len(mails.arrived) == 2
    mails.happens = lambda _verb, _who: None
    journal = compared_journal(connection, tmp_path / "journal")
    assert [steps(connection, number) for number in "12"] == [{"due": "sent"}, {"due": "unknown"}]
    send(connection, mails.server, journal=journal)
    assert len(mails.arrived) == len(set(mails.arrived)) == 4


def test_a_person_may_say_after_a_restore_that_what_is_due_was_sent_also_what_is_read_as_open_only_later(
    machine: Command, system: System, mails: MailServer
) -> None:
    connection = system.state
    today = datetime.now(UTC).date()
    note_restore(connection, "netsuite", {"documents": 1})
    who = ("--by", "anna", "--why", "the log of the mail server has all of them")
    confirmed = machine("restore", "confirm-reminders", "--as", "sent", *who)
    complete(confirmed, 0, [f"What fell due up to {today} counts as sent"])
    complete(machine("restore", "confirm-reminders", "--as", "sent", *who), 2, ["No restore waits"])
    complete(machine("restore", "list"), 0, ["sent until", "anna"])
    open_item(connection, "1", due_date=today - timedelta(days=2))
    noon = datetime.combine(today, NOON.timetz())
    journal = journal_of(connection, system.runtime.settings)
    for days in range(31):
        send(connection, mails.server, noon + timedelta(days=days), journal=journal)
    assert set(steps(connection, "1")) == {"overdue_7", "overdue_14"}
    assert [str(mail["Subject"]).partition(":")[0] for _, mail in mails.mails] == ["Reminder", "Second reminder"]


def test_what_counts_as_sent_after_a_restore_ends_with_the_day_where_the_customer_is(
    connection: Connection, mails: MailServer
) -> None:
    """09:30 in Sydney on the 4th: what went out there since nine is not sent twice; London's 4th is still to come."""
    confirmed = datetime(2026, 11, 3, 22, 30, tzinfo=UTC)
    connection.execute("insert into billing.restores (how, covered, facts) values ('netsuite', false, '{}')")
    decided = record(connection, Subject.RESTORE, "reminders", "confirmed", "anna", "the log", at=confirmed)
    connection.execute(
        "insert into billing.restore_confirmations (restore, what, decision_id, sent_until) "
        "select id, 'reminders', %s, '2026-11-03' from billing.restores",
        [decided.id],
    )
    there = contact("1", country="AU", timezone="Australia/Sydney")
    for customer in "12":
        open_item(connection, customer, customer=customer)
    for moment in (confirmed, NOON, NOON + timedelta(days=1)):
        send(connection, mails.server, moment, at=materials(there))
    assert (steps(connection, "1"), steps(connection, "2")) == ({}, {"due": "sent"})


def test_a_month_that_had_begun_in_sydney_when_a_restore_was_noticed_waits_for_a_word_too(
    connection: Connection,
) -> None:
    noticed = "insert into billing.restores (how, covered, facts, noticed_at) values ('netsuite', false, '{}', %s)"
    connection.execute(noticed, [datetime(2011, 1, 31, 9, tzinfo=UTC)])
    assert (len(unconfirmed(connection, "month", "2011-01")), unconfirmed(connection, "month", "2011-02")) == (1, [])
    connection.execute(noticed, [datetime(2011, 1, 31, 21, 30, tzinfo=UTC)])
    assert len(unconfirmed(connection, "month", "2011-02")) == 1
