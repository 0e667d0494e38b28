"""A world for the tests of kills, on the test session's own PostgreSQL and sandbox."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from billing_assets.sandbox.netsuite.process import RunningSandbox
from proving.kills.world import World, fill, open_world
from proving.world.account import Account

DOCUMENTS = 120


@pytest.fixture
def empty_world(
    state_url: str, database: str, sandbox: RunningSandbox, sandbox_account: Account, tmp_path: Path
) -> Iterator[World]:
    """A billing system without documents."""
    with open_world(state_url, database, sandbox, sandbox_account, tmp_path / "a home") as opened:
        yield opened


@pytest.fixture
def world(empty_world: World) -> World:
    """A backlog that nobody has touched."""
    fill(empty_world.source, DOCUMENTS)
    return empty_world
