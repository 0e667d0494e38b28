"""A clock of the database that tests can set: its own `clock_timestamp()`, found before PostgreSQL's."""

import psycopg
from sqlalchemy import make_url

from billing_assets.state.database import libpq_url


def make_settable(url: str) -> None:
    """Gives a database a clock that can be set; connections opened from now on go by it."""
    with psycopg.connect(libpq_url(url), autocommit=True) as connection:
        connection.execute(
            """
            create schema fake;
            create table fake.clock (ahead interval not null);
            insert into fake.clock values ('0 s');
            create function fake.clock_timestamp() returns timestamptz language sql volatile as
                'select pg_catalog.clock_timestamp() + ahead from fake.clock'"""
        )
        name = psycopg.sql.Identifier(make_url(url).database or "")
        connection.execute(psycopg.sql.SQL("alter database {} set search_path = public, fake, pg_catalog").format(name))


def set_ahead(url: str, seconds: float) -> None:
    """Sets the clock so many seconds ahead of the true time, or behind it."""
    with psycopg.connect(libpq_url(url), autocommit=True) as connection:
        connection.execute("update fake.clock set ahead = make_interval(secs => %s)", [seconds])
