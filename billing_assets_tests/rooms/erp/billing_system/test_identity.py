"""Which database a source is, as its server says: no user, no password, the address only where no more is said."""

from pathlib import Path
from uuid import uuid4

import pytest
import sqlfluff
from sqlalchemy import create_engine, make_url, text

from billing_assets.erp.billing_system.identity import SQL_SERVER, identity
from billing_assets.foundation.database.urls import address
from billing_assets.foundation.source_database.connection import connect_source, open_source


def of(url: str) -> str:
    engine = open_source(url)
    try:
        with connect_source(engine) as connection:
            return identity(connection)
    finally:
        engine.dispose()


def test_postgresql_says_the_servers_own_identifier_and_the_databases_name(state_url: str) -> None:
    engine = create_engine(state_url)
    with engine.connect() as connection:
        found = connection.execute(text("select system_identifier from pg_control_system()")).scalar_one()
    engine.dispose()
    assert of(state_url) == f"postgresql {found}/{make_url(state_url).database}"


def test_where_the_login_may_not_ask_the_address_is_all_that_is_known(state_url: str) -> None:
    url, role = make_url(state_url), f"test_{uuid4().hex}"
    engine = create_engine(state_url)
    with engine.begin() as connection:
        connection.execute(text("revoke execute on function pg_control_system() from public"))
        connection.execute(text(f"create role {role} login password 'hunter2'"))
    try:
        said = of(url.set(username=role, password="hunter2").render_as_string(hide_password=False))
    finally:
        with engine.begin() as connection:
            connection.execute(text(f"drop role {role}"))
        engine.dispose()
    assert said == f"postgresql {url.host}:{url.port}/{url.database}"


def test_sqlite_is_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert (
        of("sqlite:///billing.db") == of(f"sqlite:///{tmp_path / 'billing.db'}") == f"sqlite {tmp_path / 'billing.db'}"
    )


def test_an_address_has_neither_user_nor_password() -> None:
    assert (
        address(make_url("mssql+pyodbc://anna:hunter2@db.example:1433/billing?driver=x")) == "db.example:1433/billing"
    )
    assert address(make_url("postgresql://anna:hunter2@/billing")) == "this machine/billing"


def test_what_sql_server_is_asked_is_t_sql() -> None:
    sqlfluff.parse(SQL_SERVER, dialect="tsql")
