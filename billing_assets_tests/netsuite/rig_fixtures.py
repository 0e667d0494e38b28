"""Fixtures of the money path, for the conftest files of the rooms that need them."""

from collections.abc import Iterator

import pytest

from billing_assets.erp.netsuite.proof_store import note_proven
from billing_assets.foundation.database.connection import connect
from billing_assets.sandbox.netsuite.process import RunningSandbox, start_sandbox
from billing_assets_tests import builders
from billing_assets_tests.netsuite.rig import Rig, seeded, settings_for
from billing_assets_tests.sandbox.netsuite.account import Account


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
