"""A unit test has no server."""

import pytest


@pytest.fixture(scope="session")
def server_url() -> str:
    """None here."""
    pytest.fail("This test needs a database: it belongs to rooms/.")


@pytest.fixture(scope="session")
def sandbox() -> None:
    """None here."""
    pytest.fail("This test needs a sandbox: it belongs to rooms/.")
