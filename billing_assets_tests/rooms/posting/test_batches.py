"""Planning and unlocking, over the ledger of a system that takes whatever it is sent: each item is there once."""

import threading

import psycopg
import pytest

from billing_assets.foundation.database.connection import connect
from billing_assets.posting import attempts, batch_lock
from billing_assets.posting.attempts import Intent
from billing_assets.posting.batch_lock import Lock, LockHeldError, StaleLockError, UnknownBatchError
from billing_assets.posting.batch_sizes import SizePolicy
from billing_assets.posting.planning import plan, runs_wanted
from billing_assets.posting.unlocking import unlock, unlock_stale
from billing_assets_tests.rooms.posting.fake import BACKLOG, LEDGER
from billing_assets_tests.rooms.posting.systems import LEASE, Fake
from billing_assets_tests.rooms.posting.test_conformance import assert_each_once
from billing_assets_tests.rooms.posting.test_core import killed
from proving.world.waiting import until

ONE_EACH = SizePolicy(largest=1000, at_once_below=500, side_by_side=1)
AFTER = LEASE.unknown_after_seconds


def planned(fake: Fake, policy: SizePolicy = ONE_EACH) -> list[str]:
    return plan(fake.state, BACKLOG, policy)


def wanted(fake: Fake) -> list[str]:
    return [one.partition_key for one in runs_wanted(fake.state, LEDGER, {})]


def locked(fake: Fake, key: str, run_id: str, lease_seconds: float) -> Lock:
    with fake.state.transaction():
        return batch_lock.lock(fake.state, LEDGER, key, run_id, lease_seconds, retry_rejected=False)


def is_waiting(url: str, application: str) -> bool:
    """Whether a connection of this name waits for what another has locked."""
    with connect(url) as other:
        rows = other.execute(
            "select from pg_stat_activity where application_name = %s and wait_event_type = 'Lock'", [application]
        )
        return bool(rows.fetchall())


def post_all(fake: Fake) -> None:
    """As the sensor does: plans, and runs whatever wants a run, until nothing is left."""

    def look() -> bool:
        planned(fake)
        for key in wanted(fake):
            fake.post(key, "the next run")
        return fake.states().keys() == {"posted"}

    until(look)


def test_a_batch_holds_what_may_go_of_one_group_and_wants_a_run_until_it_is_posted(fake: Fake) -> None:
    fake.waiting(2, "north")
    fake.waiting(3, "south")
    fake.waiting(3, "north")
    fake.waiting(2, "south", may_go=False)
    assert planned(fake) == ["north-0001", "south-0001"]
    assert fake.batches() == {"north-0001": 5, "south-0001": 3}
    apart = fake.state.execute(
        "select count(*) as n from fake.items where batch not like region || '-%%'", []
    ).fetchone()
    assert apart == {"n": 0}
    assert planned(fake) == [], "planning again makes nothing new"
    assert wanted(fake) == ["north-0001", "south-0001"]
    fake.post("north-0001")
    assert wanted(fake) == ["south-0001"]
    fake.post("south-0001")
    assert wanted(fake) == []
    assert fake.states() == {"posted": 8, "ready": 2}
    fake.state.execute("update fake.items set may_go = true")
    assert planned(fake) == ["south-0002"]


def test_a_large_backlog_is_cut_by_the_policy(fake: Fake) -> None:
    fake.waiting(25)
    planned(fake, SizePolicy(largest=10, at_once_below=5, side_by_side=3))
    assert fake.batches() == {"north-0001": 9, "north-0002": 8, "north-0003": 8}
    sizes = fake.state.execute("select documents from fake.batches order by partition_key").fetchall()
    assert [row["documents"] for row in sizes] == [9, 8, 8]


def test_a_run_that_was_never_started_is_asked_for_again_under_a_new_key(fake: Fake) -> None:
    fake.waiting(1)
    (key,) = planned(fake)
    (first,), (second,) = (runs_wanted(fake.state, LEDGER, {}) for _ in range(2))
    assert (first.partition_key, second.partition_key) == (key, key)
    assert first.run_key != second.run_key
    assert runs_wanted(fake.state, LEDGER, {key: ["about to lock it"]}) == []


