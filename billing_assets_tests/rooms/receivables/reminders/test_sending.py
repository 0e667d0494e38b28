"""What is sent, to whom, and once: through a real mail server."""

import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from billing_assets.decisions.store import Subject, history, record
from billing_assets.erp.billing_system.contacts import read_contacts
from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.foundation.source_database.connection import connect_source, open_source
from billing_assets.receivables.reminders import store
from billing_assets.receivables.reminders.errors import SendingElsewhere
from billing_assets.receivables.reminders.invoices import Reminder
from billing_assets.receivables.reminders.message import Templates
from billing_assets.receivables.reminders.plan import plan
from billing_assets.receivables.reminders.sending import LONGEST, RETRY, Report, send_due
from billing_assets.receivables.reminders.smtp import Delivery
from billing_assets_tests.rooms.operations.alerts.rows import document
from billing_assets_tests.rooms.receivables.reminders.mail_server import MailServer
from proving.world.journals import new_journal
from proving.world.reminders import DUE, NOON, contact, materials, open_item, reminder, send, settings, steps, without


def reasons(report: Report) -> dict[str, str]:
    return {one.invoice.number: one.reason for one in report.kept}


def test_what_is_due_goes_out_once_however_often_it_is_run(connection: Connection, mails: MailServer) -> None:
    open_item(connection)
    report = send(connection, mails.server)
    assert report.count(Delivery.SENT) == 1
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
    assert send(connection, mails.server).sent_amounts == {"GBP": Decimal(23)}
    [(_, mail)] = mails.mails
    plain = mail.get_body(("plain",))
    assert plain is not None
    text = plain.get_content()
    for part in (
        "Still to be paid: £23.00",
        "Invoice total:   £100.00",
        "Already settled: £60.00",
        "Open credits:    £17.00",
        "credits or payments of £17.00",
    ):
        assert part in text
    assert reminder(connection, number="2")["open_amount"] == 23, "what was asked for"


def test_open_credits_count_as_for_late_fees_the_oldest_invoice_first(
    connection: Connection, mails: MailServer
) -> None:
    """A customer whose credits cover an invoice owes nothing on it; none of them counts twice."""
    week = timedelta(days=7)
    open_item(connection, "1", "50.00", due_date=DUE - 2 * week)
    open_item(connection, "2", "50.00", due_date=DUE - week)
    open_item(connection, "3", "50.00")
    open_item(connection, "4", "50.00", currency="EUR")
    open_item(connection, "disputed", "70.00", due_date=DUE - 3 * week)
    open_item(connection, "C5", "-40.00", kind="credit_memo")
    open_item(connection, "P6", "-35.00", kind="payment")
    open_item(connection, "7", "50.00", customer="7")
    open_item(connection, "8", "50.00", customer="8")
    open_item(connection, "P8", "-49.50", kind="payment", customer="8")
    store.add_stop(
        connection, customer="12346", number="disputed", reason="dispute", starts_on=DUE - 3 * week, ends_on=None,
        noted_by="anna", note="wrong meter",
    )  # fmt: skip
    report = send(connection, mails.server)
    asked = {one.number: one.open_amount for one in report.tried}
    assert asked == {"2": Decimal(25), "3": Decimal(50), "4": Decimal(50), "7": Decimal(50)}
    assert reasons(report) == {"1": "covered_by_credit", "disputed": "dispute", "8": "below_minimum"}
    connection.execute("delete from billing.open_receivables where number = 'P6'")  # it was applied to another
    assert {one.number for one in send(connection, mails.server).tried} == {"1"}, "it is looked at again every time"


