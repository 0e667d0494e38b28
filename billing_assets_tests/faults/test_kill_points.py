"""Killed at every named point, on one backlog after the other: restarted, it posts everything once and to the cent."""

import random

import pytest

from billing_assets_tests.faults.kills.daemon import CODE_SERVER, DAEMON, RUN_WORKER, dagster_on
from billing_assets_tests.faults.kills.fixtures import empty_world, world
from billing_assets_tests.faults.kills.points import POINTS
from billing_assets_tests.faults.kills.rounds import kill_and_recover
from billing_assets_tests.faults.kills.world import World

__all__ = ["empty_world", "world"]
pytestmark = pytest.mark.timeout(180)

IN_THE_FLOW = [point for point in POINTS if "staging" in point] + [point for point in POINTS if "staging" not in point]


@pytest.mark.parametrize("order", ["as it flows", "shuffled"])
def test_one_backlog_killed_at_every_point_in_turn_arrives_whole(world: World, order: str) -> None:
    seed = random.randrange(2**31)
    chance = random.Random(seed)
    points = IN_THE_FLOW if order == "as it flows" else chance.sample(IN_THE_FLOW, len(POINTS))
    found = kill_and_recover(world, points, chance)
    assert found.whole, (seed, found)
    assert set(found.struck) == set(points), f"seed {seed}"


@pytest.mark.timeout(400)  # 40 s on two idle cores
def test_dagster_s_own_processes_are_killed_and_everything_arrives_whole(empty_world: World) -> None:
    chance = random.Random()
    with dagster_on(empty_world) as dagster:
        found = dagster.kill([RUN_WORKER], 60, chance)
        assert found.whole, found
        # A daemon alone would wait a minute before it starts a new code server.
        found = dagster.kill([CODE_SERVER, DAEMON], 100, chance)
        assert found.whole, found
