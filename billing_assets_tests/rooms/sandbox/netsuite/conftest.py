"""One sandbox process per worker; every test finds it empty, seeded and healthy."""

from collections.abc import Iterator

import pytest

from billing_assets.sandbox.netsuite.process import RunningSandbox, start_sandbox
from proving.world.account import REFERENCES, Account, log_in


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    with start_sandbox(tmp_path_factory.mktemp("net suite"), references=REFERENCES) as sandbox:
        yield sandbox


@pytest.fixture
def account(running: RunningSandbox) -> Account:
    account = log_in(running.base_url, running.credentials)
    account.fresh()
    return account
