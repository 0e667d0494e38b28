"""Reminders through a real mail server: taken, put off, refused, cut off."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr

from billing_assets.reminders import message, store
from billing_assets.reminders.desk import Desk
from billing_assets.reminders.errors import SendingElsewhere
from billing_assets.reminders.message import Templates
from billing_assets.reminders.sending import GIVE_UP, LONGEST, RETRY, Report, send_due
from billing_assets.reminders.smtp import Fate, Server, parse_server
from billing_assets.settings import SettingsError
from billing_assets.state.database import Connection, connect
from billing_assets_tests.alerts.rows import document
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


def reasons(report: Report) -> dict[str, str]:
    return {one.invoice.number: one.reason for one in report.kept}


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
    assert reminder(connection, "before_due")["why"] == "due was due by then"
    assert mails.connections == 1


def test_each_step_goes_out_on_its_day_and_a_missed_one_is_noted(connection: Connection, mails: MailServer) -> None:
    open_item(connection)
    for day in (-5, -2, -1, 2, 7, 13, 20, 40):  # nobody was there on the due date, nor on the 14th day after it
        send(connection, mails.server, NOON + timedelta(days=day))
    assert [str(mail["Subject"]) for _, mail in mails.mails] == [
        "Invoice 536365 is due on 4 November 2026",
        "Invoice 536365 was due on 4 November 2026",
        "Reminder: invoice 536365 is 7 days overdue",
        "Second reminder: invoice 536365 is 20 days overdue",
    ]
    assert set(steps(connection).values()) == {"sent"}


def test_what_was_paid_is_not_asked_for_and_of_what_was_paid_in_part_the_rest(
    connection: Connection, mails: MailServer
) -> None:
    open_item(connection, "1", "0.00", total=Decimal(100))
    open_item(connection, "2", "40.00", total=Decimal(100), customer="2")
    open_item(connection, "C3", "-15.50", kind="credit_memo", customer="2")
    open_item(connection, "P4", "-1.50", kind="payment", customer="2")
    open_item(connection, "P5", "-99.00", kind="payment", customer="2", currency="EUR")
    assert send(connection, mails.server).sent_amounts == {"GBP": Decimal(40)}
    [(_, mail)] = mails.mails
    plain = mail.get_body(("plain",))
    assert plain is not None
    text = plain.get_content()
    for part in (
        "Still to be paid: £40.00",
        "Invoice total:   £100.00",
        "Received so far: £60.00",
        "credits of £17.00",
    ):
        assert part in text


def test_who_cannot_or_must_not_be_written_to_is_named_with_the_reason(
    connection: Connection, mails: MailServer
) -> None:
    for number in range(1, 10):
        open_item(connection, str(number), customer=str(number), open_amount="0.99" if number == 1 else "50")
    for name, source in (
        ("V1", "netsuite"),
        ("V2", "netsuite"),
        ("V3", "netsuite"),
        ("H1", "billing"),
        ("H2", "billing"),
    ):
        open_item(connection, name, customer=name, source=source, transaction_id=name)
    for name, decision in (("V1", None), ("V2", "confirmed"), ("V3", "declined")):
        voided(connection, f"INV-{name}", decision)
    held(connection, "H1")
    connection.execute(
        "update billing.open_receivables set read_at = %s where number = '8'", [NOON - timedelta(days=2)]
    )
    day = DUE.isoformat()
    connection.execute(
        f"""insert into billing.collection_stops (customer, number, reason, starts_on, ends_on, noted_by) values
        ('2', null, 'dispute', '2026-01-01', null, 'x'), ('3', '3', 'payment_plan', '{day}', '{day}', 'x'),
        ('4', 'another', 'other', '2026-01-01', null, 'x'), ('4', '4', 'other', '2026-01-01', '2026-11-03', 'x')"""  # noqa: S608
    )
    at = desk(
        contact("6", email=None),
        contact("7", email="two@example.com, three@example.com"),
        reminders=settings(balances_max_age_hours=24),
    )
    report = send(connection, mails.server, at=without(at, "5"))
    assert reasons(report) == {
        "1": "below_minimum",
        "2": "dispute",
        "3": "payment_plan",
        "5": "no_contact",
        "6": "no_address",
        "7": "bad_address",
        "8": "balances_old",
        "V1": "voided",
        "V2": "voided",
        "H1": "held",
    }
    assert mails.recipients() == [f"c{who}@example.com" for who in ("4", "9", "H2", "V3")]
    assert steps(connection, "2") == {}, "it is looked at again when the stop has ended"


def voided(connection: Connection, external_id: str, decision: str | None = None) -> None:
    """A document that was voided after it had been posted, and what was decided about its credit memo."""
    posted, correction = (document(connection, "held", since=NOON) for _ in range(2))
    connection.execute("update billing.staged_invoices set external_id = %s where id = %s", [external_id, posted])
    who = None if decision is None else "anna"
    connection.execute(
        """insert into billing.proposed_credit_memos
            (document, total, decision, decided_by, decided_at, why, correction)
        values (%s, -50, %s, %s, %s, %s, %s)""",
        [posted, decision, who, who and NOON, who, correction if decision == "confirmed" else None],
    )


def held(connection: Connection, document_id: str) -> None:
    """A document that the billing system has open, and that is held here."""
    found = document(connection, "held", since=NOON)
    connection.execute("update billing.staged_invoices set document_id = %s where id = %s", [document_id, found])


def test_what_no_mail_can_be_made_of_is_named_and_stops_nobody_else(
    connection: Connection, mails: MailServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nl").mkdir()
    for kind, text in (("txt", "Subject: x\n\n{% extends 'nl/layout.txt.j2' %}"), ("html", "x")):
        (tmp_path / "nl" / f"due.{kind}.j2").write_text(text)
    (tmp_path / "es").mkdir()
    for kind, text in (("txt", "Subject: x\n\n{{ money(customer.name) }}"), ("html", "x")):
        (tmp_path / "es" / f"due.{kind}.j2").write_text(text)
    for number in "1234":
        open_item(connection, number, customer=number)
    monkeypatch.setattr(message, "_NAME", 10**6)
    monkeypatch.setattr(message, "clean", lambda text: text or "")  # as if something were overlooked again
    at = desk(contact("1", name="Evil\r\nBcc: x"), contact("2", language="nl"), contact("3", language="es"))
    report = send(connection, mails.server, at=replace(at, templates=Templates(tmp_path)))
    assert reasons(report) == dict.fromkeys("123", "bad_mail")
    problems = [one.problem or "" for one in report.kept]
    assert "name" in problems[0]
    assert "no file nl/layout.txt.j2" in problems[1]
    assert "es/due.txt.j2" in problems[2]
    assert not any("Evil" in problem or "Customer" in problem for problem in problems)
    assert mails.recipients() == ["c4@example.com"]
    assert steps(connection, "1") == {}, "it is due until it is mended"


def test_one_bad_address_stops_nobody_else(connection: Connection, mails: MailServer) -> None:
    for number in "123":
        open_item(connection, number, customer=number)
    mails.happens = lambda verb, who: "550 5.1.1 <c2@example.com>: no such user" if who[:2] + verb == "c2RCPT" else None
    report = send(connection, mails.server)
    assert mails.recipients() == ["c1@example.com", "c3@example.com"]
    bounced = reminder(connection, number="2")
    assert (bounced["state"], bounced["smtp_code"], bounced["smtp_status"]) == ("bounced", 550, "5.1.1")
    assert "example.com" not in str([value for name, value in bounced.items() if name != "message_id"])
    assert report.count(Fate.NEVER) == 1
    assert [row["customer"] for row in store.unreachable(connection)] == ["2"]
    mails.happens = lambda _verb, _who: None
    assert send(connection, mails.server).tried == [], "a person mends the address first"


@pytest.mark.parametrize("verb", ["RCPT", "DATA"])
def test_what_is_refused_for_now_is_tried_again_later_and_sent_once(
    verb: str, connection: Connection, mails: MailServer
) -> None:
    open_item(connection)
    mails.happens = lambda at, _who: "451 4.7.1 greylisted" if at == verb else None
    assert send(connection, mails.server).count(Fate.LATER) == 1
    assert reminder(connection)["state"] == "deferred"
    mails.happens = lambda _verb, _who: None
    assert send(connection, mails.server, NOON + RETRY / 2).tried == []
    assert send(connection, mails.server, NOON + RETRY).count(Fate.SENT) == 1
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
    assert report.count(Fate.UNKNOWN) == 1
    assert report.count(Fate.SENT) == 1, "the next one goes over a new connection"
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
    assert send(connection, mails.server).count(Fate.SENT) == 6
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
    assert (report.count(Fate.SENT), report.count(Fate.NEVER)) == (29, 0), "it was mended: all of them get theirs"
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
    assert (report.count(Fate.SENT), report.count(Fate.LATER), report.stopped_by) == (1, 12, None)


def test_a_run_ends_by_itself_before_it_is_ended_and_the_next_one_sends_the_rest(
    connection: Connection, mails: MailServer
) -> None:
    for number in "123":
        open_item(connection, number, customer=number)
    mails.happens = lambda verb, _who: times.append(times[-1] + LONGEST / 2) if verb == "DATA" else None
    times = [NOON]
    report = send_due(connection, desk(), mails.server, "a run", lambda: times[-1])
    assert (report.count(Fate.SENT), report.left, report.stopped_by) == (2, True, None)
    assert (send(connection, mails.server, times[-1]).count(Fate.SENT)) == 1


def test_an_invoice_whose_external_id_becomes_known_is_not_reminded_again(
    connection: Connection, mails: MailServer
) -> None:
    open_item(connection, "1", source="billing", external_id=None)
    open_item(connection, "2", source="billing", external_id=None, customer="2")
    mails.happens = lambda verb, who: "450 4.2.2 full" if (verb, who) == ("RCPT", "c2@example.com") else None
    send(connection, mails.server)
    planned = store.open_invoices(connection, DUE)
    connection.execute("update billing.open_receivables set external_id = 'INV-' || number")
    mails.happens = lambda _verb, _who: None
    assert send(connection, mails.server, NOON + RETRY).count(Fate.SENT) == 1
    assert [one.key for one in store.open_invoices(connection, DUE)] == [one.key for one in planned]
    again = planned[0]._replace(key="INV-1")
    taken = store.claim(
        connection, again, "due", [], message_id="<1@x>", run_id="r", today=DUE, now=NOON, read_since=NOON
    )
    assert taken is None
    assert len(mails.mails) == 2


def test_a_second_run_beside_the_first_is_turned_away(state_url: str, mails: MailServer) -> None:
    with connect(state_url) as connection, connect(state_url) as other:
        open_item(connection)
        with store.sending_alone(connection), pytest.raises(SendingElsewhere):
            send(other, mails.server)
        assert send(other, mails.server).count(Fate.SENT) == 1


def test_senders_side_by_side_send_each_reminder_once_by_their_claims_alone(
    state_url: str, mails: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the lock that keeps them apart were lost, as it is with a connection."""
    monkeypatch.setattr(store, "sending_alone", lambda _connection: nullcontext())
    monkeypatch.setattr(store, "note_unknown", lambda _connection, _now: 0)
    with connect(state_url) as connection:
        for number in range(20):
            open_item(connection, str(number), customer=str(number))

    def sender(_: int) -> int:
        with connect(state_url) as own:
            return send(own, mails.server).count(Fate.SENT)

    with ThreadPoolExecutor(3) as pool:
        sent = sum(pool.map(sender, range(3)))
    assert sent == 20
    assert len(mails.arrived) == len(set(mails.arrived)) == 20


