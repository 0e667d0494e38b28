"""Reminders as Dagster and the command run them: from settings, `contacts.sql` and our database to a mail server."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import dagster as dg
import pytest
import structlog
from pydantic import SecretStr

from billing_assets.erp.settings import NetSuiteSettings, SourceSettings
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import make_settings
from billing_assets.operations import doctor
from billing_assets.receivables.reminders import assets, automation, commands
from billing_assets.receivables.reminders.automation import send_due_reminders_job, send_reminders_in_office_hours
from billing_assets.receivables.settings import ReminderSettings
from billing_assets_tests.rooms.receivables.reminders.mail_server import MailServer
from proving.world.builders import create_billing_system, open_for_writing
from proving.world.command import Said, call
from proving.world.databases import _database
from proving.world.reminders import NOON, open_item, settings, steps
from proving.world.system import checks, metadata, rows

CUSTOMERS = {
    "1": ("Zyxwhold Markerson", "zara@markermail.example.com", "de", "DE"),
    "2": ("Second Ltd", None, None, "GB"),
    "3": ("Third Ltd", "third@markermail.example.com", "en", "JP"),  # nine in the evening when it is noon in London
}
CHECKS = ("reminders_arrive", "every_reminder_is_known", "every_mail_can_be_written")
MARKERS = ("zyxwhold", "markerson", "markermail")


@pytest.fixture(scope="module")
def source_url(server_url: str) -> Iterator[str]:
    with _database(server_url, template="template0") as url:
        create_billing_system(url)
        with open_for_writing(url) as source:
            for number, (name, email, language, code) in CUSTOMERS.items():
                source.execute(
                    "insert into customers (customer_no, name, country, email, language, country_code)"
                    " values (%s, %s, 'x', %s, %s, %s)",
                    [number, name, email, language, code],
                )
        yield url


@dataclass
class Office:
    """The runtime of a test and what Dagster says of it."""

    runtime: Runtime
    instance: dg.DagsterInstance

    def run(self) -> dg.ExecuteInProcessResult:
        return dg.materialize(
            [assets.payment_reminders],
            instance=self.instance,
            resources={"billing": self.runtime},
            raise_on_error=False,
        )

    def look(self) -> Any:
        context = dg.build_sensor_context(instance=self.instance, resources={"billing": self.runtime})
        return send_reminders_in_office_hours(context)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """What time it is: the last one in the list."""
    times = [NOON]
    for module in (assets, automation, commands):
        monkeypatch.setattr(module, "utc_now", lambda: times[-1])
    return times


@pytest.fixture
def office(
    state_url: str, source_url: str, mails: MailServer, tmp_path: Path, clock: list[datetime]
) -> Iterator[Office]:
    del clock
    found = make_settings(
        home=tmp_path,
        database_url=SecretStr(state_url),
        source=SourceSettings(url=SecretStr(source_url)),
        netsuite=NetSuiteSettings(base_url="http://127.0.0.1:9"),  # the ladder that ships is for the sandbox only
        reminders=settings(smtp_url=mails.url),
    )
    with Runtime(found).opened() as runtime, dg.DagsterInstance.ephemeral() as instance:
        yield Office(runtime, instance)


def test_a_run_sends_what_is_due_and_tells_finance_in_numbers_only(
    office: Office, connection: Connection, mails: MailServer
) -> None:
    for customer in CUSTOMERS:
        open_item(connection, f"53636{customer}", "120.00", customer=customer, branch="Germany")
    log = StringIO()
    handler = logging.StreamHandler(log)
    logging.getLogger().addHandler(handler)
    with structlog.testing.capture_logs() as logged:
        result = office.run()
    logging.getLogger().removeHandler(handler)
    assert result.success
    found = metadata(result, "payment_reminders")
    assert (found["sent"], found["kept_back"], found["bounced"], found["unknown"]) == (1, 1, 0, 0)
    assert found["asked_for_GBP_exact"] == "120.00"
    assert rows(found["by_step"].records) == [{"step": "due", "sent": 1}]
    assert rows(found["kept_back_by_reason"].records) == [{"reason": "no_address", "invoices": 1}]
    assert checks(result) == dict.fromkeys(CHECKS, True)
    [(recipient, mail)] = mails.mails
    assert recipient == "zara@markermail.example.com"
    assert mail["Subject"] == "Rechnung 536361 ist heute fällig"
    wrote = f"{log.getvalue()} {logged} {[event.message for event in result.all_events]} {found}".lower()
    wrote += str(connection.execute("select * from billing.reminders").fetchall()).lower()
    assert [marker for marker in MARKERS if marker in wrote] == []


def test_the_sensor_asks_for_a_run_only_when_somebodys_office_is_open(
    office: Office, connection: Connection, clock: list[datetime]
) -> None:
    open_item(connection, customer="3")
    assert isinstance(office.look(), dg.SkipReason)
    clock.append(datetime(2026, 11, 5, 0, 30, tzinfo=UTC))  # half past nine in Tokyo
    assert isinstance(office.look(), dg.RunRequest)
    assert office.run().success
    assert steps(connection)["due"] == "sent"
    assert isinstance(office.look(), dg.SkipReason)


def test_nothing_is_sent_unasked(
    office: Office, connection: Connection, mails: MailServer, state_url: str, source_url: str
) -> None:
    open_item(connection, customer="1")
    off = make_settings(database_url=SecretStr(state_url), source=SourceSettings(url=SecretStr(source_url)))
    assert off.of(ReminderSettings).enabled is False
    with Runtime(off).opened() as runtime:
        quiet = Office(runtime, office.instance)
        assert "switched off" in str(quiet.look().skip_message)
        result = quiet.run()
    assert result.success
    assert metadata(result, "payment_reminders")["enabled"] is False
    assert mails.connections == 0
    assert steps(connection) == {}


def test_a_run_that_the_mail_server_stops_is_red_and_what_came_back_is_a_failed_check(
    office: Office, connection: Connection, mails: MailServer
) -> None:
    open_item(connection, customer="1")
    mails.happens = lambda verb, _who: "530 5.7.0 authentication required" if verb == "MAIL" else None
    stopped = office.run()
    assert not stopped.success
    assert checks(stopped) == dict.fromkeys(CHECKS, True), "what is known is said, whatever stopped the run"
    mails.happens = lambda verb, _who: "550 5.1.1 no such user" if verb == "RCPT" else None
    result = office.run()
    assert result.success
    assert checks(result) == dict.fromkeys(CHECKS, True) | {"reminders_arrive": False}
    [check] = [one for one in result.get_asset_check_evaluations() if not one.passed]
    records: Any = check.metadata["bounced"].value
    [row] = rows(records.records)
    assert (row["customer"], row["number"], row["smtp_status"]) == ("1", "536365", "5.1.1")
    assert "@" not in str(row)


def test_the_job_has_the_asset_and_its_checks() -> None:
    assert send_due_reminders_job.name == "send_due_reminders"
    assert {spec.name for spec in assets.payment_reminders.check_specs} == set(CHECKS)


@pytest.fixture
def billing(
    capsys: pytest.CaptureFixture[str], state_url: str, source_url: str, mails: MailServer, tmp_path: Path, clock: Any
) -> Any:
    """The command on this test's database and mail server."""
    del clock
    variables = {
        "BILLING_HOME": str(tmp_path / "home"),
        "BILLING_DATABASE_URL": state_url,
        "BILLING_SOURCE__URL": source_url,
        "BILLING_NETSUITE__BASE_URL": "http://127.0.0.1:9",
        "BILLING_REMINDERS__SMTP_URL": mails.url.get_secret_value(),
        "BILLING_REMINDERS__PER_MINUTE": "100000",
        "COLUMNS": "200",
    }

    def run(*arguments: str, **changes: str) -> Said:
        return call(capsys, variables | changes, *arguments)

    return run


