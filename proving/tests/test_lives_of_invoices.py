"""Whatever happens in whatever order: each day is billed once, what is issued stays, and no number is left out."""

import os
from collections.abc import Iterator

import pytest

from proving.invoicing.lives import World, open_world
from proving.invoicing.living import live, live_for

LIVES = 3
CAMPAIGN_SECONDS = 900.0


@pytest.fixture(scope="module")
def world(server_url: str) -> Iterator[World]:
    with open_world(server_url) as opened:
        yield opened


def test_every_life_of_invoices_keeps_what_must_always_hold(world: World) -> None:
    for seed in range(LIVES):
        live(world, seed=seed)
    assert world.tally.keys() >= {"usage", "lock", "validate", "claim", "draft: invoiced", "check", "issue"}


@pytest.mark.campaign
@pytest.mark.timeout(2 * CAMPAIGN_SECONDS)
@pytest.mark.skipif(os.environ.get("BILLING_TEST_CAMPAIGN") != "1", reason="long: BILLING_TEST_CAMPAIGN=1 runs it")
def test_so_do_thousands_of_random_lives(world: World) -> None:
    assert live_for(world, CAMPAIGN_SECONDS) > 100
    print(dict(sorted(world.tally.items())))