def test_a_claim_is_not_given_for_what_was_paid_stopped_voided_or_held_or_grew_old_since_it_was_planned(
    connection: Connection,
) -> None:
    open_item(connection, "1")
    open_item(connection, "2")
    open_item(connection, "3", read_at=NOON - timedelta(hours=1))
    open_item(connection, "4")
    open_item(connection, "5", source="billing", transaction_id="5")
    found = store.open_invoices(connection, DUE)
    voided(connection, "INV-4")
    held(connection, "5")
    connection.execute("update billing.open_receivables set open_amount = 1 where number = '1'")
    store.add_stop(
        connection,
        customer="12346",
        number="2",
        reason="dispute",
        starts_on=DUE,
        ends_on=None,
        noted_by="anna",
        note="wrong meter",
    )
    for invoice in found:
        claim = store.claim(
            connection,
            invoice,
            "due",
            ["before_due"],
            message_id="<1@x>",
            run_id="r",
            today=DUE,
            now=NOON,
            read_since=NOON if invoice.number == "3" else NOON - timedelta(hours=2),
        )
        assert claim is None
    assert connection.execute("select from billing.reminders").fetchall() == []


def test_what_a_dead_process_had_claimed_is_unknown_until_a_person_decides(
    connection: Connection, mails: MailServer
) -> None:
    open_item(connection)
    [invoice] = store.open_invoices(connection, DUE)
    claim = store.claim(
        connection, invoice, "due", [], message_id="<1@x>", run_id="r", today=DUE, now=NOON, read_since=NOON
    )
    assert claim is not None
    assert send(connection, mails.server).orphans == 1
    assert steps(connection) == {"due": "unknown"}
    assert not store.resolve(connection, "536365", "week", send_again=True, by="anna", why="?", now=NOON)

    def again() -> bool:
        return store.resolve(connection, "536365", "due", send_again=True, by="anna", why="it is not there", now=NOON)

    assert again()
    connection.execute("update billing.open_receivables set customer = '2', due_date = due_date - 1, currency = 'EUR'")
    assert send(connection, mails.server).count(Fate.SENT) == 1
    assert not again(), "it was sent"
    row = reminder(connection)
    assert (row["customer"], row["due_date"], row["currency"]) == ("2", DUE - timedelta(days=1), "EUR")
    assert [row["message_id"]] == mails.arrived


