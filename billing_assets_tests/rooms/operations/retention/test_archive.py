"""The log of what was posted long ago moves aside: nothing of it is lost, and what is still at work is not touched."""

import subprocess
import sys
import threading
import time
from datetime import UTC, date, datetime
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from billing_assets.erp.batches import store as batches
from billing_assets.erp.batches.planning import plan
from billing_assets.erp.documents.documents import State
from billing_assets.erp.netsuite import reports
from billing_assets.erp.netsuite import store as posting
from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.foundation.sections import BatchSettings
from billing_assets.operations.retention import store
from billing_assets.operations.retention.archive import archive_documents
from billing_assets.operations.retention.settings import RetentionSettings
from billing_assets.operations.retention.store import ArchiveError
from billing_assets.posting import batch_lock
from billing_assets_tests.rooms.operations.retention.posted import UNKNOWN_AFTER, lock, post, send
from proving.world.rig import invoices, stage_rows
from proving.world.waiting import PATIENCE_SECONDS

SETTINGS = RetentionSettings()
DAY = 86_400.0


def log(state: Connection) -> list[dict[str, Any]]:
    """The whole log, as finance reads it."""
    return state.execute(
        "select * from billing.posting_log order by source, number, attempt, recorded_at, outcome"
    ).fetchall()


def live(state: Connection) -> tuple[int, int]:
    """Attempts and outcomes in the tables that posting works with."""
    row = state.execute(
        "select (select count(*) from billing.posting_attempts) as a, "
        "(select count(*) from billing.posting_outcomes) as o"
    ).fetchone()
    assert row is not None
    return row["a"], row["o"]


def days_later(state: Connection, days: float) -> None:
    state.execute("update fake.clock set ahead = ahead + make_interval(secs => %s)", [DAY * days])


def test_the_log_says_the_same_after_it_was_archived(state: Connection) -> None:
    """Several attempts, several outcomes, two months; and not a day early."""
    post(state, invoices(3), lambda place: [("retry", State.LOCKED)] * place + [("landed", State.POSTED)])
    days_later(state, 40)
    post(state, invoices(2, first=600_000))
    before = log(state)
    assert (len(before), live(state)) == (8, (8, 8))
    days_later(state, SETTINGS.attempts_days - 40.5)
    assert archive_documents(state, SETTINGS) == 0
    days_later(state, 1)
    assert archive_documents(state, SETTINGS) == 3
    assert (log(state), live(state)) == (before, (2, 2))
    days_later(state, 40)
    assert archive_documents(state, SETTINGS) == 2
    assert (log(state), live(state)) == (before, (0, 0))
    assert len(store.archived_months(state)) == 2
    assert archive_documents(state, SETTINGS) == 0, "the second time there is nothing to do"
    assert log(state) == before


def test_what_is_not_at_its_end_stays_where_posting_finds_it(state: Connection) -> None:
    """Refused, of unknown outcome, not read back, different: all of them old, none of them done."""
    became = [[("refused", State.REJECTED)], [("unknown", State.POSTING)], [("landed", State.POSTED)]]
    key = post(state, invoices(5), lambda place: became[min(place, 2)])
    for change, number in (("read_back_at = null", "500002"), ("difference = 'total 2'", "500003")):
        state.execute(f"update billing.staged_invoices set {change} where number = %s", [number])  # noqa: S608
    days_later(state, SETTINGS.attempts_days + 1)
    before = log(state)
    assert archive_documents(state, SETTINGS) == 1
    assert (log(state), live(state)) == (before, (4, 4))

    held = lock(state, key, retry_rejected=True)
    (unknown,) = posting.open_attempts(state, held, UNKNOWN_AFTER)
    assert (unknown.item.document.number, unknown.last_outcome, unknown.due) == ("500001", "unknown", True)
    send(state, held)
    assert [row["attempt"] for row in log(state) if row["number"] == "500000"] == [1, 2], "numbering goes on"
    assert {one["number"] for one in reports.batch_problems(state, key, 10)} == {"500001", "500002", "500003"}