def test_the_doctor_looks_whether_reminders_could_go_out(office: Office, mails: MailServer) -> None:
    def said(**changes: Any) -> doctor.Checked:
        changed = office.runtime.settings.model_copy(update={"reminders": settings(**changes)})
        with Runtime(changed).opened() as runtime:
            return doctor._looked("Reminders", doctor._reminders, runtime)

    assert said(smtp_url=mails.url).well
    assert mails.connections == 1
    assert "switched off" in said(enabled=False).said
    assert "SMTP_URL is not set" in said().said
    assert not said(smtp_url=SecretStr("smtp://127.0.0.1:9")).well
    assert "cannot be read" in said(smtp_url=mails.url, ladder=Path("nowhere.yaml")).said


ON = {"BILLING_REMINDERS__ENABLED": "true"}


def test_the_dry_run_shows_who_gets_what_and_when_writes_the_mails_and_sends_none(
    billing: Any, connection: Connection, mails: MailServer, tmp_path: Path
) -> None:
    for customer in CUSTOMERS:
        open_item(connection, f"53636{customer}", "1234.5", customer=customer)
    open_item(connection, "A/1", "1", customer="1")
    open_item(connection, "A_1", "1", customer="1")
    open_item(connection, "京" * 45, "1", customer="1")
    said = billing("reminders", "plan", "--days", "2", "--eml", str(tmp_path / "eml"))
    assert said.code == 0, said.words
    for part in (
        "5 reminders",
        "5 mails written",
        "536361 due GBP 1,234.50 Wed 2026-11-04 13:00 Europe/Berlin 11-04 12:00",
        "536363 due GBP 1,234.50 Thu 2026-11-05 09:00 Asia/Tokyo 11-05 00:00",
        "By step Step Reminders Amount",
        "due 5 GBP 2,472.00",
        "no_address 1 536362",
        "switched off",
    ):
        assert part in said.words, said.words
    assert [marker for marker in MARKERS if marker in said.words.lower()] == []
    assert mails.connections == 0
    assert steps(connection, "536361") == {}
    files = sorted((tmp_path / "eml").iterdir())
    assert [path.name for path in files if "京" not in unquote(path.name)] == [
        "536361-due.eml",
        "536363-due.eml",
        "A%2F1-due.eml",
        "A_1-due.eml",
    ]
    assert {oct(path.stat().st_mode & 0o777) for path in files} == {"0o600"}
    mail = message_from_bytes(files[0].read_bytes(), policy=policy.default)
    assert isinstance(mail, EmailMessage)
    assert mail["To"] == "Zyxwhold Markerson <zara@markermail.example.com>"


