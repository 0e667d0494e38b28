"""A real mail server, a database, and invoices in it."""

from collections.abc import Iterator

import pytest

from billing_assets.state.database import Connection, connect
from billing_assets_tests.reminders.mail_server import MailServer, mail_server


@pytest.fixture
def connection(state_url: str) -> Iterator[Connection]:
    with connect(state_url) as opened:
        yield opened


@pytest.fixture
def mails() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server
