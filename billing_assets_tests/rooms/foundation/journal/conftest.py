"""The whole system, a mail server, and databases that are put back."""

from collections.abc import Iterator

import pytest

from billing_assets.foundation.database.connection import Connection, connect
from billing_assets_tests.rooms.receivables.reminders.conftest import mails

__all__ = ["mails"]


@pytest.fixture
def connection(state_url: str) -> Iterator[Connection]:
    """An open connection to a test's own database."""
    with connect(state_url) as opened:
        yield opened
