"""Real processes, real SIGKILL and SIGSTOP, at any moment: nothing is lost, doubled or a cent off."""

import random
import time

import pytest

from proving.kills.fixtures import empty_world, world
from proving.kills.rounds import recover, stop_and_wake, victim
from proving.kills.world import World
from proving.world.waiting import until

__all__ = ["empty_world", "world"]
KILLS = 2


def kill_at_any_moment(world: World, times: int) -> None:
    """Starts a process, lets it lock a batch, and kills it within a second; again and again on the same backlog."""
    chance = random.Random()
    for left in reversed(range(times)):
        with victim(world) as one:
            one.until("locked", "done")
            time.sleep(chance.uniform(0.0, 0.8))
            if not left:
                until(world.created)  # on a busy machine no run came as far yet
            one.kill()
    assert world.posted() < world.count().documents, "no kill came in time"
    assert world.created() > 0


def test_a_run_that_is_killed_again_and_again_while_answers_are_lost_loses_and_doubles_nothing(world: World) -> None:
    world.account.switch(
        faults=[
            {"fault": "commit_then_drop", "probability": 0.1},
            {"fault": "html_502", "probability": 0.1},
            {"fault": "late_commit", "seconds": 0.5, "probability": 0.1},
        ]
    )
    kill_at_any_moment(world, KILLS)
    took, sent_again = recover(world, time.monotonic())
    assert took is not None, world.log.read_text(encoding="utf-8")
    assert world.count().whole, world.count()
    assert sent_again == 0


@pytest.mark.parametrize("point", ["before the lock commits", "after the answer, before the outcome is written"])
def test_a_run_that_was_stopped_for_longer_than_its_lease_wakes_up_and_changes_nothing(
    world: World, point: str
) -> None:
    found = stop_and_wake(world, point, random.Random())
    assert found.struck, "it was not stopped there"
    assert found.whole, found
