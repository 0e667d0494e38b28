"""No part of a URL's secrets is in any message, however the URL is spelled and whatever the driver says."""

import re
from collections.abc import Callable
from urllib.parse import quote_plus, unquote

import psycopg
import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError, OperationalError

from billing_assets.foundation.database.connection import connect
from billing_assets.foundation.database.migrations import migrate
from billing_assets.foundation.database.urls import address, without_secrets
from billing_assets.foundation.shipped import shipped
from billing_assets.foundation.source_database.connection import connect_source, open_source
from billing_assets.foundation.source_database.errors import (
    CannotConnect,
    QueryFailed,
    SourceError,
    SourceUrlInvalid,
    asking,
    source_url,
)
from billing_assets.foundation.source_database.queries import shipped_queries
from billing_assets.operations import cli
from billing_assets.operations.sample import filling

_ODBC = quote_plus("DRIVER={No such driver};SERVER=db.example;UID=reader;PWD={Mark1;Mark2}}x};DATABASE=billing")
SPELLINGS = [
    "{scheme}://reader:Mark1@Mark2@127.0.0.1:1/billing",
    "{scheme}://reader:Mark1%40Mark2@127.0.0.1:1/billing",
    "{scheme}://reader:Mark1@7/Mark2@127.0.0.1:1/billing",
    "{scheme}://reader:Mark1?Mark2@127.0.0.1:1/billing",
    "{scheme}://reader:Mark1@Mark2?x@127.0.0.1:1/billing",
    "{scheme}://reader:Mark1@x:Mark2@127.0.0.1:1/billing",
    "{scheme}://reader@127.0.0.1:1/billing?password=Mark1@Mark2",
    "{scheme}://reader@127.0.0.1:1/billing?PWD=Mark1%20Mark2",
    "{scheme}://reader@127.0.0.1:1/billing?plugin=Mark1&AccessToken=Mark2",
    f"{{scheme}}:///?odbc_connect={_ODBC}",
    f"{{scheme}}:///?odbc_connect={quote_plus('PWD=Mark1;Mark2')}",
    "{scheme}://reader:Mark1@127.0.0.1:1/billing?password=Mark2",
]
MARK = re.compile("Mark", re.IGNORECASE)


def _said(action: Callable[[], object]) -> str:
    """What an error says, and all that stands behind it in a traceback."""
    try:
        action()
    except (SourceError, psycopg.Error) as error:
        parts: list[str] = []
        behind: BaseException | None = error
        while behind is not None:
            parts.append(str(behind))
            behind = behind.__cause__ or (None if behind.__suppress_context__ else behind.__context__)
        return "\n".join(parts)
    raise AssertionError("nothing went wrong")


def _reached(url: str) -> None:
    with connect_source(open_source(url)):
        pass


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_billing_database_that_cannot_be_reached_shows_nothing_of_its_password(spelling: str) -> None:
    url = spelling.format(scheme="postgresql+psycopg")
    assert not MARK.search(_said(lambda: _reached(url)))


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_what_the_driver_repeats_of_the_url_is_masked(spelling: str) -> None:
    """As a driver's own text may have any part of it, in any form."""
    try:
        url = source_url(spelling.format(scheme="mssql+pyodbc"))
    except SourceUrlInvalid:  # the test above sees that its text has none of it
        return
    said = f"cannot open {url.render_as_string(hide_password=False)}, {url.host!r} {url.password!r} {url.query}"
    assert not MARK.search(without_secrets(said, url))
    assert not MARK.search(address(url))
    assert not MARK.search(str(CannotConnect(url, said)))


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_our_own_database_shows_nothing_of_its_password(
    spelling: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = spelling.format(scheme="postgresql")
    monkeypatch.setenv("BILLING_DATABASE_URL", url)
    with pytest.raises(SystemExit):
        cli._fail(f"Our database cannot be used: {url}")
    assert not MARK.search(capsys.readouterr().err)
    try:
        make_url(url)
    except (ArgumentError, ValueError):  # refused before anybody connects
        return
    assert not MARK.search(_said(lambda: connect(url).__enter__()))
    assert not MARK.search(_said(lambda: migrate(url, shipped("sql/state"))))


@pytest.mark.parametrize("spelling", SPELLINGS[:9])
def test_the_sample_shows_nothing_of_its_databases_password(spelling: str) -> None:
    url = spelling.format(scheme="postgresql")

    def fill() -> None:
        with filling(url):
            raise psycopg.OperationalError(f"cannot open {url}")

    try:
        make_url(url)
    except (ArgumentError, ValueError):  # refused before anybody connects
        return
    assert not MARK.search(_said(fill))


@pytest.mark.parametrize("password", ["a?b", "a/b", "a:b", "a%40b", "a#b"])
def test_a_password_that_can_be_told_from_the_rest_is_taken_as_it_is(password: str) -> None:
    url = source_url(f"postgresql://reader@tenant:{password}@db.example/billing?sslmode=require")
    assert (url.host, url.password) == ("db.example", unquote(password))


@pytest.mark.parametrize("password", ["Mark1@Mark2", "Mark1@Mark2?x", "Mark1@x:Mark2"])
def test_a_password_that_reads_on_as_the_host_is_refused_with_what_to_write(password: str) -> None:
    with pytest.raises(SourceUrlInvalid, match=r"%40|no port"):
        source_url(f"postgresql://reader:{password}@db.example/billing")


def test_an_url_that_is_none_is_refused_before_the_queries_are_chosen() -> None:
    assert "no port" in _said(lambda: shipped_queries("postgresql://reader:Mark1@x:Mark2@host/billing"))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://reader:a@db.example:5432/billing", "db.example:5432/billing"),
        ("postgresql://reader:a@b@db.example/billing", "db.example/billing"),
        ("postgresql://reader:a@1/b@db.example/billing", "db.example/billing"),
        ("mssql+pyodbc://reader:a@billing_dsn", "billing_dsn/"),
        (f"mssql+pyodbc:///?odbc_connect={_ODBC}", "db.example/billing"),
        ("postgresql://reader@db.example/billing?password=a@b", "…"),
    ],
)
def test_the_address_is_shown_as_far_as_it_can_be_told_from_a_password(url: str, shown: str) -> None:
    assert address(make_url(url)) == shown


def test_a_query_that_fails_shows_nothing_of_the_url(database: str) -> None:
    engine = open_source(make_url(database).update_query_dict({"application_name": "x"}).render_as_string(False))
    secret = engine.url.password or ""
    with connect_source(engine) as source, pytest.raises(QueryFailed) as caught, asking(source, "documents.sql"):
        raise OperationalError("", {}, Exception(f"no rights for {engine.url.render_as_string(False)}"))
    engine.dispose()
    assert not secret or secret not in str(caught.value)
