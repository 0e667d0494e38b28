"""What role and database say of a session does not matter to us, and a database that cannot serve is refused."""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import DiskFull, InsufficientPrivilege, ReadOnlySqlTransaction
from sqlalchemy import NullPool, create_engine, make_url

import billing_assets
from billing_assets.foundation.commands.machine import check_database
from billing_assets.foundation.database import embedded
from billing_assets.foundation.database.connection import SESSION, STORAGE, Connection, connect, libpq_url, storage_url
from billing_assets.foundation.database.migrations import AREAS, MigrationError, migrate
from billing_assets.foundation.database.presence import present
from billing_assets.foundation.database.refusals import DatabaseUnfit
from billing_assets.foundation.database.server_programs import run_program
from billing_assets.foundation.shipped import shipped
from billing_assets.posting.lanes import Lanes
from proving.world.servers import pgbouncer, pgbouncer_program
from proving.world.waiting import until

ODD = {
    "default_transaction_isolation": "serializable",
    "default_transaction_deferrable": "on",
    "datestyle": "German, DMY",
    "intervalstyle": "sql_standard",
    "timezone": "Asia/Kathmandu",
    "search_path": "billing, nowhere",
    "standard_conforming_strings": "off",
    "statement_timeout": "20s",
    "lock_timeout": "20s",
    "idle_in_transaction_session_timeout": "20s",
    "idle_session_timeout": "20s",
    "synchronous_commit": "off",
    "enable_bitmapscan": "on",
}
"""What a company may have set for all its databases; the time-outs are short where that shows."""


def set_for_database(url: str, **settings: str) -> None:
    """As an administrator does, for all later connections to this database."""
    with psycopg.connect(libpq_url(url), autocommit=True) as connection:
        for name, value in settings.items():
            command = sql.SQL("alter database {} set {} to {}").format(
                sql.Identifier(make_url(url).database or ""),
                sql.Identifier(name),
                sql.SQL(", ").join(map(sql.Literal, value.split(", "))),
            )
            connection.execute(command)


def value_of(connection: Connection, name: str) -> str:
    (row,) = connection.execute("select current_setting(%s) as value", [name]).fetchall()
    return str(row["value"])


@pytest.fixture
def odd_url(state_url: str) -> str:
    set_for_database(state_url, **ODD)
    return state_url


def test_a_connection_says_itself_what_it_works_with(odd_url: str) -> None:
    with connect(odd_url) as connection:
        shown = {name: value_of(connection, name) for name in (*SESSION, "synchronous_commit")}
        level = value_of(connection, "transaction_isolation")
    assert shown == SESSION | {"synchronous_commit": "on"}
    assert level == "read committed"


def test_a_transaction_that_asks_for_another_isolation_has_it(odd_url: str) -> None:
    with connect(odd_url) as connection, connection.transaction():
        connection.execute("set transaction isolation level repeatable read, read only")
        assert value_of(connection, "transaction_isolation") == "repeatable read"


def test_a_stricter_commit_than_ours_stays(state_url: str) -> None:
    set_for_database(state_url, synchronous_commit="remote_apply")
    with connect(state_url) as connection:
        assert value_of(connection, "synchronous_commit") == "remote_apply"


def test_dates_and_amounts_of_time_are_read_whatever_the_database_writes(odd_url: str) -> None:
    with connect(odd_url) as connection:
        row = connection.execute(
            "select timestamptz '2010-11-30 23:30+00' as moment, date '2010-11-05'::text as day, "
            "interval '1 day 2 hours' as span"
        ).fetchone()
    assert row == {
        "moment": datetime(2010, 11, 30, 23, 30, tzinfo=UTC),
        "day": "2010-11-05",
        "span": timedelta(days=1, hours=2),
    }


def test_no_room_connects_past_what_every_connection_needs() -> None:
    """The sample's loader fills a billing system, which is none of ours."""
    code = Path(billing_assets.__file__).parent
    past = {
        str(path.relative_to(code))
        for path in code.rglob("*.py")
        if re.search(r"psycopg2?\.connect\(|Connection\.connect\(|create_engine\(", path.read_text(encoding="utf-8"))
    }
    assert past == {
        "foundation/database/connection.py",
        "foundation/source_database/connection.py",
        "sandbox/samples/loader.py",
    }


def test_dagsters_storage_does_not_take_isolation_and_time_outs_from_the_database(odd_url: str) -> None:
    given = make_url(odd_url).update_query_dict({"options": "-c work_mem=5MB", "application_name": "dagster"})
    engine = create_engine(storage_url(given.render_as_string(hide_password=False)), poolclass=NullPool)
    with engine.connect() as connection:
        shown = [connection.exec_driver_sql(f"show {name}").scalar_one() for name in (*STORAGE, "work_mem")]
    assert shown == [*(SESSION[name] for name in STORAGE), "5MB"]
    engine.dispose()


