"""The money path and the whole system, and balances as rows."""

from collections.abc import Iterator

import pytest

from billing_assets.foundation.database.connection import Connection, connect


@pytest.fixture
def state(state_url: str) -> Iterator[Connection]:
    """Our database."""
    with connect(state_url) as connection:
        yield connection
