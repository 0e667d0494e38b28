"""A NetSuite sandbox, the money path and a whole system, for every test that asks for one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from billing_assets.erp.netsuite.proof_store import note_proven
from billing_assets.foundation.database.connection import connect
from billing_assets.sandbox.netsuite.process import RunningSandbox, start_sandbox
from proving.world import builders
from proving.world.account import Account
from proving.world.rig import Rig, seeded, settings_for
from proving.world.system import System, open_system


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    """A sandbox process of this module's own."""
    with start_sandbox(tmp_path_factory.mktemp("net suite")) as running:
        yield running


@pytest.fixture(scope="module")
def sandbox_account(sandbox: RunningSandbox) -> Account:
    """Its account, seeded."""
    return seeded(sandbox)


@pytest.fixture
def rig(sandbox: RunningSandbox, sandbox_account: Account, state_url: str) -> Iterator[Rig]:
    """An empty database of ours and an empty, healthy NetSuite."""
    sandbox_account.fresh()
    with connect(state_url) as state:
        note_proven(state, sandbox.base_url, builders.shipped_mapping().digest, {})  # asking takes half a second
        yield Rig(state_url, state, sandbox_account, sandbox, settings_for(sandbox))


@pytest.fixture
def system(
    state_url: str,
    database: str,
    sandbox: RunningSandbox,
    sandbox_account: Account,
    tmp_path: Path,
) -> Iterator[System]:
    """An empty billing system, an empty database of ours and an empty, healthy NetSuite."""
    with open_system(state_url, database, sandbox, sandbox_account, tmp_path) as opened:
        yield opened