def test_a_document_that_came_back_takes_its_first_attempts_along(state: Connection) -> None:
    """Refused in one batch and requeued, posted in another: its whole log goes, by the day on which it was posted."""
    post(state, invoices(1), lambda _: [("refused", State.REJECTED)])
    days_later(state, SETTINGS.attempts_days + 1)
    assert archive_documents(state, SETTINGS) == 0
    assert batches.requeue(state, None, UNKNOWN_AFTER) == 1
    post(state, invoices(1, first=600_000))
    before = log(state)
    assert archive_documents(state, SETTINGS) == 0
    days_later(state, SETTINGS.attempts_days + 1)
    assert archive_documents(state, SETTINGS) == 2
    assert (log(state), live(state)) == (before, (0, 0))


@pytest.mark.parametrize("table", ["posting_attempts", "posting_outcomes"])
def test_nothing_leaves_the_log_that_is_not_in_the_archive(table: str, state: Connection) -> None:
    post(state)
    with pytest.raises(psycopg.errors.CheckViolation, match="only what is archived leaves"):
        state.execute(f"delete from billing.{table}")  # noqa: S608


@pytest.mark.parametrize("change", [{"batch": "x"}, {"payload_hash": "\\x01"}, {"posted_at": None}])
def test_a_copy_that_is_not_the_same_lets_nothing_go(change: dict[str, str | None], state: Connection) -> None:
    post(state, invoices(1))
    state.execute("select billing.open_archive(date_trunc('month', now() at time zone 'UTC')::date)")
    if "posted_at" in change:
        change = {"posted_at": datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0).isoformat()}
    state.execute(
        """
        insert into billing.archived_attempts
        select (jsonb_populate_record(null::billing.archived_attempts,
            to_jsonb(a) || jsonb_build_object('posted_at', d.posted_at) || %s)).*
        from billing.posting_attempts as a join billing.staged_invoices as d on d.id = a.document""",
        [Jsonb(change)],
    )
    with pytest.raises(psycopg.errors.CheckViolation, match="only what is archived leaves"):
        state.execute("delete from billing.posting_attempts")


@pytest.mark.parametrize("parent", ["archived_attempts", "archived_outcomes"])
def test_the_archive_takes_no_change(parent: str, state: Connection) -> None:
    post(state)
    days_later(state, SETTINGS.attempts_days + 1)
    assert archive_documents(state, SETTINGS) == 3
    (month,) = store.archived_months(state)
    for table in (parent, f"{parent}_{month.month:%Y_%m}"):
        for statement in ("update {} set run_id = 'x'", "delete from {}", "truncate {}"):
            with pytest.raises(psycopg.errors.CheckViolation, match="append-only"):
                state.execute(statement.format(f"billing.{table}"))


_KEEP = """
import sys
from billing_assets.operations.retention.archive import archive_documents
from billing_assets.foundation.sections import BatchSettings
from billing_assets.operations.retention.settings import RetentionSettings
from billing_assets.foundation.database.connection import connect
with connect(sys.argv[1]) as connection:
    print("begins", flush=True)
    archive_documents(connection, RetentionSettings(), chunk=1)
"""


def test_a_kill_in_the_middle_loses_nothing_and_the_next_time_goes_on(state: Connection, state_url: str) -> None:
    post(state, invoices(200))
    days_later(state, SETTINGS.attempts_days + 1)
    before = log(state)
    with subprocess.Popen([sys.executable, "-c", _KEEP, state_url], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        while live(state)[0] > 190:
            time.sleep(0.001)
        process.kill()
    left = live(state)
    assert 0 < left[0] == left[1] < 200, "the kill was to come in the middle"
    assert log(state) == before
    assert archive_documents(state, SETTINGS) == left[0]
    assert (log(state), live(state)) == (before, (0, 0))


def test_posting_goes_on_beside_two_of_them(state: Connection, state_url: str) -> None:
    """Nobody waits for anybody for long, and nothing is moved twice."""
    post(state, invoices(60))
    days_later(state, SETTINGS.attempts_days + 1)
    before = log(state)
    failures: list[BaseException] = []

    def keep() -> None:
        try:
            with connect(state_url) as connection:
                archive_documents(connection, SETTINGS, chunk=2)
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=keep) for _ in range(2)]
    for thread in threads:
        thread.start()
    post(state, invoices(40, first=600_000))
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    assert not failures
    assert [row for row in log(state) if row["number"] < "6"] == before
    assert live(state) == (40, 40)


