"""The machine for as long as one likes: many random lives, and the first that goes wrong ends it."""

import random
import time

import hypothesis
from hypothesis import HealthCheck, Phase
from hypothesis.stateful import run_state_machine_as_test

from proving.invoicing.lives import World
from proving.invoicing.machine import machine_in

_STEPS = 40


def live(world: World, *, seed: int, steps: int = _STEPS, shrink: bool = True) -> None:
    """The random life that belongs to a seed. Raises what the first violated invariant raises."""
    try:
        run_state_machine_as_test(
            hypothesis.seed(seed)(machine_in(world)),
            settings=hypothesis.settings(
                max_examples=1,
                stateful_step_count=steps,
                phases=[Phase.generate, Phase.shrink] if shrink else [Phase.generate],
                deadline=None,
                database=None,
                report_multiple_bugs=False,
                suppress_health_check=list(HealthCheck),
            ),
        )
    except BaseException as error:
        error.add_note(f"It is the life of live(world, seed={seed}, steps={steps}).")
        raise


def live_for(world: World, seconds: float) -> int:
    """Random lives for about that long; how many."""
    began, lives = time.monotonic(), 0
    while time.monotonic() - began < seconds:
        live(world, seed=random.getrandbits(32))
        lives += 1
    return lives