@pytest.mark.parametrize(
    "change",
    [
        "update billing.reminders set state = 'deferred', retry_at = now()",
        "update billing.reminders set state = 'sending'",
        "update billing.reminders set step = 'another'",
        "delete from billing.reminders",
    ],
)
def test_the_database_refuses_to_let_a_sent_reminder_go_out_again(
    change: str, connection: Connection, mails: MailServer
) -> None:
    open_item(connection)
    send(connection, mails.server)
    with pytest.raises(psycopg.errors.CheckViolation):
        connection.execute(change + " where state = 'sent'")


def test_who_closes_while_a_long_run_goes_on_is_left_for_the_next_day(
    connection: Connection, mails: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in "1234":
        open_item(connection, number, customer=number)
    closing = NOON.replace(hour=16, minute=59)
    times = [closing]
    mails.happens = lambda verb, _who: times.append(closing + timedelta(minutes=1)) if verb == "DATA" else None
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    send_due(connection, desk(reminders=settings(per_minute=20)), mails.server, "a run", lambda: times[-1])
    assert mails.recipients() == ["c1@example.com"]
    assert steps(connection, "2") == {}
    assert max(slept) <= 3, "nobody waits for the mails that do not go"


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
        assert send(connection, mails.server).count(Fate.SENT) == 1
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
    assert send(connection, mails.server, at=replace(desk(), templates=Templates(tmp_path))).count(Fate.SENT) == 1
    [(_, mail)] = mails.mails
    plain = mail.get_body(("plain",))
    assert plain is not None
    assert plain.get_content().splitlines() == ["above", ".", "..below"]


def test_not_more_than_so_many_a_minute(connection: Connection, mails: MailServer) -> None:
    for number in range(4):
        open_item(connection, str(number), customer=str(number))
    began = datetime.now()  # noqa: DTZ005
    send(connection, mails.server, at=desk(reminders=settings(per_minute=600)))
    assert datetime.now() - began >= timedelta(seconds=0.3)  # noqa: DTZ005
