"""The outside systems of the conformance suite."""

from collections.abc import Iterator

import pytest

from billing_assets.foundation.database.connection import connect
from billing_assets_tests.rooms.posting.packs import Packs
from billing_assets_tests.rooms.posting.systems import Fake, NetSuite, System
from proving.world.fixtures import rig, sandbox, sandbox_account
from proving.world.rig import Rig
from proving.world.sshd_fixtures import needs_sshd, sshd, sshd_of_module

__all__ = ["rig", "sandbox", "sandbox_account", "sshd", "sshd_of_module"]


@pytest.fixture
def fake(database: str) -> Iterator[Fake]:
    """The schema `outside` on an empty database."""
    with connect(database) as state:
        yield Fake.made(database, state)


@pytest.fixture
def packs(state_url: str, request: pytest.FixtureRequest) -> Iterator[Packs]:
    """An empty database of ours and an empty folder on a real OpenSSH server."""
    with connect(state_url) as state:
        yield Packs(state_url, state, request.getfixturevalue("sshd"))


@pytest.fixture(params=["fake", "netsuite", pytest.param("packs", marks=needs_sshd)])
def system(request: pytest.FixtureRequest) -> System:
    """Every outside system in turn."""
    if request.param in {"fake", "packs"}:
        return request.getfixturevalue(request.param)  # type: ignore[no-any-return]
    found: Rig = request.getfixturevalue("rig")
    return NetSuite(found.changed({"max_request_seconds": 0.5, "read_back_seconds": 0.2}))
