"""The world in which documents live: a billing system, our database, NetSuite's sandbox, and a clock that can be moved.

Time passes without sleeping: a function `clock_timestamp()` of our own takes the place of PostgreSQL's in both
databases and adds an offset; so "the lease ends" is one UPDATE.
"""

import logging
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psycopg
import sqlalchemy
import structlog
import urllib3
from psycopg import sql
from sqlalchemy import make_url

from billing_assets.erp.documents.documents import Document
from billing_assets.erp.netsuite.mapping import NetSuiteMapping
from billing_assets.erp.settings import NetSuiteSettings
from billing_assets.erp.staging.settings import StagingSettings
from billing_assets.erp.staging.staging import stage
from billing_assets.foundation.database.connection import Connection, connect, libpq_url
from billing_assets.foundation.database.migrations import migrate
from billing_assets.foundation.sections import BatchSettings
from billing_assets.foundation.shipped import shipped
from billing_assets.foundation.source_database.connection import connect_source, open_source
from billing_assets.posting import dispatch, run
from billing_assets.posting.lanes import Lanes
from billing_assets.sandbox.netsuite.process import start_sandbox
from proving.life.client import WatchedClient
from proving.world import builders, clock, world
from proving.world.mappings import edited
from proving.world.world import seeded

LEASE_SECONDS = 30.0
SLOWEST_SECONDS = 900.0
"""The longest that NetSuite works on one request, and the longest that a new record hides from SuiteQL."""
LAG_SECONDS = 30.0
ABSENCE_COUNTS_AFTER_SECONDS = SLOWEST_SECONDS + LEASE_SECONDS + LAG_SECONDS
"""A run that lost its batch may send until its lease ends; NetSuite may work that long on it, and show it that late."""
OVERLAP_SECONDS = 60.0

# A staging whose commit fails: everything was written, nothing may stay.
_CUT = """
create table fake.cut (armed boolean not null);
insert into fake.cut values (false);
create function fake.cut() returns trigger language plpgsql as $$
begin
    if (select armed from fake.cut) then raise exception 'cut at its commit' using errcode = 'admin_shutdown'; end if;
    return null;
end $$;
create constraint trigger cut after insert on billing.staging_runs deferrable initially deferred
    for each row execute function fake.cut();
"""
_OURS = (
    *("archived_outcomes", "archived_attempts", "posting_outcomes", "posting_attempts"),
    *("posted_totals", "staged_invoices", "locked_batches", "watermarks", "staging_runs", "bindings"),
    *("found_transactions", "netsuite_looks"),
)
_PASS = "update fake.clock set ahead = ahead + make_interval(secs => %s)"
_FORGET = "; ".join(
    [
        "set session_replication_role = replica",  # the triggers refuse it on purpose
        *(f"delete from billing.{table}" for table in _OURS),  # noqa: S608
        "set session_replication_role = origin",
        "update fake.clock set ahead = '0 s'",
        "update fake.cut set armed = false",
    ]
)


class CutError(Exception):
    """The staging is cut off while it reads."""