def test_planners_at_once_never_share_an_item_and_number_their_batches_apart(fake: Fake) -> None:
    """With items that become ready meanwhile."""
    made: list[str] = []
    failures: list[psycopg.Error] = []
    together = threading.Barrier(5)

    def planner() -> None:
        try:
            with connect(fake.url) as connection:
                together.wait()
                for _ in range(10):
                    made.extend(plan(connection, BACKLOG, SizePolicy(largest=7, at_once_below=1, side_by_side=1)))
        except psycopg.Error as error:
            failures.append(error)

    fake.waiting(30)
    planners = [threading.Thread(target=planner) for _ in range(4)]
    for one in planners:
        one.start()
    together.wait()
    for _ in range(3):
        fake.waiting(30)
    for one in planners:
        one.join()
    made += planned(fake)
    assert failures == []
    assert len(made) == len(set(made))
    assert set(fake.batches()) == set(made)
    assert sum(fake.batches().values()) == 120
    counted = fake.state.execute("select partition_key, documents from fake.batches").fetchall()
    assert {row["partition_key"]: row["documents"] for row in counted} == fake.batches()


def test_unlocking_while_a_run_posts_stops_it_and_each_item_is_there_once(fake: Fake) -> None:
    """What it did not send goes elsewhere at once; what it may have sent stays, and is looked up first."""
    fake.waiting(200)
    (key,) = planned(fake)
    once = threading.Lock()
    unlocked: list[int] = []

    def unlock_once(_: str) -> None:
        if once.acquire(blocking=False):
            with connect(fake.url) as connection:
                unlocked.append(unlock(connection, BACKLOG, key, AFTER))

    fake.before_sending = unlock_once
    with pytest.raises(StaleLockError):
        fake.post(key)
    states = fake.states()
    assert unlocked == [states["ready"]]
    assert states["posting"] > 0
    assert fake.batches() == {key: states["posting"]}
    post_all(fake)
    assert_each_once(fake, 200)
    assert len(fake.batches()) == 2, "what went back is in a batch of its own"


@pytest.mark.parametrize("point", ["the lock is taken", "intents are committed", "a request has landed"])
def test_what_a_killed_run_left_is_given_back_once_its_lock_is_stale_and_is_there_once(fake: Fake, point: str) -> None:
    fake.planned(12)
    assert killed(fake, point, 1, "run-0"), "the point is passed"
    fake.state.execute("update fake.batches set locked_until = clock_timestamp() - interval '90 s'")
    open_attempts = fake.states().get("posting", 0)
    assert unlock_stale(fake.state, BACKLOG, 2.0, AFTER) == {}
    assert unlock_stale(fake.state, BACKLOG, 1.0, AFTER) == {"batch": 12 - open_attempts}
    assert unlock_stale(fake.state, BACKLOG, 1.0, AFTER) == {}
    assert fake.states().get("posting", 0) == open_attempts, "they stay with their batch"
    post_all(fake)
    assert_each_once(fake, 12)


def test_a_stale_run_changes_nothing_after_its_batch_was_unlocked_and_planned_again(fake: Fake) -> None:
    fake.waiting(3)
    (key,) = planned(fake)
    stale = locked(fake, key, "slow", -90.0)
    assert unlock_stale(fake.state, BACKLOG, 1.0, AFTER) == {key: 3}
    assert planned(fake) == ["north-0002"]
    for late in (
        lambda: attempts.record_intents(fake.state, stale, {1: Intent(b"late")}),
        lambda: batch_lock.renew(fake.state, stale, 60.0),
        lambda: batch_lock.put_back(fake.state, stale, 1),
        lambda: batch_lock.release(fake.state, stale, AFTER),
    ):
        with pytest.raises(StaleLockError):
            late()
    assert fake.batches() == {"north-0002": 3}
    post_all(fake)
    assert_each_once(fake, 3)


def test_a_batch_that_a_run_takes_at_that_moment_is_not_unlocked_as_stale(fake: Fake) -> None:
    fake.waiting(3)
    (key,) = planned(fake)
    locked(fake, key, "dead", -90.0)
    found: list[dict[str, int]] = []

    def schedule() -> None:
        with connect(fake.url, application="unlocking") as connection:
            found.append(unlock_stale(connection, BACKLOG, 1.0, AFTER))

    unlocking = threading.Thread(target=schedule)
    with fake.state.transaction():
        batch_lock.lock(fake.state, LEDGER, key, "quick", 60.0, retry_rejected=False)
        unlocking.start()  # sees the stale lock, for the new one is not committed
        until(lambda: is_waiting(fake.url, "unlocking"))
    unlocking.join()
    assert found == [{}]
    assert fake.states() == {"locked": 3}
    with pytest.raises(LockHeldError, match="quick"):
        locked(fake, key, "another", 60.0)


def test_unlocking_a_batch_that_was_never_planned_says_so(fake: Fake) -> None:
    with pytest.raises(UnknownBatchError, match="no batch north-0042"):
        unlock(fake.state, BACKLOG, "north-0042", AFTER)