def test_sending_by_hand_wants_to_be_switched_on_and_then_sends_once(
    billing: Any, connection: Connection, mails: MailServer
) -> None:
    open_item(connection, customer="1")
    refused = billing("reminders", "send")
    assert (refused.code, mails.connections) == (2, 0)
    assert "BILLING_REMINDERS__ENABLED" in refused.words
    old = billing("reminders", "send", **ON)
    assert "balances_old" not in old.words
    assert "1 reminders sent over GBP 120.00" in old.words
    assert "0 reminders sent" in billing("reminders", "send", **ON).words
    assert len(mails.mails) == 1
    assert "536365 due" in billing("reminders", "list", "--state", "sent").words


def test_a_person_decides_about_what_nobody_knows(billing: Any, connection: Connection, mails: MailServer) -> None:
    open_item(connection, customer="1")
    mails.happens = lambda verb, _who: "drop" if verb == "DATA" else None
    assert "1 may or may not have left" in billing("reminders", "send", **ON).words
    assert "unknown 1 536365 due GBP 120.00" in billing("reminders", "list").words
    mails.happens = lambda _verb, _who: None
    nothing = billing("reminders", "resolve", "536365", "overdue_7", "--as", "again", "--why", "x", "--by", "anna")
    assert nothing.code == 2
    why = ("--why", "not in the server's log", "--by", "anna")
    assert billing("reminders", "resolve", "536365", "due", "--as", "again", *why).code == 0
    assert "anna: not in the server's log" in billing("reminders", "list").words
    assert "1 reminders sent" in billing("reminders", "send", **ON).words
    assert len(mails.mails) == 1