class World(world.World):
    """Both sides of one life. `state` and `source` are connections for looking and for playing the clerk."""

    source_engine: sqlalchemy.Engine
    client: WatchedClient
    lanes: Lanes
    pool: urllib3.PoolManager
    mappings: tuple[NetSuiteMapping, NetSuiteMapping]
    """The shipped one, and another that names documents otherwise and lacks an item."""
    mapping: NetSuiteMapping
    tally: Counter[str]
    """How often each step was taken, over all examples."""

    def reset(self) -> None:
        """Empty databases, an empty and healthy NetSuite, and the present time."""
        self.state.execute(_FORGET)
        self.source.execute("delete from invoice_lines; delete from invoices; update fake.clock set ahead = '0 s'")
        self.account.fresh()
        self.mapping = self.mappings[0]

    def pass_time(self, seconds: float) -> None:
        """Moves the clocks of both databases on."""
        self.state.execute(_PASS, [seconds])
        self.source.execute(_PASS, [seconds])

    def source_now(self) -> datetime:
        """The billing system's clock."""
        row = self.source.execute("select clock_timestamp()").fetchone()
        assert row is not None
        moment: datetime = row[0]
        return moment

    def stage(
        self, *, during: Callable[[Document, Connection], None] | None = None, fails_to_commit: bool = False
    ) -> None:
        """One staging on a connection of its own; `during` happens as each document is validated."""
        rules = builders.validation(self.mapping)
        if fails_to_commit:
            self.state.execute("update fake.cut set armed = true")
        try:
            with connect(self.state_url) as connection, connect_source(self.source_engine) as source:
                if during:
                    check, happens = rules.check_mapping, during

                    def check_and_more(one: Document) -> Any:
                        happens(one, connection)
                        return check(one)

                    rules = replace(rules, check_mapping=check_and_more)
                queries, settings = builders.shipped_sample_queries(), self.settings.of(StagingSettings)
                stage(connection, source, queries, builders.SOURCE, rules, settings, "staging")
        finally:
            if fails_to_commit:
                self.state.execute("update fake.cut set armed = false")

    def admin(self, name: str, **parameters: str) -> Any:
        """A look at the sandbox's control plane."""
        answer = self.pool.request("GET", f"{self.account.base_url}/sandbox/{name}", fields=parameters, timeout=30)
        assert answer.status == 200, answer.data
        return answer.json()

    def switch(self, **values: Any) -> None:
        """Turns switches of the sandbox."""
        answer = self.pool.request("PUT", f"{self.account.base_url}/sandbox/switches", json=values, timeout=30)
        assert answer.status == 200, answer.data

    def post_directly(self, record_type: str, body: bytes) -> int:
        """NetSuite finishes a request that it got long ago; its answer reaches nobody. Returns the HTTP status."""
        answer = self.account.session.post(
            f"{self.account.base_url}/services/rest/record/v1/{record_type}",
            data=body,
            headers={"Content-Type": "application/json"},
            timeout=30,
        )
        return answer.status_code


@contextmanager
def open_world(server_url: str, folder: Path) -> Iterator[World]:
    """A world on a PostgreSQL server (its URL as a superuser), with a sandbox of its own in `folder`."""
    with ExitStack() as stack:
        # Threads are asked to stop every quarter of a second; a whole run of one document should not take that long.
        stack.enter_context(patch.object(dispatch, "_LOOK_AT_STOP_SECONDS", 0.01))
        stack.enter_context(patch.object(run, "_WAIT_SECONDS", 0.005))
        stack.callback(structlog.configure, **structlog.get_config())
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
        url = stack.enter_context(_database(server_url))
        source_url = stack.enter_context(_database(server_url))
        for one in (url, source_url):
            clock.make_settable(one, "now")
        migrate(url, shipped("sql/state"))
        sandbox = stack.enter_context(start_sandbox(folder))
        patience = {
            "lanes": 2,
            "read_back_seconds": 0,
            "timeout_seconds": 10,
            "max_request_seconds": SLOWEST_SECONDS + LAG_SECONDS,
        }
        batches = BatchSettings(lease_seconds=LEASE_SECONDS, max_documents=3, at_once_below=2, stale_lock_minutes=1)
        staging = StagingSettings(overlap_minutes=1)
        opened = stack.enter_context(
            World.open(url, source_url, sandbox, seeded(sandbox), netsuite=patience, batches=batches, staging=staging)
        )
        opened.state.execute(_CUT)
        opened.source_engine = open_source(source_url)
        stack.callback(opened.source_engine.dispose)
        netsuite = opened.settings.of(NetSuiteSettings)
        opened.client = WatchedClient(netsuite)
        stack.callback(opened.client.close)
        opened.lanes = stack.enter_context(Lanes(url, opened.client.account, netsuite.lanes, lease_seconds=1_000_000))
        opened.pool = stack.enter_context(urllib3.PoolManager())
        opened.mappings = (builders.shipped_mapping(), _another_mapping(folder))
        opened.mapping, opened.tally = opened.mappings[0], Counter()
        yield opened


def _another_mapping(folder: Path) -> NetSuiteMapping:
    names = {"{invoice: INV-, credit_memo: CM-}": "{invoice: RE-, credit_memo: GS-}"}
    return edited(folder, replace=names, without_item=builders.OTHER_ITEM)


@contextmanager
def _database(server_url: str) -> Iterator[str]:
    server = make_url(server_url)
    name = sql.Identifier(f"life_{uuid.uuid4().hex}")
    with psycopg.connect(libpq_url(server_url), autocommit=True) as connection:
        connection.execute(sql.SQL("create database {} template template0").format(name))
    try:
        yield server.set(database=name.as_string().strip('"')).render_as_string(hide_password=False)
    finally:
        with psycopg.connect(libpq_url(server_url), autocommit=True) as connection:
            connection.execute(sql.SQL("drop database {} with (force)").format(name))
