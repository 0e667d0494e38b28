"""The machine for as long as one likes: many random lives, and the first violated invariant ends it."""

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from hypothesis import HealthCheck, Phase, Verbosity, settings
from hypothesis.stateful import run_state_machine_as_test

from billing_assets.state import embedded
from billing_assets_tests.faults.life.machine import LifeOfADocument, machine_in
from billing_assets_tests.faults.life.world import World, open_world

_EXAMPLES_AT_A_TIME = 25
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
        live(world, examples=_EXAMPLES_AT_A_TIME, steps=_STEPS)
    return counted(world.tally, spent)


def live(
    world: World,
    *,
    examples: int,
    steps: int,
    derandomize: bool = False,
    shrink: bool = True,
    machine: type[LifeOfADocument] | None = None,
) -> None:
    """Some lives. Raises what the first violated invariant raises."""
    phases = [Phase.generate, Phase.shrink] if shrink else [Phase.generate]
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine or machine_in(world),
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            derandomize=derandomize,
            phases=phases,
            deadline=None,
            database=None,
            report_multiple_bugs=False,
            verbosity=Verbosity.normal,
            suppress_health_check=list(HealthCheck),
        ),
    )


def counted(tally: Mapping[str, int], seconds: float) -> LifeCampaign:
    """The campaign's numbers from its tally."""
    by_step = {name: count for name, count in sorted(tally.items()) if name != "examples"}
    return LifeCampaign(tally.get("examples", 0), sum(by_step.values()), by_step, seconds)
