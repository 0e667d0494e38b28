"""Killed at every named point, on one backlog after the other: restarted, it posts everything once and to the cent."""

import os
import random

import pytest

from proving.kills import campaign
from proving.kills.daemon import CODE_SERVER, DAEMON, RUN_WORKER, dagster_on
from proving.kills.fixtures import empty_world, world
from proving.kills.points import POINTS
from proving.kills.rounds import kill_and_recover
from proving.kills.world import World

__all__ = ["empty_world", "world"]
IN_THE_FLOW = [point for point in POINTS if "staging" in point] + [point for point in POINTS if "staging" not in point]


def test_one_backlog_killed_at_every_point_in_turn_arrives_whole(world: World) -> None:
    seed = random.randrange(2**31)
    found = kill_and_recover(world, IN_THE_FLOW, random.Random(seed))
    assert found.whole, (seed, found)
    assert set(found.struck) == set(POINTS), f"seed {seed}"


@pytest.mark.campaign
@pytest.mark.skipif(os.environ.get("BILLING_TEST_CAMPAIGN") != "1", reason="long: BILLING_TEST_CAMPAIGN=1 runs it")
@pytest.mark.timeout(7200)
def test_the_campaign_over_all_points_fails_in_no_round() -> None:
    rows = campaign.run(10)
    assert [row for row in rows if row.failed] == []


def test_dagster_s_own_processes_are_killed_and_everything_arrives_whole(empty_world: World) -> None:
    chance = random.Random()
    with dagster_on(empty_world) as dagster:
        found = dagster.kill([RUN_WORKER], 40, chance)
        assert found.whole, found
        # A daemon alone would wait a minute before it starts a new code server.
        found = dagster.kill([CODE_SERVER, DAEMON], 80, chance)
        assert found.whole, found
