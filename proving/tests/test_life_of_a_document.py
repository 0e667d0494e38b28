"""Whatever happens in whatever order: nothing is lost, nothing is doubled, every cent is equal, after every step."""

import os
from collections.abc import Iterator

import pytest

from proving.life.campaign import live, run_in
from proving.life.world import World, open_world

LIVES = 8
CAMPAIGN_SECONDS = 900.0


@pytest.fixture(scope="module")
def world(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with open_world(server_url, tmp_path_factory.mktemp("life")) as opened:
        yield opened


def test_every_life_of_a_document_keeps_what_must_always_hold(world: World) -> None:
    for seed in range(LIVES):
        live(world, seed=seed, steps=50)
    taken = {name.partition(":")[0] for name in world.tally}
    assert taken >= {"stage", "plan", "lock", "intend", "send", "write", "finish", "post all", "late write", "unlock"}


@pytest.mark.campaign
@pytest.mark.timeout(2 * CAMPAIGN_SECONDS)
@pytest.mark.skipif(os.environ.get("BILLING_TEST_CAMPAIGN") != "1", reason="long: BILLING_TEST_CAMPAIGN=1 runs it")
def test_so_do_thousands_of_random_lives(world: World) -> None:
    campaign = run_in(world, CAMPAIGN_SECONDS)
    print(campaign)
    assert campaign.examples > 100
