"""A database whose clock can be set, as retention is about what was long ago."""

from collections.abc import Iterator

import pytest

from billing_assets.foundation.database.connection import Connection, connect
from proving.world import clock


@pytest.fixture
def state(state_url: str) -> Iterator[Connection]:
    """Our database, on the present day."""
    clock.make_settable(state_url)
    with connect(state_url) as connection:
        yield connection