def test_a_month_is_detached_with_one_command_and_its_documents_stay(state: Connection) -> None:
    post(state, invoices(2))
    days_later(state, 31)
    post(state, invoices(1, first=600_000))
    days_later(state, SETTINGS.attempts_days + 1)
    assert archive_documents(state, SETTINGS) == 3
    first, second = store.archived_months(state)
    names = store.detach(state, first.month)
    assert [one.month for one in store.archived_months(state)] == [second.month]
    assert [row["number"] for row in log(state)] == ["600000"]
    kept = state.execute(f"select count(*) as n from {names[0]}").fetchone()  # noqa: S608
    assert kept == {"n": 2}
    with pytest.raises(ArchiveError, match=f"no archive of {first.month:%Y-%m}"):
        store.detach(state, first.month)
    for name in names:
        state.execute(f"drop table {name}")


def test_posting_does_not_notice_that_a_month_is_detached(state: Connection, state_url: str) -> None:
    post(state, invoices(1))
    days_later(state, SETTINGS.attempts_days + 1)
    assert archive_documents(state, SETTINGS) == 1
    (month,) = store.archived_months(state)
    stage_rows(state, invoices(2, first=600_000))
    (key,) = plan(state, BatchSettings())
    held = lock(state, key)
    with connect(state_url) as connection, state.transaction():  # all that a run does, and it is not over yet
        send(state, held)
        batch_lock.release(state, held, UNKNOWN_AFTER)
        store.detach(connection, month.month, wait_seconds=1)
    assert [row["number"] for row in log(state)] == ["600000", "600001"]


def test_a_month_is_not_detached_under_a_reader_and_those_behind_do_not_wait_for_long(
    state: Connection, state_url: str
) -> None:
    post(state, invoices(1))
    days_later(state, SETTINGS.attempts_days + 1)
    assert archive_documents(state, SETTINGS) == 1
    (month,) = store.archived_months(state)
    with connect(state_url) as connection:
        with state.transaction():
            assert len(log(state)) == 1
            with pytest.raises(ArchiveError, match="Somebody is reading"):
                store.detach(connection, month.month, wait_seconds=0.1)
        assert store.archived_months(connection) == [month], "nothing half detached"
        assert store.detach(connection, month.month)


def test_what_was_read_back_late_follows_into_a_month_that_was_detached(state: Connection) -> None:
    post(state, invoices(2))
    state.execute("update billing.staged_invoices set difference = 'total 2' where number = '500001'")
    days_later(state, SETTINGS.attempts_days + 1)
    assert archive_documents(state, SETTINGS) == 1
    (month,) = store.archived_months(state)
    names = store.detach(state, month.month)
    state.execute("update billing.staged_invoices set difference = null")
    assert archive_documents(state, SETTINGS) == 1
    assert [row["number"] for row in log(state)] == ["500001"]
    with pytest.raises(ArchiveError, match="still there"):
        store.detach(state, month.month)
    assert [one.month for one in store.archived_months(state)] == [month.month], "nothing half detached"
    for name in names:
        state.execute(f"drop table {name}")
    assert store.detach(state, month.month) == names


def test_a_month_begins_and_ends_by_utc(state: Connection) -> None:
    state.execute("set timezone = 'Pacific/Auckland'")  # where it is February by then
    row = state.execute("select clock_timestamp() as now").fetchone()
    assert row is not None
    days_later(state, (datetime(2031, 1, 31, 23, tzinfo=UTC) - row["now"]).total_seconds() / DAY)
    post(state, invoices(1))
    days_later(state, SETTINGS.attempts_days + 1)
    assert archive_documents(state, SETTINGS) == 1
    assert [one.month for one in store.archived_months(state)] == [date(2031, 1, 1)]
