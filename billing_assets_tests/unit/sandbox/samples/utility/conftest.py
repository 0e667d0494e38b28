"""A small world: a tenth of the sample, with every fault in it."""

from collections import defaultdict
from pathlib import Path

import pytest

from billing_assets.sandbox.samples.utility.world import World, write_world
from billing_assets_tests.unit.sandbox.samples.utility.counting import Block, blocks, ledger

SMALL = 200


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return write_world(tmp_path_factory.mktemp("utility") / "world", count_of_points=SMALL)


@pytest.fixture(scope="session")
def folder(world: World) -> Path:
    return world.folder


@pytest.fixture(scope="session")
def sent(folder: Path) -> dict[tuple[str, str], list[Block]]:
    """The blocks of accepted files by point and stream, in the order in which they came."""
    found: defaultdict[tuple[str, str], list[Block]] = defaultdict(list)
    for row in ledger(folder, "files"):
        if row["verdict"] in {"accept", "hold"} and row["format"].startswith("NEM"):
            for block in blocks(folder, row):
                found[block.point, block.suffix].append(block)
    return found
