"""The test of the test: without any one guard the life of a document goes wrong, and the model notices."""

from collections.abc import Callable, Iterator

import pytest

from proving.life import broken
from proving.life.broken import Broken
from proving.life.campaign import live
from proving.life.life import Life
from proving.life.world import LEASE_SECONDS, SLOWEST_SECONDS, World, open_world

LIVES = 60
STEPS = 40


@pytest.fixture(scope="module")
def world(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with open_world(server_url, tmp_path_factory.mktemp("life")) as opened:
        yield opened


@pytest.mark.parametrize(
    ("guard", "noticed", "seed"),  # the life of this seed shows it quickly; should it not any more, others will
    [
        (broken.no_epoch, "a stale run.* changed something", 4),
        (broken.no_intent, "without an intent", 0),
        (broken.no_look_up, "and NetSuite has it|sent again", 4),
        (broken.unknown_is_failure, "and NetSuite has it|sent again", 5),
        (broken.absence_counts_at_once, "and NetSuite has it|sent again", 5),
        (broken.watermark_by_itself, "behind the watermark and not staged", 0),
        (broken.unlock_forgets_what_is_open, "and NetSuite has it", 4),
        (broken.no_lease, "was given to .* while .* held it", 2),
        (broken.sends_after_the_lease, "after its lease had ended", 6),
        (broken.one_transaction_for_all, "a transaction is open across an HTTP call", 0),
        (broken.duplicates_pass, "and NetSuite has it|a conflict with ourselves|sent again", 4),
        (broken.duplicates_pass_the_rule, "one_copy", 4),
        (broken.posted_is_staged_again, "and NetSuite has it|changed", 6),
        (broken.credit_does_not_wait, "did not wait for its invoice", 4),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_without_this_guard_the_model_fails(world: World, guard: Broken, noticed: str, seed: int) -> None:
    with guard(world), pytest.raises(Exception, match=noticed):
        live_often(world, seed)


def test_absence_must_not_count_before_the_lease_of_whoever_began_has_ended(world: World) -> None:
    send_late_and_look_early(world)
    with broken.absence_ignores_the_lease(world), pytest.raises(AssertionError, match="sent again too early"):
        send_late_and_look_early(world)


def send_late_and_look_early(world: World) -> None:
    """A run is unlocked, sends within its lease all the same, and NetSuite takes its longest time for it."""
    life = Life(world)
    try:
        _send_late_and_look_early(life)
        life.end()
    finally:
        for run in life.runs:
            run.die()


def _send_late_and_look_early(life: Life) -> None:
    def step(action: Callable[[], object]) -> None:
        action()
        life.check()

    step(lambda: life.create("invoice", "closed", 5_000))
    step(life.stage)
    (key,) = life.plan()
    step(lambda: life.lock(key))
    unlocked = life.runs[0]
    step(lambda: life.intend(unlocked))
    step(lambda: life.unlock(key))
    step(lambda: life.lock(key))
    step(lambda: life.settle(life.runs[1]))
    step(lambda: life.pass_time(LEASE_SECONDS - 10))
    step(lambda: life.send(unlocked, "slow"))
    step(lambda: life.pass_time(SLOWEST_SECONDS - 15))  # 5 s more since the second run looked, and it is not over yet
    step(lambda: life.lock(key))
    for _ in range(4):
        step(lambda: life.run_on(life.runs[2], "landed"))
        if len(life.runs) < 3:
            break
    step(lambda: life.pass_time(20))


def live_often(world: World, first_seed: int) -> None:
    """Up to the life that shows it."""
    for seed in range(first_seed, first_seed + LIVES):
        live(world, seed=seed, steps=STEPS, shrink=False)
