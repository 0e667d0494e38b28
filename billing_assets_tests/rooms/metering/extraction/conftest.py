"""What the tests of extraction share."""

import pytest

from billing_assets_tests.rooms.metering.extraction.metering_system import MeteringSystem


@pytest.fixture
def system(database: str) -> MeteringSystem:
    """A metering system on a database of the test's own, with a point."""
    found = MeteringSystem(database)
    found.point()
    return found
