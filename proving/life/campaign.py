"""The machine for as long as one likes: many random lives, and the first violated invariant ends it."""

import random
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import hypothesis
from hypothesis import HealthCheck, Phase
from hypothesis.stateful import run_state_machine_as_test

from billing_assets.foundation.database import embedded
from proving.life.machine import LifeOfADocument, machine_in
from proving.life.world import World, open_world

_STEPS = 50


class LifeCampaign(NamedTuple):
    """What was tried: lives, steps in them, how often each step, and how long it took."""

    examples: int
    steps: int
    by_step: dict[str, int]
    seconds: float


def run(seconds: float) -> LifeCampaign:
    """Random lives for about that long, on servers of its own. Raises on the first violated invariant, shrunk."""
    with tempfile.TemporaryDirectory(prefix="billing life ", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        try:
            server = embedded.start(home / "postgres", durable=False)
            with open_world(server.url(), home / "sandbox") as world:
                return run_in(world, seconds)
        finally:
            embedded.stop(home / "postgres", mode="immediate")


def run_in(world: World, seconds: float) -> LifeCampaign:
    """The same in a world that is there already."""
    began = time.monotonic()
    world.tally.clear()
    while (spent := time.monotonic() - began) < seconds:
        live(world, seed=random.getrandbits(32), steps=_STEPS)
    return counted(world.tally, spent)


def live(
    world: World, *, seed: int, steps: int, shrink: bool = True, machine: type[LifeOfADocument] | None = None
) -> None:
    """The random life that belongs to a seed. Raises what the first violated invariant raises.

    One life at a time: of many, Hypothesis makes most by repeating parts of the first, and we want them all different.
    """
    try:
        run_state_machine_as_test(
            hypothesis.seed(seed)(machine or machine_in(world)),
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


def counted(tally: Mapping[str, int], seconds: float) -> LifeCampaign:
    """The campaign's numbers from its tally."""
    by_step = {name: count for name, count in sorted(tally.items()) if name != "lives"}
    return LifeCampaign(tally.get("lives", 0), sum(by_step.values()), by_step, seconds)
