"""Whoever is at work shows itself; whoever dies, hangs or is cut off is missed."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.foundation.database.presence import missed, present
from proving.world.waiting import until

LEASE = 0.9
_WORK = """
import sys, time
from billing_assets.foundation.database.presence import present
with present(sys.argv[1], sys.argv[2], float(sys.argv[3])):
    print("at work", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def state(state_url: str) -> Iterator[Connection]:
    with connect(state_url) as connection:
        yield connection


def noted(state: Connection) -> set[str]:
    """Runs that showed themselves and were not forgotten."""
    return {row["run_id"] for row in state.execute("select run_id from billing.runs_at_work").fetchall()}


@contextmanager
def process(state_url: str, state: Connection, run_id: str, lease: float = LEASE) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is at work on a run and shows it."""
    command = [sys.executable, "-c", _WORK, state_url, run_id, str(lease)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as started:
        try:
            assert started.stdout
            assert started.stdout.readline() == b"at work\n"
            until(lambda: run_id in noted(state))
            yield started
        finally:
            started.kill()


def test_a_run_at_work_is_not_missed_and_is_forgotten_when_it_ends_in_order(state_url: str, state: Connection) -> None:
    lease = 3 * LEASE  # a busy machine lets it show itself late
    with present(state_url, "run 1", lease):
        until(lambda: noted(state) == {"run 1"})
        time.sleep(1.2 * lease)
        assert missed(state, ["run 1", "run 2"], 0) == []
    assert noted(state) == set()


def test_a_run_whose_process_was_killed_is_missed_at_once(state_url: str, state: Connection) -> None:
    with process(state_url, state, "run 1", lease=600) as worker:
        assert missed(state, ["run 1"], 0) == []
        worker.kill()
        until(lambda: missed(state, ["run 1"], 0) == ["run 1"])  # long before its lease has ended
        assert missed(state, ["run 1"], 600) == [], "not for that long"
        time.sleep(0.2)
        assert missed(state, ["run 1"], 0.2) == ["run 1"]


def test_a_run_whose_process_hangs_is_missed_after_its_lease_until_it_goes_on(
    state_url: str, state: Connection
) -> None:
    with process(state_url, state, "run 1") as worker:
        worker.send_signal(signal.SIGSTOP)
        until(lambda: missed(state, ["run 1"], 0) == ["run 1"])
        worker.send_signal(signal.SIGCONT)
        until(lambda: missed(state, ["run 1"], 0) == [])
        row = state.execute("select missed_since from billing.runs_at_work").fetchone()
        assert row == {"missed_since": None}, "the next time counts from its own beginning"


def test_a_lost_connection_is_made_anew(state_url: str, state: Connection) -> None:
    with present(state_url, "run 1", LEASE):
        until(lambda: noted(state) == {"run 1"})
        state.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'billing presence' "
            "and datname = current_database()"
        )
        until(lambda: missed(state, ["run 1"], 0) == ["run 1"])
        until(lambda: missed(state, ["run 1"], 0) == [])


def test_a_clock_that_is_set_back_makes_nobody_wait_longer(state: Connection) -> None:
    state.execute("insert into billing.runs_at_work values ('run 1', now(), now() + interval '1 day')")
    assert missed(state, ["run 1"], 0.2) == []
    time.sleep(0.3)
    assert missed(state, ["run 1"], 0.2) == ["run 1"]


def test_a_dead_run_that_nobody_expects_is_forgotten(state: Connection) -> None:
    state.execute("insert into billing.runs_at_work (run_id) values ('run 1'), ('run 2')")
    assert missed(state, ["run 2"], 0) == ["run 2"]
    assert noted(state) == {"run 2"}


def test_work_goes_on_where_the_database_cannot_be_reached() -> None:
    with present("postgresql+psycopg://nobody@127.0.0.1:1/nothing", "run 1", LEASE):
        pass
