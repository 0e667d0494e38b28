"""A clock of the database that tests can set: its own `clock_timestamp()` in the place of PostgreSQL's."""

from typing import LiteralString

import psycopg

from billing_assets.foundation.database.connection import libpq_url

_CLOCK = """
    create schema fake;
    create table fake.clock (ahead interval not null);
    insert into fake.clock values ('0 s')"""
# In each database's own catalog: what a connection says of its search_path does not matter.
_PUT_IN_PLACE = """
    set allow_system_table_mods = on;
    alter function pg_catalog.{0}() rename to true_{0};
    create function pg_catalog.{0}() returns timestamptz language sql volatile as
        'select pg_catalog.true_{0}() + ahead from fake.clock'"""


def make_settable(url: str, *functions: LiteralString) -> None:
    """Gives a database a clock that can be set: `clock_timestamp()`, and what else is named."""
    with psycopg.connect(libpq_url(url), autocommit=True) as connection:
        connection.execute(_CLOCK)
        for function in ("clock_timestamp", *functions):
            connection.execute(_PUT_IN_PLACE.format(function))


def set_ahead(url: str, seconds: float) -> None:
    """Sets the clock so many seconds ahead of the true time, or behind it."""
    with psycopg.connect(libpq_url(url), autocommit=True) as connection:
        connection.execute("update fake.clock set ahead = make_interval(secs => %s)", [seconds])