def test_who_owes_an_invoice_now_is_not_told_of_letters_to_another(connection: Connection, mails: MailServer) -> None:
    """The invoice was billed to the wrong customer, who got its first reminder."""
    open_item(connection)
    send(connection, mails.server, NOON + timedelta(days=7))
    connection.execute("update billing.open_receivables set customer = '2'")
    send(connection, mails.server, NOON + timedelta(days=14))
    [(_, _), (recipient, mail)] = mails.mails
    assert (recipient, mail["Subject"]) == ("c2@example.com", "Reminder: invoice 536365 is 14 days overdue")
    assert "wrote to you" not in mail.as_string()


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
        f"""insert into billing.collection_stops (customer, number, reason, starts_on, ends_on, decision_id) values
        ('2', null, 'dispute', '2026-01-01', null, %(by)s), ('3', '3', 'payment_plan', '{day}', '{day}', %(by)s),
        ('4', 'another', 'other', '2026-01-01', null, %(by)s),
        ('4', '4', 'other', '2026-01-01', '2026-11-03', %(by)s)""",  # noqa: S608
        {"by": record(connection, Subject.STOP, "some", "stopped", "x", "").id},
    )
    at = materials(
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


def test_a_customer_whom_only_the_billing_database_finds_is_named_as_spelled_otherwise(
    connection: Connection, mails: MailServer, tmp_path: Path
) -> None:
    """SQLite's NOCASE stands for SQL Server's usual collation. No customer is written to by a rule of ours."""
    with sqlite3.connect(tmp_path / "billing.sqlite") as file:
        file.execute("CREATE TABLE c (k text COLLATE NOCASE, email text)")
        file.executemany("INSERT INTO c VALUES (?, 'c@example.com')", [("ab",), ("CD",), ("cd",)])
    file.close()
    query = (
        "SELECT k AS customer, 'Anna' AS name, email, 'en' AS language, 'GB' AS country, NULL AS region,"
        " 'Europe/London' AS timezone FROM c"
    )
    for number, customer in (("1", "AB"), ("2", "CD"), ("3", "EF")):
        open_item(connection, number, customer=customer)
    engine = open_source(f"sqlite:///{tmp_path / 'billing.sqlite'}")
    with connect_source(engine) as source:
        at = replace(materials(), read_contacts=lambda customers: read_contacts(source, query, customers))
        report = send(connection, mails.server, at=at)
    engine.dispose()
    assert reasons(report) == {"1": "contact_spelled_otherwise", "3": "no_contact"}
    assert mails.recipients() == ["c@example.com"]


def voided(connection: Connection, external_id: str, decision: str | None = None) -> None:
    """A document that was voided after it had been posted, and what was decided about its credit memo."""
    posted, correction = (document(connection, "held", since=NOON) for _ in range(2))
    connection.execute("update billing.staged_invoices set external_id = %s where id = %s", [external_id, posted])
    decided = None if decision is None else record(connection, Subject.VOID, external_id, decision, "anna", "why").id
    connection.execute(
        """insert into billing.proposed_credit_memos (document, total, decision, decision_id, correction)
        values (%s, -50, %s, %s, %s)""",
        [posted, decision, decided, correction if decision == "confirmed" else None],
    )


def held(connection: Connection, document_id: str) -> None:
    """A document that the billing system has open, and that is held here."""
    found = document(connection, "held", since=NOON)
    connection.execute("update billing.staged_invoices set document_id = %s where id = %s", [document_id, found])


def test_what_no_mail_can_be_made_of_is_named_and_stops_nobody_else(
    connection: Connection, mails: MailServer, tmp_path: Path
) -> None:
    (tmp_path / "nl").mkdir()
    for kind, text in (("txt", "Subject: x\n\n{% extends 'nl/layout.txt.j2' %}"), ("html", "x")):
        (tmp_path / "nl" / f"due.{kind}.j2").write_text(text)
    (tmp_path / "es").mkdir()
    for kind, text in (("txt", "Subject: x\n\n{{ money(customer.name) }}"), ("html", "x")):
        (tmp_path / "es" / f"due.{kind}.j2").write_text(text)
    for number in "1234":
        open_item(connection, number, customer=number)
    at = materials(contact("1", name="Evil \ud800"), contact("2", language="nl"), contact("3", language="es"))
    report = send(connection, mails.server, at=replace(at, templates=Templates(tmp_path)))
    assert reasons(report) == dict.fromkeys("123", "bad_mail")
    problems = [one.problem or "" for one in report.kept]
    assert "name" in problems[0]
    assert "no file nl/layout.txt.j2" in problems[1]
    assert "es/due.txt.j2" in problems[2]
    assert not any("Evil" in problem or "Customer" in problem for problem in problems)
    assert mails.recipients() == ["c4@example.com"]
    assert steps(connection, "1") == {}, "it is due until it is fixed"


def test_a_run_ends_by_itself_before_it_is_ended_and_the_next_one_sends_the_rest(
    connection: Connection, mails: MailServer
) -> None:
    for number in "123":
        open_item(connection, number, customer=number)
    mails.happens = lambda verb, _who: times.append(times[-1] + LONGEST / 2) if verb == "DATA" else None
    times = [NOON]
    report = send_due(connection, materials(), mails.server, "a run", lambda: times[-1], new_journal())
    assert (report.count(Delivery.SENT), report.left, report.stopped_by) == (2, True, None)
    assert (send(connection, mails.server, times[-1]).count(Delivery.SENT)) == 1


def test_an_invoice_whose_external_id_becomes_known_is_not_reminded_again(
    connection: Connection, mails: MailServer
) -> None:
    open_item(connection, "1", source="billing", external_id=None)
    open_item(connection, "2", source="billing", external_id=None, customer="2")
    mails.happens = lambda verb, who: "450 4.2.2 full" if (verb, who) == ("RCPT", "c2@example.com") else None
    send(connection, mails.server)
    planned = store.open_invoices(connection, DUE)
    [late] = (one for one in plan(connection, materials(), NOON, NOON + RETRY) if isinstance(one, Reminder))
    connection.execute("update billing.open_receivables set external_id = 'INV-' || number")
    mails.happens = lambda _verb, _who: None
    assert send(connection, mails.server, NOON + RETRY).count(Delivery.SENT) == 1
    assert [one.key for one in store.open_invoices(connection, DUE)] == [one.key for one in planned]
    again = late._replace(invoice=planned[0]._replace(key="INV-1"))
    taken = store.claim(connection, again, message_id="<1@x>", run_id="r", today=DUE, now=NOON, read_since=NOON)
    assert taken is None
    assert len(mails.mails) == 2


def test_an_invoice_that_has_another_ones_internal_id_by_now_is_reminded_of_for_itself(
    connection: Connection, mails: MailServer
) -> None:
    """A refreshed sandbox account gives its internal ids out again."""
    open_item(connection, "500001", transaction_id="7")
    assert send(connection, mails.server).count(Delivery.SENT) == 1
    connection.execute("delete from billing.open_receivables")
    open_item(connection, "500002", transaction_id="7")
    assert send(connection, mails.server).count(Delivery.SENT) == 1
    assert steps(connection, "500002") == {"due": "sent", "before_due": "skipped"}


def test_a_second_run_beside_the_first_is_turned_away(state_url: str, mails: MailServer) -> None:
    with connect(state_url) as connection, connect(state_url) as other:
        open_item(connection)
        with store.sending_alone(connection), pytest.raises(SendingElsewhere):
            send(other, mails.server)
        assert send(other, mails.server).count(Delivery.SENT) == 1


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
            return send(own, mails.server).count(Delivery.SENT)

    with ThreadPoolExecutor(3) as pool:
        sent = sum(pool.map(sender, range(3)))
    assert sent == 20
    assert len(mails.arrived) == len(set(mails.arrived)) == 20


def test_a_claim_is_not_given_for_what_was_paid_stopped_voided_or_held_or_grew_old_since_it_was_planned(
    connection: Connection,
) -> None:
    for number in "1246":
        open_item(connection, number, customer=number)
    open_item(connection, "3", customer="3", read_at=NOON - timedelta(hours=1))
    open_item(connection, "5", customer="5", source="billing", transaction_id="5")
    found = [one for one in plan(connection, materials(), NOON, NOON) if isinstance(one, Reminder)]
    assert len(found) == 6
    open_item(connection, "C6", "-20.00", kind="credit_memo", customer="6")
    voided(connection, "INV-4")
    held(connection, "5")
    connection.execute("update billing.open_receivables set open_amount = 1 where number = '1'")
    store.add_stop(
        connection,
        customer="2",
        number="2",
        reason="dispute",
        starts_on=DUE,
        ends_on=None,
        noted_by="anna",
        note="wrong meter",
    )
    for one in found:
        claim = store.claim(
            connection,
            one,
            message_id="<1@x>",
            run_id="r",
            today=DUE,
            now=NOON,
            read_since=NOON if one.invoice.number == "3" else NOON - timedelta(hours=2),
        )
        assert claim is None, one.invoice.number
    assert connection.execute("select from billing.reminders").fetchall() == []


def test_what_a_dead_process_had_claimed_is_unknown_until_a_person_decides(
    connection: Connection, mails: MailServer
) -> None:
    open_item(connection)
    [planned] = plan(connection, materials(), NOON, NOON)
    assert isinstance(planned, Reminder)
    claim = store.claim(connection, planned, message_id="<1@x>", run_id="r", today=DUE, now=NOON, read_since=NOON)
    assert claim is not None
    assert send(connection, mails.server).orphans == 1
    assert steps(connection) == {"before_due": "skipped", "due": "unknown"}
    assert not store.resolve(connection, "536365", "week", send_again=True, by="anna", why="?", now=NOON)

    def again() -> bool:
        return store.resolve(connection, "536365", "due", send_again=True, by="anna", why="it is not there", now=NOON)

    assert again()
    connection.execute("update billing.open_receivables set customer = '2', due_date = due_date - 1, currency = 'EUR'")
    assert send(connection, mails.server).count(Delivery.SENT) == 1
    assert not again(), "it was sent"
    row = reminder(connection)
    assert (row["customer"], row["due_date"], row["currency"]) == ("2", DUE - timedelta(days=1), "EUR")
    assert [row["message_id"]] == mails.arrived
    (decided,) = history(connection, Subject.REMINDER)
    assert (decided.reference, decided.decision) == ("invoice 536365, step due", "send again")
    assert (decided.decided_by, decided.why) == ("anna", "it is not there")


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
    send_due(
        connection,
        materials(reminders=settings(per_minute=20)),
        mails.server,
        "a run",
        lambda: times[-1],
        new_journal(),
    )
    assert mails.recipients() == ["c1@example.com"]
    assert steps(connection, "2") == {}
    assert max(slept) <= 3, "nobody waits for the mails that do not go"


def test_not_more_than_so_many_a_minute(connection: Connection, mails: MailServer) -> None:
    for number in range(4):
        open_item(connection, str(number), customer=str(number))
    began = datetime.now()  # noqa: DTZ005
    send(connection, mails.server, at=materials(reminders=settings(per_minute=600)))
    assert datetime.now() - began >= timedelta(seconds=0.3)  # noqa: DTZ005
