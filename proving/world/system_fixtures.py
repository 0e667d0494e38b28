"""Fixtures of the whole system, for the conftest files of the rooms that need them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from billing_assets.sandbox.netsuite.process import RunningSandbox
from proving.world.account import Account
from proving.world.rig_fixtures import sandbox, sandbox_account
from proving.world.system import System, open_system

__all__ = ["sandbox", "sandbox_account", "system"]


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
