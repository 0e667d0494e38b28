"""The drill: a dump, a day's work, the dump put back with pg_restore, a start; with the journal and without it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import pytest
from pydantic import SecretStr

from billing_assets.erp.close.store import closed_state, closings
from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.foundation.journal.compared import journal_of
from billing_assets.foundation.journal.errors import RestoreUnconfirmed
from billing_assets.foundation.journal.restores import note_restore, restores, unconfirmed
from billing_assets.foundation.runtime import Runtime
from billing_assets.operations.alerts.restores import restore_alerts
from billing_assets.receivables.reminders.automation import send_reminders_in_office_hours
from billing_assets.receivables.reminders.sending import Report, send_due
from billing_assets.receivables.reminders.smtp import Delivery
from billing_assets.receivables.settings import ReminderSettings
from billing_assets_tests.rooms.erp.close.test_closing import bill, press
from billing_assets_tests.rooms.operations.test_cli import Command, machine
from billing_assets_tests.rooms.receivables.reminders.mail_server import MailServer
from proving.world.backups import dump, restored
from proving.world.builders import insert_document
from proving.world.command import complete
from proving.world.reminders import NOON, materials, open_item, steps
from proving.world.system import System

__all__ = ["machine"]

WHO = ("--by", "A. Clerk", "--why", "The signed statement says so.")
INVOICES = "12345"


def remind(found: Runtime, mails: MailServer) -> Report:
    """A run as the sensor and the command do it."""
    with found.state() as connection:
        return send_due(
            connection, materials(), mails.server, "a run", lambda: NOON, journal_of(connection, found.settings)
        )


@contextmanager
def after_the_restore(server_url: str, path: Path, system: System, machine: Command) -> Iterator[Connection]:
    """The machine and the system on a database of its own, into which the dump was restored."""
    with restored(server_url, path) as url:
        settings = system.runtime.settings.model_copy(update={"database_url": SecretStr(url)})
        system.settings = settings
        machine.variables["BILLING_DATABASE_URL"] = url
        with connect(url) as connection:
            system.state = connection
            yield connection


@pytest.fixture
def worked_on(system: System, machine: Command, mails: MailServer, tmp_path: Path) -> Path:
    """A dump of two months that are posted, one reminder sent; then they are closed and four reminders sent."""
    insert_document(system.source, "400001", document_date=date(2010, 10, 5))
    insert_document(system.source, "500001")
    bill(system)
    for number in INVOICES:
        open_item(system.state, number, customer=number, due_date=NOON.date() if number == "1" else date(2027, 1, 1))
    assert remind(system.runtime, mails).count(Delivery.SENT) == 1
    path = dump(system.runtime.database_url, tmp_path / "billing.dump")
    complete(machine("close", "hard", "2010-10", *WHO), 0, ["2010-10 is closed for good"])
    complete(machine("close", "hard", "2010-11", *WHO), 0, ["2010-11 is closed for good"])
    system.state.execute("update billing.open_receivables set due_date = %s", [NOON.date()])
    assert remind(system.runtime, mails).count(Delivery.SENT) == 4
    return path


def told(system: System) -> set[str]:
    """The causes that the watch finds."""
    assert isinstance(system.look("alert_on_problems"), dg.SkipReason)
    return {row["cause"] for row in system.state.execute("select cause from billing.alerts").fetchall()}


def test_after_a_restore_the_closes_stand_and_no_reminder_goes_twice(
    system: System, machine: Command, mails: MailServer, worked_on: Path, server_url: str
) -> None:
    before = closings(system.state)
    with after_the_restore(server_url, worked_on, system, machine) as connection:
        connection.execute("update billing.open_receivables set due_date = %s", [NOON.date()])
        assert closings(connection) == [], "yesterday's database knows nothing of it"
        complete(machine("status"), 0, [])
        assert [closed_state(connection, month) for month in ("2010-10", "2010-11")] == ["hard", "hard"]
        after = closings(connection)
        assert [one._replace(taken_from_journal_at=None) for one in after] == before
        assert all(one.taken_from_journal_at for one in after)
        assert remind(system.runtime, mails).tried == []
        assert {str(steps(connection, number)) for number in INVOICES} == {
            str({"due": "sent"}),
            str({"before_due": "skipped", "due": "sent"}),
        }
        assert len(mails.arrived) == len(set(mails.arrived)) == 5
        [one] = restores(connection)
        assert (one.how, one.covered, one.facts["reminders_sent"], len(one.facts["closes"])) == ("journal", True, 4, 2)
        assert unconfirmed(connection) == []
        [alert] = restore_alerts(connection, datetime.now(UTC), "", reminders=True)
        assert "taken in again" in alert.what_happened
        said = machine("doctor")
        assert "ok Journal" in said.words
        assert "the database was put back 1 times" in said.words
        complete(machine("close", "history"), 0, ["from the journal", "A. Clerk"])
        complete(machine("close", "soft", "2010-11", *WHO), 2, ["closed already (hard)"])
        machine("status")
        assert len(restores(connection)) == 1, "it is noticed once"


def test_without_the_journal_nothing_is_closed_or_mailed_until_a_person_confirms_each_month_and_the_reminders(
    system: System, machine: Command, mails: MailServer, worked_on: Path, server_url: str
) -> None:
    shutil.rmtree(system.runtime.settings.journal_folder)
    with after_the_restore(server_url, worked_on, system, machine) as connection:
        connection.execute("update billing.open_receivables set due_date = %s", [NOON.date()])
        complete(machine("restore", "list"), 0, ["does not cover it", "2010-10, 2010-11", "No reminder is sent"])
        doctor = machine("doctor")
        assert "FAIL Journal" in doctor.words
        assert "the months 2010-10, 2010-11" in doctor.words
        [alert] = restore_alerts(connection, datetime.now(UTC), "", reminders=True)
        assert "2010-10, 2010-11, reminders" in alert.what_happened
        assert told(system) >= {"database_put_back", "journal_unusable"}
        reminding = system.runtime.settings.of(ReminderSettings).model_copy(update={"enabled": True})
        on = Runtime(system.runtime.settings.model_copy(update={"reminders": reminding}))
        asleep = send_reminders_in_office_hours(
            dg.build_sensor_context(instance=system.instance, resources={"billing": on})
        )
        assert isinstance(asleep, dg.SkipReason)
        assert "billing restore confirm-reminders" in str(asleep.skip_message)
        for action in ("soft", "hard", "reopen"):
            said = machine("close", action, "2010-10", *WHO)
            complete(said, 2, ["put back to an earlier time", "billing restore confirm-month 2010-10"])
        assert not press(system, "hard_close_month", "2010-10").success
        assert closings(connection) == []
        with pytest.raises(RestoreUnconfirmed, match="billing restore confirm-reminders"):
            remind(system.runtime, mails)
        assert len(mails.arrived) == 5
        complete(machine("restore", "confirm-month", "2010-10", "--by", " ", "--why", "x"), 2, ["Say who decides"])
        complete(machine("restore", "confirm-month", "2010-10", *WHO), 0, ["2010-10 is confirmed"])
        complete(machine("restore", "confirm-month", "2010-10", *WHO), 2, ["No restore waits"])
        complete(machine("close", "hard", "2010-10", *WHO), 0, ["2010-10 is closed for good"])
        complete(machine("close", "hard", "2010-11", *WHO), 2, ["confirm-month 2010-11"])
        complete(machine("restore", "confirm-month", "2010-11", *WHO), 0, [])
        complete(machine("close", "hard", "2010-11", *WHO), 0, ["2010-11 is closed for good"])
        complete(machine("restore", "confirm-reminders", "--as", "again", *WHO), 0, ["goes out at the next look"])
        assert remind(system.runtime, mails).count(Delivery.SENT) == 4
        complete(machine("restore", "list"), 0, ["Nothing waits", "A. Clerk", "2010-11"])


def test_a_month_after_the_restore_needs_no_word(system: System, state_url: str) -> None:
    with connect(state_url) as connection:
        found = note_restore(connection, "netsuite", {"documents": 3})
        assert not found.covered
        month = f"{found.noticed_at.astimezone(UTC):%Y-%m}"
        assert unconfirmed(connection, "month", month) == [found]
        assert unconfirmed(connection, "month", "9999-01") == []
        assert unconfirmed(connection, "netsuite") == [found]


def test_what_netsuite_tells_is_covered_only_where_the_journal_had_something_newer_too(
    system: System, machine: Command, mails: MailServer, worked_on: Path, server_url: str
) -> None:
    with after_the_restore(server_url, worked_on, system, machine) as connection:
        journal_of(connection, system.runtime.settings)
        assert note_restore(connection, "netsuite", {"documents": 1}).covered
        assert note_restore(connection, "netsuite", {"documents": 1}).covered, "told twice before anything is sent"
        insert_document(system.source, "500002", document_date=date(2010, 12, 5))
        bill(system)
        assert not note_restore(connection, "netsuite", {"documents": 1}).covered, "another one, later"
        with pytest.raises(RestoreUnconfirmed, match="that this database never sent"):
            remind(system.runtime, mails)


def test_a_journal_that_is_lost_alone_is_begun_again_from_the_database_and_blocks_nothing(
    system: System, machine: Command, mails: MailServer, worked_on: Path, server_url: str
) -> None:
    shutil.rmtree(system.runtime.settings.journal_folder)
    assert "instead of one that was lost" in machine("doctor").words
    assert restores(system.state) == []
    assert remind(system.runtime, mails).tried == []
    insert_document(system.source, "600001", document_date=date(2010, 12, 5))
    bill(system)
    complete(machine("close", "hard", "2010-12", *WHO), 0, ["closed for good"])
    with after_the_restore(server_url, worked_on, system, machine) as connection:
        connection.execute("update billing.open_receivables set due_date = %s", [NOON.date()])
        machine("status")
        months = ("2010-10", "2010-11", "2010-12")
        assert [closed_state(connection, month) for month in months] == ["hard"] * 3, "the new one has all of it"
        assert remind(system.runtime, mails).tried == []
        [one] = restores(connection)
        assert one.covered


def test_another_databases_journal_is_neither_read_nor_written_and_the_refusal_says_so(
    system: System, machine: Command, mails: MailServer, worked_on: Path, server_url: str, tmp_path: Path
) -> None:
    folder = system.runtime.settings.journal_folder
    with after_the_restore(server_url, worked_on, system, machine) as connection:
        connection.execute("delete from billing.journal")
        connection.execute("set session_replication_role = replica; delete from billing.bindings")  # as if moved to qa
        said = machine("close", "soft", "2010-11", *WHO, BILLING_ENV="qa", BILLING_CONFIG=str(_any(tmp_path)))
        complete(said, 2, ["does not belong to this database", "environment 'dev' and not 'qa'", str(folder)])
        assert closings(connection) == []
        machine.variables["BILLING_JOURNAL"] = str(tmp_path / "another")
        complete(machine("status"), 0, [])
        del machine.variables["BILLING_JOURNAL"]
        complete(machine("close", "soft", "2010-11", *WHO), 2, ["this database's is", "all machines"])


def _any(folder: Path) -> Path:
    path = folder / "settings.yaml"
    path.write_text("{}")
    return path


def test_a_database_that_is_put_back_under_a_running_system_is_noticed_by_the_watch(
    system: System, machine: Command, worked_on: Path, server_url: str
) -> None:
    assert told(system) == set()
    with after_the_restore(server_url, worked_on, system, machine) as connection:
        assert told(system) == {"database_put_back"}
        assert closed_state(connection, "2010-11") == "hard"


def test_a_folder_that_cannot_be_written_to_refuses_closing_and_mailing_before_anything_is_done(
    system: System, machine: Command, mails: MailServer, tmp_path: Path
) -> None:
    insert_document(system.source, "500001")
    bill(system)
    open_item(system.state, "1")
    (tmp_path / "a file").write_text("")
    folder = str(tmp_path / "a file" / "journal")
    machine.variables["BILLING_JOURNAL"] = folder
    complete(machine("close", "hard", "2010-11", *WHO), 2, [folder, "No month is closed and no reminder is sent"])
    settings = system.runtime.settings.model_copy(update={"journal": Path(folder)})
    system.settings = settings
    with pytest.raises(Exception, match="No month is closed and no reminder is sent"):
        remind(system.runtime, mails)
    assert closings(system.state) == []
    assert (mails.arrived, steps(system.state, "1")) == ([], {})
    assert f"FAIL Journal: The journal {folder}" in machine("doctor").words
    assert "journal_unusable" in told(system)