def test_migrations_lanes_and_signs_of_life_work_there_as_well(database: str) -> None:
    set_for_database(database, **ODD)
    migrate(database, shipped("sql/state"))
    with Lanes(database, "1234567", 3) as lanes, present(database, "run", 5), connect(database) as connection:
        assert lanes.held == 3
        until(lambda: connection.execute("select from billing.runs_at_work").fetchall() != [])


needs_pgbouncer = pytest.mark.skipif(pgbouncer_program() is None, reason="needs pgbouncer, which CI installs")


@needs_pgbouncer
@pytest.mark.parametrize(
    ("mode", "settings"),
    [("transaction", {}), ("transaction", {"server_round_robin": "1"}), ("statement", {})],
    ids=["transaction", "in turn", "statement"],
)
def test_a_pool_that_shares_sessions_is_refused_with_what_to_do(
    state_url: str, mode: str, settings: dict[str, str]
) -> None:
    with pgbouncer(state_url, mode, **settings) as pooled:
        with pytest.raises(DatabaseUnfit, match="PgBouncer with pool_mode = transaction") as refused:
            check_database(pooled)
        assert "Name PostgreSQL itself in BILLING_DATABASE_URL" in str(refused.value)


@needs_pgbouncer
def test_a_pool_that_keeps_sessions_apart_serves_us_and_dagster(odd_url: str) -> None:
    with pgbouncer(odd_url, "session") as pooled:
        assert check_database(pooled)
        with connect(pooled) as connection:
            assert value_of(connection, "transaction_isolation") == "read committed"
        engine = create_engine(storage_url(pooled, pooled=True), poolclass=NullPool)
        with engine.connect() as storage:
            assert storage.exec_driver_sql("select 1").scalar_one() == 1
        engine.dispose()


def test_without_a_pool_none_is_seen(state_url: str) -> None:
    assert not check_database(state_url)


def test_a_database_that_is_set_to_read_only_is_refused_with_what_to_do(state_url: str) -> None:
    set_for_database(state_url, default_transaction_read_only="on")
    with pytest.raises(DatabaseUnfit, match=r"default_transaction_read_only is on .*Else reset it \(ALTER ROLE"):
        check_database(state_url)


@pytest.fixture
def replica() -> Iterator[str]:
    """A server that waits for another one's log, as a replica does."""
    home = Path(tempfile.mkdtemp(prefix="billing-replica-"))
    server = embedded.start(home, durable=False)
    embedded.stop(home)
    data = server.folder / "data"
    (data / "standby.signal").touch()
    owner = data.stat()
    os.chown(data / "standby.signal", owner.st_uid, owner.st_gid)
    assert run_program(
        server.folder, "pg_ctl", "start", "-D", str(data), "-w", "-l", str(server.folder / "startup.log")
    )
    yield server.url()
    embedded.stop(home, mode="immediate")
    shutil.rmtree(home)


def test_a_read_replica_is_refused_with_what_to_do(replica: str) -> None:
    with pytest.raises(DatabaseUnfit, match=r"leads to a read replica.*Name the primary server"):
        check_database(replica)


def carry_out(url: str, *statements: LiteralString) -> None:
    with connect(url) as connection, connection.transaction():
        for statement in statements:
            connection.execute(statement)


def test_a_write_to_what_became_a_replica_says_what_to_do(state_url: str) -> None:
    with pytest.raises(ReadOnlySqlTransaction, match="Name the primary server in BILLING_DATABASE_URL"):
        carry_out(state_url, "set transaction read only", "delete from billing.runs_at_work")


def test_a_missing_right_says_what_to_do(state_url: str) -> None:
    with pytest.raises(InsufficientPrivilege, match=r"permission denied .*owner of the schema billing"):
        carry_out(state_url, "set local role pg_monitor", "select * from billing.staged_invoices")


def test_a_migration_without_the_right_says_what_to_do(database: str, tmp_path: Path) -> None:
    for area in AREAS:
        (tmp_path / area).mkdir()
        (tmp_path / area / "0001_first.sql").write_text("set local role pg_monitor; create table billing.x ()")
    with pytest.raises(MigrationError, match=r"permission denied for schema billing.*Make it the database's owner"):
        migrate(database, tmp_path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no device that is always full")
def test_a_full_disk_says_what_to_do(state_url: str) -> None:
    """The system's own ENOSPC, on a device where every write of the server gets it."""
    with pytest.raises(DiskFull, match=r"No space left on device.*Free or add space there: nothing is lost"):
        carry_out(state_url, "copy (select generate_series(1, 100000)) to '/dev/full'")
