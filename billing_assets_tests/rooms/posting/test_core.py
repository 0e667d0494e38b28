"""The core against a system that takes whatever it is sent, as often as it is sent: only the core keeps copies away."""

import multiprocessing
import signal
import threading
import time
from random import Random

import pytest

from billing_assets.foundation.database.connection import connect
from billing_assets.posting import attempts, batch_lock
from billing_assets.posting.attempts import Intent
from billing_assets.posting.batch_lock import StaleLockError
from billing_assets_tests.rooms.posting import victim
from billing_assets_tests.rooms.posting.fake import LEDGER
from billing_assets_tests.rooms.posting.systems import Fake, until_done
from billing_assets_tests.rooms.posting.test_conformance import assert_each_once
from billing_assets_tests.rooms.posting.victim import POINTS
from proving.world.waiting import PATIENCE_SECONDS

VICTIMS = multiprocessing.get_context("forkserver")
"""Forks every victim from one process that has imported what a run needs: importing it took longer than the run."""
VICTIMS.set_forkserver_preload(["pytest", victim.__name__])


def killed(fake: Fake, point: str, nth: int, run_id: str) -> bool:
    """A run in a process of its own; whether it killed itself."""
    run = VICTIMS.Process(target=victim.main, args=(fake.url, run_id, point, str(nth)))
    run.start()
    run.join(PATIENCE_SECONDS)
    assert run.exitcode in {0, -signal.SIGKILL}, f"it ended with {run.exitcode}"
    return run.exitcode == -signal.SIGKILL


@pytest.mark.parametrize("point", [one for one in POINTS if one != "none"])
def test_wherever_a_run_is_killed_each_item_is_there_once(fake: Fake, point: str) -> None:
    fake.planned(12)
    fake.fault("lost", 2)
    assert killed(fake, point, 1, "run-0"), "the point is passed"
    killed(fake, point, Random(point).randint(1, 3), "run-1")
    until_done(fake, "batch")
    assert_each_once(fake, 12)


def test_what_lands_long_after_its_answer_was_lost_is_not_sent_again(fake: Fake) -> None:
    key = fake.planned(8)
    fake.fault("late", 4)
    fake.post(key)
    assert fake.states() == {"posted": 4, "posting": 4}
    until_done(fake, key)
    assert_each_once(fake, 8)
    assert (fake.outcomes()["found"], fake.outcomes()["absent"]) == (4, 0)


def test_what_is_there_otherwise_than_it_was_sent_differs_and_nothing_else_is_sent_for_it(fake: Fake) -> None:
    key = fake.planned(3)
    fake.fault("altered")
    fake.post(key)
    assert fake.states() == {"posted": 2, "differs": 1}
    fake.post(key, "run-2")
    assert [*fake.copies().values()] == [1, 1, 1]
    fake.state.execute("update outside.records set body = 'the body of ' || substr(external_id, 7)::text::bytea")
    fake.post(key, "run-3")
    assert_each_once(fake, 3)


def test_a_sink_that_cannot_look_up_leaves_an_unknown_to_a_person(fake: Fake) -> None:
    fake.sees = False
    key = fake.planned(4)
    fake.fault("lost")
    fake.fault("nothing done")
    fake.post(key)
    time.sleep(1.3)  # its absence would count by now
    fake.post(key, "run-2")
    assert fake.states() == {"posted": 2, "posting": 2}
    assert sum(fake.copies().values()) == 3


def test_a_run_that_lost_its_batch_writes_nothing_more(fake: Fake) -> None:
    key = fake.planned(3)
    with connect(fake.url) as connection:
        with connection.transaction():
            stale = batch_lock.lock(connection, LEDGER, key, "slow", 0.0, retry_rejected=False)
        with connection.transaction():
            batch_lock.lock(connection, LEDGER, key, "quick", 60.0, retry_rejected=False)
        for late in (
            lambda: attempts.record_intents(connection, stale, {1: Intent(b"late")}),
            lambda: batch_lock.renew(connection, stale, 60.0),
            lambda: batch_lock.release(connection, stale, 0.0),
        ):
            with pytest.raises(StaleLockError):
                late()
    assert fake.states() == {"locked": 3}
    assert not fake.copies()


def test_several_runs_that_take_turns_on_a_batch_send_each_item_once(fake: Fake) -> None:
    key = fake.planned(30)
    fake.fault("lost", 5)
    runs = [threading.Thread(target=fake.post, args=(key, f"run-{n}")) for n in range(3)]
    for one in runs:
        one.start()
    for one in runs:
        one.join()
    until_done(fake, key)
    assert_each_once(fake, 30)


def test_a_run_waits_through_an_outage_and_goes_on(fake: Fake) -> None:
    fake.outage_seconds = 30.0
    key = fake.planned(40)
    fake.is_down(down=True)
    run = threading.Thread(target=fake.post, args=(key,))
    run.start()
    while fake.state.execute("select from fake.batches where locked_until is not null").fetchone() is None:
        time.sleep(0.01)
    assert not fake.copies()
    fake.is_down(down=False)
    run.join(PATIENCE_SECONDS)
    assert_each_once(fake, 40)
