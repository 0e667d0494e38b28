"""A small world: a tenth of the sample, with every fault in it."""

from pathlib import Path

import pytest

from billing_assets.sandbox.samples.utility.world import World, write_world

SMALL = 200


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return write_world(tmp_path_factory.mktemp("utility") / "world", count_of_points=SMALL)


@pytest.fixture(scope="session")
def folder(world: World) -> Path:
    return world.folder
