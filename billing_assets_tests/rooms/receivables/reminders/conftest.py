"""A real mail server, and a database that all tests of a module share: each finds it empty."""

from collections.abc import Iterator

import pytest
import structlog

from billing_assets.foundation.database.connection import Connection, connect
from billing_assets_tests.rooms.receivables.reminders.mail_server import MailServer, mail_server
from proving.world.databases import _database


@pytest.fixture(scope="module")
def _shared(server_url: str, _migrated: str) -> Iterator[str]:
    with _database(server_url, template=_migrated) as url:
        yield url


@pytest.fixture
def state_url(_shared: str) -> str:
    with connect(_shared) as connection, connection.transaction():
        connection.execute("set local session_replication_role = replica")  # else no reminder may be deleted
        for table in ("reminders", "open_receivables", "collection_stops", "proposed_credit_memos", "staged_invoices"):
            connection.execute(f"delete from billing.{table}")  # noqa: S608
        connection.execute("delete from billing.decisions")
    return _shared


@pytest.fixture
def connection(state_url: str) -> Iterator[Connection]:
    with connect(state_url) as opened:
        yield opened


@pytest.fixture
def mails() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture(autouse=True)
def _log() -> Iterator[None]:
    """A command that ran in this process leaves the log on a standard error that is closed by now."""
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()
