"""Whatever happens in whatever order: nothing is lost, nothing is doubled, every cent is equal, after every step."""

import os
from collections.abc import Iterator

import pytest

from billing_assets_tests.faults.life.campaign import live, run_in
from billing_assets_tests.faults.life.world import World, open_world


@pytest.fixture(scope="module")
def world(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with open_world(server_url, tmp_path_factory.mktemp("life")) as opened:
        yield opened


def test_every_life_of_a_document_keeps_what_must_always_hold(world: World) -> None:
    for seed in range(20):
        live(world, seed=seed, steps=50)
    print(world.tally)


@pytest.mark.campaign
@pytest.mark.timeout(3600)
@pytest.mark.skipif(os.environ.get("BILLING_TEST_CAMPAIGN") != "1", reason="long: BILLING_TEST_CAMPAIGN=1 runs it")
def test_many_lives_of_documents_keep_it_too(world: World) -> None:
    campaign = run_in(world, 600)
    print(campaign)
