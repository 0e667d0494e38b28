"""The outside systems of the conformance suite."""

from collections.abc import Iterator

import pytest

from billing_assets.foundation.database.connection import connect
from billing_assets_tests.rooms.posting.systems import Fake, NetSuite, System
from proving.world.rig import Rig


@pytest.fixture
def fake(database: str) -> Iterator[Fake]:
    """The schema `outside` on an empty database."""
    with connect(database) as state:
        yield Fake.made(database, state)


@pytest.fixture(params=["fake", "netsuite"])
def system(request: pytest.FixtureRequest) -> System:
    """Every outside system in turn."""
    if request.param == "fake":
        return request.getfixturevalue("fake")  # type: ignore[no-any-return]
    found: Rig = request.getfixturevalue("rig")
    return NetSuite(found.changed({"max_request_seconds": 0.5, "read_back_seconds": 0.2}))
