"""Killed between each two writes, and put back to a backup afterwards: no close is lost, no reminder goes twice."""

import os
import signal
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from billing_assets.erp.close import journaling
from billing_assets.erp.close.closing import hard_close
from billing_assets.erp.close.reconciliation import MonthClose
from billing_assets.erp.close.store import closed_state, closings
from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.foundation.journal import store as journal_store
from billing_assets.foundation.journal.files import Line, Writer
from billing_assets.foundation.journal.restores import restores
from billing_assets_tests.rooms.erp.close.test_closing import FINANCE, TODAY, bill, compared
from billing_assets_tests.rooms.operations.test_cli import Command, machine
from billing_assets_tests.rooms.receivables.reminders.mail_server import MailServer
from billing_assets_tests.rooms.receivables.reminders.month import open_month, sender
from billing_assets_tests.rooms.receivables.reminders.test_kills import KILLED, NOON, rows
from billing_assets_tests.rooms.receivables.reminders.victim import POINTS, SURELY
from proving.world.backups import put_back, snapshot
from proving.world.builders import insert_document
from proving.world.command import complete
from proving.world.journals import compared_journal
from proving.world.system import PERIOD, System
from proving.world.waiting import until

__all__ = ["machine"]
WHO = ("--by", "A. Clerk", "--why", "Again.")

CLOSE_POINTS = {
    "before the intention": ("begun", True, None, None),
    "after the intention, before the commit": ("begun", False, "soft", "soft"),
    "after the commit, before it is written down": ("done", True, "hard", "soft"),
    "after it is written down": ("done", False, "hard", "hard"),
}
"""Around which line a close dies, before or after it; the month's state then, in its own and in an older database."""


def _die_at(event: str, *, before: bool) -> None:
    real: Callable[..., None] = Writer.append

    def append(self: Writer, line: Line, *, durable: bool = True) -> None:
        if line.get("event") == event and before:
            os.kill(os.getpid(), signal.SIGKILL)
        real(self, line, durable=durable)
        if line.get("event") == event:
            os.kill(os.getpid(), signal.SIGKILL)

    Writer.append = append  # type: ignore[method-assign]


def _close_and_die(url: str, folder: Path, close: MonthClose, point: str) -> int:
    child = os.fork()
    if child == 0:
        event, before, _, _ = CLOSE_POINTS[point]
        with connect(url) as connection:
            journal = compared_journal(connection, folder)
            _die_at(event, before=before)
            hard_close(connection, ["billing"], close, FINANCE, journal, TODAY)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("point", CLOSE_POINTS)
def test_a_close_that_is_killed_stands_or_leaves_the_month_closed_soft_whichever_database_comes_after(
    point: str, system: System, machine: Command, server_url: str, tmp_path: Path
) -> None:
    _, _, same, older = CLOSE_POINTS[point]
    insert_document(system.source, "500001")
    bill(system)
    close, url, folder = compared(system), system.runtime.database_url, tmp_path / "its journal"
    compared_journal(system.state, folder)
    system.state.close()
    with snapshot(server_url, url) as backup:
        assert _close_and_die(url, folder, close, point) == KILLED
        with snapshot(server_url, url) as as_it_died:
            put_back(server_url, url, backup)
            with connect(url) as connection:
                compared_journal(connection, folder)
                assert closed_state(connection, PERIOD) == older
                assert len(restores(connection)) == (older == "hard")
            put_back(server_url, url, as_it_died)
        with connect(url) as connection:
            compared_journal(connection, folder)
            # What the older database did about a close of which nobody knew is in the journal, too.
            assert closed_state(connection, PERIOD) == same
        put_back(server_url, url, backup)
        with connect(url) as connection:
            compared_journal(connection, folder)
            assert closed_state(connection, PERIOD) == same, "by now it is written down"
            before = closings(connection)
            with capture_logs() as told:
                compared_journal(connection, folder)
            assert closings(connection) == before
            assert told == [], "what is settled is told once"
    machine.variables["BILLING_JOURNAL"] = str(folder)
    if same != "hard":  # and a person can close it
        complete(machine("close", "hard", PERIOD, *WHO), 0, ["closed for good"])


def test_killed_at_every_point_and_put_back_each_time_no_reminder_comes_twice_and_what_did_not_leave_goes_out(
    connection: Connection, state_url: str, server_url: str, mails: MailServer, tmp_path: Path
) -> None:
    open_month(connection, every=100)
    connection.close()
    folder = tmp_path / "journal"
    unknown = 0
    with snapshot(server_url, state_url) as backup, sender(state_url, mails, tmp_path / "log", folder) as one:
        for point in POINTS:
            assert one.send(NOON, point=point, nth=3) == KILLED
            unknown += point in ("after the journal, before the text", "after the answer, before it is noted")
            unknown += point == "after it is noted"
            put_back(server_url, state_url, backup)
        assert one.send(NOON) == 0
        assert one.send(NOON) == 0
        put_back(server_url, state_url, backup)
        assert one.send(NOON) == 0
        with connect(state_url) as again:
            states = Counter(row["state"] for row in rows(again).values())
            invoices = {number for number, _ in rows(again)}
            noted = rows(again)
    assert max(Counter(mails.arrived).values()) == 1, "a reminder came twice"
    assert states["unknown"] == unknown == 3, "what may have left, and of which no answer was written down"
    assert states["sent"] + states["unknown"] == len(invoices) > 15
    for row in noted.values():
        assert row["state"] != "sent" or row["message_id"] in mails.arrived
    assert set(POINTS) >= SURELY


def waiting(connection: Connection) -> int:
    """How many sessions of this database wait for an advisory lock."""
    row = connection.execute(
        """
        select count(*) as n from pg_locks
        where locktype = 'advisory' and not granted
          and database = (select oid from pg_database where datname = current_database())"""
    ).fetchone()
    return int(row["n"]) if row else 0


def test_several_processes_that_start_at_once_on_a_database_that_was_put_back_notice_it_once(
    connection: Connection, state_url: str, server_url: str, mails: MailServer, tmp_path: Path
) -> None:
    open_month(connection, every=50)
    connection.close()
    folder = tmp_path / "journal"
    with snapshot(server_url, state_url) as backup, sender(state_url, mails, tmp_path / "log", folder) as one:
        assert one.send(NOON) == 0
        put_back(server_url, state_url, backup)

    def start(_: int) -> None:
        with connect(state_url) as own:
            compared_journal(own, folder)

    with connect(state_url) as again:
        with ThreadPoolExecutor(4) as pool:
            with again.transaction():  # all four have begun before the first of them may go on
                journal_store.lock(again)
                started = [pool.submit(start, number) for number in range(4)]
                until(lambda: waiting(again) == len(started), "they do not wait for one another")
            for each in started:
                each.result()
        [found] = restores(again)
        sent = [row for row in rows(again).values() if row["state"] == "sent"]
        assert found.facts == {"reminders_sent": len(sent)}
        assert len(sent) == len(mails.arrived)


def test_the_names_of_the_events_are_those_at_which_closes_are_killed() -> None:
    assert {event for event, *_ in CLOSE_POINTS.values()} < set(journaling._EVENTS)
