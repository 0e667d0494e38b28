"""A NetSuite sandbox, the money path, a whole system and a running one, for every test that asks for one."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from billing_assets.sandbox.netsuite.process import RunningSandbox, start_sandbox
from proving.world.account import Account, log_in
from proving.world.databases import dropped_at_the_end
from proving.world.rig import Rig
from proving.world.running import Live
from proving.world.running import live as running_system
from proving.world.system import System
from proving.world.world import seeded


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    """A sandbox process of this worker's own, which knows all that the sample's mapping refers to."""
    with start_sandbox(tmp_path_factory.mktemp("net suite")) as running:
        seeded(running)
        yield running


@pytest.fixture(scope="module")
def sandbox_account(sandbox: RunningSandbox) -> Account:
    """A user of it, who has just logged in."""
    return log_in(sandbox.base_url, sandbox.credentials)


@pytest.fixture
def rig(sandbox: RunningSandbox, sandbox_account: Account, state_url: str) -> Iterator[Rig]:
    """An empty database of ours and an empty, healthy NetSuite."""
    with Rig.open(state_url, sandbox=sandbox, account=sandbox_account) as opened:
        yield opened


@pytest.fixture
def system(
    state_url: str, database: str, sandbox: RunningSandbox, sandbox_account: Account, tmp_path: Path
) -> Iterator[System]:
    """An empty billing system, an empty database of ours and an empty, healthy NetSuite."""
    with System.open(state_url, database, sandbox, sandbox_account, home=tmp_path) as opened:
        yield opened


@pytest.fixture(scope="session")
def live(
    server_url: str,
    _migrated_ones: Callable[[], str],
    _empty_ones: Callable[[], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Live]:
    """A running system that all observations of the session share: its tests are on one worker."""
    folder = tmp_path_factory.mktemp("live")
    with (
        dropped_at_the_end(server_url, _migrated_ones()) as state_url,
        dropped_at_the_end(server_url, _empty_ones()) as source_url,
        start_sandbox(folder / "netsuite") as sandbox,
        running_system(state_url, source_url, sandbox, seeded(sandbox), folder) as opened,
    ):
        yield opened
