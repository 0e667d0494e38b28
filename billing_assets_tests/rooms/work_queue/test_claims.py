"""A queue of work: each item done once, whatever dies meanwhile; what fails rests, and what fails for good waits for a
person."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.foundation.errors import BillingError
from billing_assets.work_queue import claims
from billing_assets.work_queue.claims import Queue, StaleClaimError
from billing_assets.work_queue.working import WorkPolicy, next_item

TABLE = """
create schema billing;
create table billing.chores (
    id bigint generated always as identity primary key,
    queue_state text not null default 'waiting' check (queue_state in ('waiting', 'claimed', 'done', 'parked')),
    queue_epoch bigint not null default 0,
    queue_attempts integer not null default 0,
    queue_due timestamptz not null default clock_timestamp(),
    queue_worker text,
    queue_why text
);
create index on billing.chores (queue_due, id) where queue_state in ('waiting', 'claimed');
create table billing.results (chore bigint not null, worker text not null);
"""
CHORES = Queue("billing.chores", max_attempts=3)
LONG, OVER = 600.0, 0.0


@pytest.fixture
def state(database: str) -> Iterator[Connection]:
    with connect(database) as connection:
        connection.execute(TABLE)
        yield connection


def add(state: Connection, number: int) -> None:
    state.execute(
        "insert into billing.chores (queue_due) select clock_timestamp() from generate_series(1, %s)", [number]
    )


def result(connection: Connection, claim: claims.Claim) -> None:
    """Does an item: its result and its end are one transaction."""
    with connection.transaction():
        connection.execute("insert into billing.results values (%s, %s)", [claim.item, claim.worker])
        claims.complete(connection, claim)


def results(state: Connection) -> list[int]:
    return [row["chore"] for row in state.execute("select chore from billing.results order by 1")]


def why(state: Connection, item: int) -> str:
    (row,) = state.execute("select queue_state, queue_why from billing.chores where id = %s", [item]).fetchall()
    return f"{row['queue_state']}: {row['queue_why']}"


def test_many_workers_do_each_item_once(state: Connection, database: str) -> None:
    add(state, 60)

    def work(name: str) -> None:
        with connect(database) as mine:
            while (claim := claims.claim(mine, CHORES, name, LONG)) is not None:
                result(mine, claim)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, [f"worker {number}" for number in range(6)]))
    assert results(state) == list(range(1, 61))
    assert claims.counts(state, CHORES) == (0, 0, 60, 0)


def test_items_go_in_the_order_in_which_they_are_due(state: Connection) -> None:
    add(state, 3)
    state.execute("update billing.chores set queue_due = clock_timestamp() - make_interval(secs => id)")
    state.execute("update billing.chores set queue_due = clock_timestamp() + interval '1 hour' where id = 2")
    assert [claim.item for _ in range(2) if (claim := claims.claim(state, CHORES, "w", LONG))] == [3, 1]
    assert claims.claim(state, CHORES, "w", LONG) is None, "2 is not due"


def test_a_worker_that_was_overtaken_writes_nothing(state: Connection) -> None:
    add(state, 1)
    slow = claims.claim(state, CHORES, "slow", OVER)
    quick = claims.claim(state, CHORES, "quick", LONG)
    assert slow
    assert quick
    assert (slow.item, slow.epoch + 1) == (quick.item, quick.epoch)
    for late in (
        lambda: result(state, slow),
        lambda: claims.renew(state, slow, LONG),
        lambda: claims.retry(state, slow, "x", 0),
        lambda: claims.park(state, slow, "x"),
    ):
        with pytest.raises(StaleClaimError, match=r"slow no longer has item 1 of billing\.chores"):
            late()
    assert results(state) == []
    result(state, quick)
    with pytest.raises(StaleClaimError):
        result(state, quick)
    assert results(state) == [1]


def test_what_fails_rests_longer_each_time_and_is_parked_with_its_reason(state: Connection) -> None:
    add(state, 1)
    for attempt in (1, 2):
        claim = claims.claim(state, CHORES, "w", LONG)
        assert claim
        assert claim.attempts == attempt
        assert claims.retry(state, claim, "The disk is full.", 3600)
        assert claims.claim(state, CHORES, "w", LONG) is None, "it rests"
        state.execute("update billing.chores set queue_due = clock_timestamp()")
    last = claims.claim(state, CHORES, "w", LONG)
    assert last
    assert not claims.retry(state, last, "The disk is full.", 0)
    assert why(state, 1) == "parked: The disk is full. It was tried 3 times."
    assert [WorkPolicy(retry_seconds=10).pause(attempt) for attempt in (1, 2, 3)] == [10, 20, 40]
    assert claims.put_back(state, CHORES, 1)
    again = claims.claim(state, CHORES, "w", LONG)
    assert again
    assert again.attempts == 1


def test_an_item_on_which_every_worker_dies_is_parked(state: Connection) -> None:
    add(state, 1)
    for _ in range(3):
        assert claims.claim(state, CHORES, "doomed", OVER)
    assert claims.claim(state, CHORES, "careful", LONG) is None
    assert why(state, 1) == "parked: Each of 3 workers that took it ended without a word, the last one doomed."


def _work_until_killed(database: str, ready: "multiprocessing.synchronize.Event") -> None:
    policy = WorkPolicy(lease_seconds=0.5)
    with connect(database) as mine, next_item(database, mine, CHORES, "victim", policy) as work:
        assert work
        with mine.transaction():
            mine.execute("insert into billing.results values (%s, 'victim')", [work.claim.item])
            claims.complete(mine, work.claim)
            ready.set()
            signal.pause()


def test_work_that_was_killed_before_its_commit_is_done_by_another(state: Connection, database: str) -> None:
    add(state, 1)
    started = multiprocessing.get_context("spawn")
    ready = started.Event()
    victim = started.Process(target=_work_until_killed, args=(database, ready))
    victim.start()
    ready.wait()
    assert victim.pid
    os.kill(victim.pid, signal.SIGKILL)
    victim.join()
    while (claim := claims.claim(state, CHORES, "heir", LONG)) is None:
        time.sleep(0.02)
    result(state, claim)
    assert results(state) == [1]


def test_a_claim_lives_as_long_as_its_work(state: Connection, database: str) -> None:
    add(state, 1)
    policy = WorkPolicy(lease_seconds=0.3)
    with next_item(database, state, CHORES, "long", policy) as work:
        assert work
        (before,) = state.execute("select queue_due from billing.chores").fetchall()
        while True:  # until it was renewed past the first lease
            (now,) = state.execute("select queue_due, clock_timestamp() as time from billing.chores").fetchall()
            if now["time"] > before["queue_due"]:
                break
        with connect(database) as other:
            assert claims.claim(other, CHORES, "other", LONG) is None
        result(state, work.claim)
    assert results(state) == [1]


class UnreadableError(BillingError):
    """Cannot be read."""


class BusyError(BillingError):
    """Later."""

    retryable = True


def test_an_error_ends_with_its_item_and_the_next_one_has_its_turn(state: Connection, database: str) -> None:
    add(state, 3)
    errors: list[BillingError | None] = [
        UnreadableError("Line 3 has no date."),
        BusyError("The table is locked."),
        None,
    ]
    for error in errors:
        with next_item(database, state, CHORES, "w", WorkPolicy(retry_seconds=3600)) as work:
            assert work
            if error:
                raise error
            result(state, work.claim)
    with next_item(database, state, CHORES, "w", WorkPolicy()) as work:
        assert work is None
    assert why(state, 1) == "parked: Line 3 has no date."
    assert why(state, 2) == "waiting: The table is locked."
    assert results(state) == [3]


def test_a_fault_of_ours_is_raised_and_the_item_tried_again_after_its_lease(state: Connection, database: str) -> None:
    add(state, 1)
    with pytest.raises(ZeroDivisionError), next_item(database, state, CHORES, "w", WorkPolicy(lease_seconds=0.2)):
        _ = 1 // 0
    while (again := claims.claim(state, CHORES, "w", LONG)) is None:
        time.sleep(0.02)
    assert again.attempts == 2


def test_a_worker_learns_that_its_item_was_taken(state: Connection, database: str) -> None:
    add(state, 1)
    with next_item(database, state, CHORES, "slow", WorkPolicy(lease_seconds=0.3)) as work:
        assert work
        work.check()
        state.execute("update billing.chores set queue_epoch = queue_epoch + 1")
        work.lost.wait()
        work.check()
    assert not [thread for thread in threading.enumerate() if thread.name == "claim"]


class Queued(RuleBasedStateMachine):
    """Workers that claim, finish, fail, die and wake up late, in any order: each item has one result at most, and is
    done exactly when it has one."""

    state: Connection

    def __init__(self) -> None:
        super().__init__()
        self.state.execute("truncate billing.chores, billing.results restart identity")
        self.held: list[claims.Claim] = []

    @rule(number=st.integers(1, 3))
    def arrive(self, number: int) -> None:
        add(self.state, number)

    @rule(lease=st.sampled_from([OVER, LONG]))
    def take(self, lease: float) -> None:
        if claim := claims.claim(self.state, CHORES, f"worker {len(self.held)}", lease):
            self.held.append(claim)

    @precondition(lambda self: self.held)
    @rule(data=st.data(), end=st.sampled_from(["result", "retry", "park", "die", "renew"]))
    def end(self, data: st.DataObject, end: str) -> None:
        claim = data.draw(st.sampled_from(self.held))
        try:
            match end:
                case "result":
                    result(self.state, claim)
                case "retry":
                    claims.retry(self.state, claim, "later", 0)
                case "park":
                    claims.park(self.state, claim, "no")
                case "renew":
                    claims.renew(self.state, claim, OVER)
                case "die":
                    self.held.remove(claim)
        except StaleClaimError:
            self.held.remove(claim)

    @rule(item=st.integers(1, 5))
    def put_back(self, item: int) -> None:
        (row,) = self.state.execute(
            "select exists (select from billing.chores where id = %s and queue_state = 'parked') as parked", [item]
        ).fetchall()
        if row["parked"]:
            assert claims.put_back(self.state, CHORES, item)

    @invariant()
    def done_once(self) -> None:
        done = [
            row["id"]
            for row in self.state.execute("select id from billing.chores where queue_state = 'done' order by 1")
        ]
        assert results(self.state) == done


def test_in_any_order_each_item_is_done_once(state: Connection) -> None:
    machine: Any = type("Machine", (Queued,), {"state": state})
    machine.TestCase.settings = hypothesis_settings(max_examples=40, stateful_step_count=25, deadline=None)
    machine.TestCase().runTest()