def test_delivery_reports_are_read_from_a_file(
    billing: Any, connection: Connection, mails: MailServer, tmp_path: Path
) -> None:
    from billing_assets_tests.rooms.receivables.reminders.test_bounces import report  # noqa: PLC0415

    open_item(connection, customer="1")
    billing("reminders", "send", **ON)
    (tmp_path / "one.eml").write_bytes(report(mails.message_ids()[0]).as_bytes())
    said = billing("reminders", "bounces", str(tmp_path / "one.eml"))
    assert "1 mails read, 1 reminders came back." in said.words
    assert "1 536365 due 5.1.1" in said.words
    assert "look like delivery reports" not in said.words
    (tmp_path / "two.eml").write_text("From: MAILER-DAEMON@mx\nMessage-ID: <7@mx>\nDate: Wed, 4 Nov 2026\n\nOh no.")
    said = billing("reminders", "bounces", str(tmp_path / "two.eml"))
    assert "1 mails look like delivery reports, and nothing could be noted of them" in said.words
    assert "its form is not known Wed, 4 Nov 2026 <7@mx>" in said.words
    assert billing("reminders", "bounces", str(tmp_path / "nowhere")).code == 2


def test_a_stop_runs_and_ends_where_the_customer_is_not_in_utc(
    billing: Any, connection: Connection, clock: list[datetime]
) -> None:
    clock.append(datetime(2026, 11, 4, 0, 30, tzinfo=UTC))  # in Los Angeles it is the 3rd
    for number, first, last in (("1", "2026-11-01", ()), ("2", "2026-11-01", ("--ends", "2026-11-03"))):
        who = ("--reason", "other", "--why", "x", "--by", "anna")
        billing("stops", "add", "--customer", "9", "--number", number, "--starts", first, *last, *who)
    ids = {row["number"]: row["id"] for row in connection.execute("select number, id from billing.collection_stops")}
    assert "9 2 other" in billing("stops", "list").words, "it holds where it is still the 3rd"
    ended = billing("stops", "end", str(ids["1"]), "--why", "settled", "--by", "ben")
    assert "its last day is 2026-11-02" in ended.words, "it holds nowhere from now on"
    assert "9 1 other" not in billing("stops", "list").words


def test_a_stop_is_noted_with_who_and_why_holds_and_ends(
    billing: Any, connection: Connection, clock: list[datetime]
) -> None:
    open_item(connection, customer="1")
    added = billing(
        "stops", "add", "--customer", "1", "--number", "536365", "--reason", "dispute", "--why", "wrong meter",
        "--by", "anna", "--starts", "2026-11-01",
    )  # fmt: skip
    assert added.code == 0
    number = added.words.split()[1].rstrip(":")
    assert "0 reminders sent" in billing("reminders", "send", **ON).words
    assert "1 536365 dispute 2026-11-01 anna wrong meter" in billing("stops", "list").words
    assert billing("stops", "end", number, "--why", "credited", "--by", "ben", "--on", "2026-11-03").code == 0
    assert "wrong meter ended by ben: credited" in billing("stops", "list", "--all").words
    assert billing("stops", "end", number, "--why", "again", "--by", "ben").code == 1
    assert "Nothing is open" not in added.words
    clock.append(datetime(2026, 11, 4, 0, 30, tzinfo=UTC))  # in Los Angeles it is the 3rd
    typo = billing(
        "stops", "add", "--customer", "1", "--number", "53636S", "--reason", "other", "--why", "x", "--by", "anna"
    )
    clock.append(NOON)
    assert "from 2026-11-03" in typo.words
    assert "Nothing is open of invoice 53636S of customer 1" in typo.words
    wrong = billing("stops", "add", "--customer", "1", "--reason", "whim", "--why", "x", "--by", "anna")
    assert (wrong.code, "payment_plan" in wrong.words) == (2, True)
    assert "1 reminders sent" in billing("reminders", "send", **ON).words
