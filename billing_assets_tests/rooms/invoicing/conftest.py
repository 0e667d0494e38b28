"""A database of ours."""

from collections.abc import Iterator

import pytest

from billing_assets.foundation.database.connection import Connection, connect


@pytest.fixture
def state(state_url: str) -> Iterator[Connection]:
    """A connection to a migrated database of the test's own."""
    with connect(state_url) as connection:
        yield connection
