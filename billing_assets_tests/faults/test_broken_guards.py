"""The test of the test: without any one guard the life of a document goes wrong, and the machine notices."""

from collections.abc import Iterator

import pytest

from billing_assets_tests.faults.life import broken
from billing_assets_tests.faults.life.broken import Broken
from billing_assets_tests.faults.life.campaign import live
from billing_assets_tests.faults.life.world import World, open_world

LIVES = 60
STEPS = 40


@pytest.fixture(scope="module")
def world(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with open_world(server_url, tmp_path_factory.mktemp("life")) as opened:
        yield opened


@pytest.mark.parametrize(
    ("guard", "noticed"),
    [
        (broken.no_epoch, "a stale run"),
        (broken.no_intent, "without an intent"),
        (broken.no_look_up, "and NetSuite has it"),
        (broken.unknown_is_failure, "and NetSuite has it"),
        (broken.absence_counts_at_once, "and NetSuite has it"),
        (broken.watermark_by_itself, "behind the watermark and not staged"),
        (broken.unlock_forgets_what_is_open, "and NetSuite has it"),
        (broken.no_lease, "was given to"),
        (broken.sends_after_the_lease, "after its lease had ended"),
        (broken.one_transaction_for_all, "a transaction is open across an HTTP call"),
        (broken.duplicates_pass, "and NetSuite has it"),
        (broken.duplicates_pass_the_rule, "one_copy"),
        (broken.posted_is_staged_again, "and NetSuite has it"),
        (broken.credit_does_not_wait, "did not wait for its invoice"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_without_this_guard_the_machine_fails(world: World, guard: Broken, noticed: str) -> None:
    with guard(world), pytest.raises(Exception, match=noticed):
        live_often(world)


def live_often(world: World) -> None:
    """So many lives, or up to the one that shows it."""
    for seed in range(LIVES):
        live(world, seed=seed, steps=STEPS, shrink=False)
