"""Lanes on a real PostgreSQL: never more than the limit over all runs, shared fairly, freed by dying."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import psycopg
import pytest
from sqlalchemy import make_url

from billing_assets.foundation.database.connection import connect, libpq_url
from billing_assets.posting.lanes import Lanes, lanes_in_use
from proving.world.waiting import PATIENCE_SECONDS, until

ACCOUNT = "1234567_SB1"


def in_use(url: str, account: str = ACCOUNT) -> int:
    with connect(url) as connection:
        return lanes_in_use(connection, account)


def settle(*runs: Lanes) -> list[int]:
    """What each run holds after all had the time to see each other."""
    for _ in range(4):
        for run in runs:
            run.refresh()
    return [run.held for run in runs]


@contextmanager
def holder(url: str, limit: int = 15) -> Iterator[subprocess.Popen[str]]:
    """Another run in a process of its own, which holds its lanes when the block begins."""
    process = subprocess.Popen(
        [sys.executable, "-m", "billing_assets_tests.rooms.erp.netsuite.lane_holder", ACCOUNT, str(limit)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(f"{url}\n")
        process.stdin.flush()
        assert process.stdout.readline().strip().isdigit()
        threading.Thread(target=process.stdout.read, daemon=True).start()
        yield process
    finally:
        process.kill()
        process.wait()


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_run_that_is_alone_takes_all_lanes_and_frees_them_at_its_end(database: str) -> None:
    with Lanes(database, ACCOUNT, 15) as lanes:
        assert lanes.held == in_use(database) == 15
    until(lambda: in_use(database) == 0)


def test_runs_share_fairly_as_they_come_and_go(database: str) -> None:
    with ExitStack() as stack:
        one = stack.enter_context(Lanes(database, ACCOUNT, 15))
        two = stack.enter_context(Lanes(database, ACCOUNT, 15))
        assert settle(one, two) == [8, 7]
        with Lanes(database, ACCOUNT, 15) as three:
            assert settle(one, two, three) == [5, 5, 5]
            assert in_use(database) == 15
        assert sum(settle(one, two)) == 15
        assert min(one.held, two.held) >= 7


def test_what_one_run_does_not_need_another_borrows_and_gives_back(database: str) -> None:
    with Lanes(database, ACCOUNT, 15) as busy, Lanes(database, ACCOUNT, 15) as ending:
        for _ in range(4):
            ending.refresh(want=3)
            busy.refresh()
        assert (busy.held, ending.held) == (12, 3)
        assert settle(busy, ending) == [8, 7]
        ending.refresh(want=0)
        assert settle(busy) == [15]


def test_accounts_do_not_share_lanes_but_the_spelling_of_one_does_not_matter(database: str) -> None:
    with Lanes(database, "1234567_SB1", 4) as one, Lanes(database, "7654321", 4) as other:
        assert (one.held, other.held) == (4, 4)
        assert in_use(database, "1234567-sb1") == 4


def test_a_lowered_limit_holds_for_the_runs_that_know_it(database: str) -> None:
    with Lanes(database, ACCOUNT, 3) as one, Lanes(database, ACCOUNT, 3) as two:
        assert sum(settle(one, two)) == 3
    with Lanes(database, ACCOUNT, 1) as only:
        assert only.held == 1


def test_more_runs_than_lanes_leave_some_waiting_and_none_over_the_limit(database: str) -> None:
    with ExitStack() as stack:
        runs = [stack.enter_context(Lanes(database, ACCOUNT, 2)) for _ in range(3)]
        assert sorted(settle(*runs)) == [0, 1, 1]


def test_a_lane_with_a_request_in_flight_is_not_given_back(database: str) -> None:
    """NetSuite still counts that request, whatever we think of fairness."""
    with Lanes(database, ACCOUNT, 4) as first:
        for _ in range(4):
            assert first.acquire(1)
        with Lanes(database, ACCOUNT, 4) as second:
            assert settle(first, second) == [4, 0]
            assert not first.acquire(0.01)
            first.release()
            assert settle(first, second) == [3, 1]
            first.release()
            first.release()
            assert settle(first, second) == [2, 2]
            assert first.acquire(1)
            assert not first.acquire(0.01)


def test_runs_that_are_busy_all_the_time_still_give_a_newcomer_its_share(database: str) -> None:
    stop = threading.Event()

    def work(run: Lanes) -> None:
        while not stop.is_set():
            if run.acquire(0.05):
                time.sleep(0.02)
                run.release()

    with ExitStack() as stack:
        runs = [stack.enter_context(Lanes(database, ACCOUNT, 6)) for _ in range(2)]
        workers = [threading.Thread(target=work, args=(run,)) for run in runs for _ in range(6)]
        for worker in workers:
            worker.start()
        try:
            until(lambda: settle(*runs) == [3, 3])
            newcomer = stack.enter_context(Lanes(database, ACCOUNT, 6))
            until(lambda: settle(*runs, newcomer) == [2, 2, 2])
        finally:
            stop.set()
            for worker in workers:
                worker.join()


def test_a_run_with_a_question_gets_a_lane_and_leaves_the_others_all_that_it_does_not_need(database: str) -> None:
    with Lanes(database, ACCOUNT, 15) as busy, ExitStack() as requests:
        for _ in range(15):
            assert busy.acquire(1)
            requests.callback(busy.release)
        with Lanes(database, ACCOUNT, 15, at_first=1) as asking:
            assert asking.held == 0
            assert (asking.changing, busy.changing) == (True, False)
            busy.refresh()
            assert busy.changing
            assert busy.usable == 14
            requests.pop_all().close()
            busy.refresh()
            assert asking.refresh(1) == 1
            busy.refresh()
            assert (busy.held, busy.usable) == (14, 14)
            asking.heed(None)
            assert (asking.changing, busy.changing) == (False, False)


def test_a_killed_run_frees_its_lanes_by_dying(database: str) -> None:
    with Lanes(database, ACCOUNT, 15) as lanes, holder(database) as other:
        until(lambda: lanes.refresh() == 8 and in_use(database) == 15)
        os.kill(other.pid, signal.SIGKILL)
        until(lambda: lanes.refresh() == 15)


def test_a_stopped_process_keeps_its_lanes_and_nobody_takes_them(database: str) -> None:
    with Lanes(database, ACCOUNT, 15) as lanes, holder(database) as other:
        until(lambda: lanes.refresh() == 8 and in_use(database) == 15)
        os.kill(other.pid, signal.SIGSTOP)
        for _ in range(10):
            assert lanes.refresh() == 8
        os.kill(other.pid, signal.SIGCONT)


def terminate_lanes(url: str) -> int:
    with psycopg.connect(libpq_url(url), autocommit=True) as connection:
        return len(
            connection.execute(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
                " where application_name = 'billing lanes' and datname = current_database()"
            ).fetchall()
        )


def test_a_lost_connection_loses_the_lanes_and_the_run_regains_them(database: str) -> None:
    with Lanes(database, ACCOUNT, 15) as lanes:
        assert lanes.acquire(1)
        assert terminate_lanes(database) == 1
        assert in_use(database) == 0
        with Lanes(database, ACCOUNT, 15) as other:
            assert other.held == 15
            assert lanes.refresh() == 0  # noticed: it holds nothing that others hold
            assert not lanes.acquire(0.01)
            assert settle(other, lanes) == [8, 7]
        lanes.release()
        assert lanes.stats().losses == 1
        until(lambda: settle(lanes) == [15])  # PostgreSQL ends the other's session a moment after it closed


def test_without_a_database_no_lane_is_held_and_the_run_goes_on_when_it_is_back(database: str) -> None:
    name = make_url(database).database
    server = make_url(database).set(database="postgres").render_as_string(hide_password=False)
    with Lanes(database, ACCOUNT, 15) as lanes, psycopg.connect(libpq_url(server), autocommit=True) as admin:
        admin.execute(f'alter database "{name}" allow_connections false')
        admin.execute("select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = %s", (name,))
        assert lanes.refresh() == 0
        assert not lanes.acquire(0.01)
        assert lanes.refresh() == 0
        admin.execute(f'alter database "{name}" allow_connections true')
        assert lanes.refresh() == 15
        assert lanes.acquire(0.01)
        lanes.release()


def test_entering_without_a_database_fails_with_its_cause() -> None:
    with (
        pytest.raises(psycopg.OperationalError, match="refused"),
        Lanes("postgresql+psycopg://x@127.0.0.1:1/x", ACCOUNT, 15),
    ):
        pass


def test_over_all_runs_never_more_than_the_limit_is_held_or_in_flight(database: str) -> None:
    """Runs come, go, want more or less, and are throttled, in threads of their own, until all of that was seen."""
    limit = 6
    over = threading.Event()
    lock = threading.Lock()
    flying = [0, 0]  # now, at most
    sent = [0] * 4

    def run(index: int) -> None:
        chance = random.Random(index)
        while not over.is_set():
            with Lanes(database, ACCOUNT, limit) as lanes, ThreadPoolExecutor(limit) as workers:
                life = time.monotonic() + chance.uniform(0.1, 0.6)

                def work(lanes: Lanes, life: float) -> None:
                    while time.monotonic() < life and not over.is_set():
                        if lanes.acquire(0.05):
                            with lock:
                                flying[0] += 1
                                flying[1] = max(flying)
                                sent[index] += 1
                            time.sleep(0.003)
                            with lock:
                                flying[0] -= 1
                            lanes.release()

                for _ in range(limit):
                    workers.submit(work, lanes, life)
                while time.monotonic() < life and not over.is_set():
                    lanes.refresh(want=chance.choice([None, 0, 1, 3, limit, 1000]))
                    if chance.random() < 0.1:
                        lanes.throttled()
                    time.sleep(0.005)
                workers.shutdown(wait=True)

    looks = []
    with ThreadPoolExecutor(4) as pool, connect(database) as watcher:
        runs = [pool.submit(run, index) for index in range(4)]
        began = time.monotonic()

        def enough() -> bool:
            looks.append(lanes_in_use(watcher, ACCOUNT))
            was_used = max(looks) == limit and flying[1] >= limit - 2 and all(sent)
            return was_used and time.monotonic() - began > 2

        until(enough, "it was a test of nothing")
        over.set()
        for finished in runs:
            finished.result(PATIENCE_SECONDS)
    assert max(looks) == limit
    assert flying[1] <= limit
    until(lambda: in_use(database) == 0)


def test_a_429_halves_what_is_used_at_most_once_a_second_and_it_grows_back_when_quiet(database: str) -> None:
    clock = Clock()
    with Lanes(database, ACCOUNT, 16, clock=clock) as lanes:
        for expected in (8, 4, 2, 1, 1):
            for _ in range(5):  # the answers to the requests that were in flight together are one sign
                lanes.throttled()
            assert lanes.stats().usable == expected
            clock.now += 1.0
        assert lanes.stats().throttled == 25
        clock.now += 2.0
        lanes.refresh()
        assert lanes.stats().usable == 1  # not quiet for long enough
        clock.now += 3.0
        grown = []
        for _ in range(4):
            lanes.refresh()
            lanes.refresh()  # growing goes by time, not by calls
            grown.append(lanes.stats().usable)
            clock.now += 1.0
        assert grown == [2, 3, 4, 5]
        for _ in range(20):
            lanes.refresh()
            clock.now += 1.0
        assert lanes.stats().usable == 16


def test_a_throttled_run_keeps_its_unused_lanes_from_the_others(database: str) -> None:
    """The limit that was hit is the account's: what one run stops using, another must not use in its place."""
    clock = Clock()
    with Lanes(database, ACCOUNT, 15, clock=clock) as one, Lanes(database, ACCOUNT, 15, clock=clock) as two:
        assert settle(one, two) == [8, 7]
        one.throttled()
        assert settle(one, two) == [8, 7]
        assert one.stats().usable == 4


def test_workers_are_woken_as_lanes_become_free_and_no_more_than_there_are(database: str) -> None:
    with Lanes(database, ACCOUNT, 2) as lanes, ThreadPoolExecutor(8) as workers:
        assert lanes.acquire(1)
        assert lanes.acquire(1)
        waiting = [workers.submit(lanes.acquire, PATIENCE_SECONDS) for _ in range(3)]
        time.sleep(0.05)
        assert not any(future.done() for future in waiting)
        lanes.release()
        until(lambda: sum(future.done() for future in waiting) == 1)
        time.sleep(0.05)
        assert sum(future.done() for future in waiting) == 1
        for _ in range(2):
            lanes.release()
        until(lambda: all(future.done() for future in waiting))
        assert all(future.result() for future in waiting)
        assert lanes.stats().in_use == 2
        lanes.release()
        lanes.release()
        with pytest.raises(RuntimeError):
            lanes.release()
