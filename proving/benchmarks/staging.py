"""Staging the sample: the first time against COPY and against dlt, again against reading the source once, and with
versions against reading its headers once."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from typing import Literal

import psycopg

from billing_assets.erp.netsuite.resource import NetSuite
from billing_assets.foundation.database.connection import libpq_url
from billing_assets.foundation.database.server_programs import binaries
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import load_settings
from billing_assets.foundation.shipped import shipped
from proving.benchmarks.measure import Mark, Measure, Place, Play, Round
from proving.benchmarks.world import ALL, MONTH, alone, database, runtime, source, stage_once

_TABLES = {"invoices": "id", "invoice_lines": "invoice_id, line_no"}
_DLT: dict[str, Literal["sqlalchemy", "pyarrow"]] = {"staging_dlt": "sqlalchemy", "staging_dlt_columns": "pyarrow"}
"""The ways of dlt to read, by the measure."""
_SMALL = 60
_VERSION = """concat_ws('/', i.rv,
        (SELECT concat_ws('/', count(*), sum(l.rv)) FROM invoice_lines AS l WHERE l.invoice_id = i.id),
        (SELECT concat_ws('/', count(*), sum(a.rv)) FROM credit_applications AS a WHERE a.credit_id = i.id)
    ) AS version,
    i.total
"""
"""What the queries for SQL Server make of its rowversion."""


def staged() -> float:
    """Seconds of one staging in this process, whose settings and mapping have been read."""
    found = Runtime(load_settings())
    _ = found.of(NetSuite).mapping
    began = time.monotonic()
    stage_once(found)
    return time.monotonic() - began


def copied(source_url: str, target_url: str) -> float:
    """Seconds to COPY the source's tables to tables beside ours by psql, one after the other.

    The copies have the same columns and no index; nothing is checked, joined or compared.
    """
    psql = str(binaries() / "psql")
    origin, target = libpq_url(source_url), libpq_url(target_url)
    with psycopg.connect(target, autocommit=True) as connection:
        for table in _TABLES:
            connection.execute(f"create table public.{table} ({_columns(origin, table)})")
    began = time.monotonic()
    for table in _TABLES:
        out = subprocess.Popen([psql, origin, "-c", f"copy {table} to stdout"], stdout=subprocess.PIPE)
        subprocess.run([psql, target, "-q", "-c", f"copy {table} from stdin"], stdin=out.stdout, check=True)
        if out.wait() != 0:
            raise RuntimeError(f"psql could not read {table}")
    return time.monotonic() - began


def _columns(origin: str, table: str) -> str:
    with psycopg.connect(origin) as connection:
        row = connection.execute(
            "select string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' order by attnum) "
            "from pg_attribute where attrelid = %s::regclass and attnum > 0 and not attisdropped",
            [table],
        ).fetchone()
    return str(row[0]) if row else ""


def with_dlt(source_url: str, target_url: str, folder: str, backend: Literal["sqlalchemy", "pyarrow"]) -> float:
    """Seconds of dlt's `sql_database` into PostgreSQL by merge, on the same two tables.

    By its default, `sqlalchemy`, it handles rows in Python; by `pyarrow` columns, which no code of ours could look at.
    """
    os.environ |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "DLT_DATA_DIR": folder}  # nothing leaves this machine
    import dlt  # noqa: PLC0415  only this process needs it
    from dlt.sources.sql_database import sql_database  # noqa: PLC0415

    tables = sql_database(libpq_url(source_url, "postgresql+psycopg2"), table_names=list(_TABLES), backend=backend)
    for table, key in _TABLES.items():
        tables.resources[table].apply_hints(primary_key=key.split(", "), write_disposition="merge")
    pipeline = dlt.pipeline(
        "benchmark",
        pipelines_dir=folder,
        destination=dlt.destinations.postgres(libpq_url(target_url)),
        dataset_name="copied",
    )
    began = time.monotonic()
    pipeline.run(tables)
    return time.monotonic() - began


def read_once(source_url: str) -> float:
    """Seconds to fetch every row of the source once with psycopg, from server-side cursors."""
    began = time.monotonic()
    with psycopg.connect(libpq_url(source_url)) as connection:
        for table in _TABLES:
            with connection.cursor(name=f"read_{table}") as cursor:
                cursor.itersize = 10_000
                cursor.execute(f"select * from {table}")  # noqa: S608  our own two names
                for _ in cursor:
                    pass
    return time.monotonic() - began


def headers_read_once(source_url: str, documents_sql: str) -> float:
    """Seconds to fetch every header with its version once with psycopg, from a server-side cursor: what the database
    does for the versions is in it, no line is fetched."""
    began = time.monotonic()
    with psycopg.connect(libpq_url(source_url)) as connection, connection.cursor(name="headers") as cursor:
        cursor.itersize = 10_000
        cursor.execute(documents_sql.encode())
        for _ in cursor:
            pass
    return time.monotonic() - began


def _first(here: Place, small: bool) -> Iterator[Round]:
    """COPY, ours and dlt by turns, each into a new database."""
    with source(here, MONTH if small else ALL, _SMALL if small else None) as billing:
        documents = _count(billing)
        for number in range(1 if small else 3):
            with database(here) as target:
                copy = copied(billing, target)
            with database(here, migrated=True) as state, runtime(here, state, billing):
                ours = alone(staged).value
                _check(state, billing)
            yield Round(ours, copy, documents, measure="staging_first")
            for measure, backend in _DLT.items():
                with database(here) as target:
                    dlt = alone(with_dlt, billing, target, str(here.folder / f"{measure}-{number}"), backend).value
                yield Round(ours, dlt, documents, measure=measure)


def _again(share: float) -> Play:
    """Stagings after the first; before each, a share of the documents changes in the billing system."""

    def play(here: Place, small: bool) -> Iterator[Round]:
        with (
            source(here, ALL if not small else MONTH, _SMALL if small else None) as billing,
            database(here, migrated=True) as state,
            runtime(here, state, billing),
        ):
            alone(staged)
            with psycopg.connect(libpq_url(state), autocommit=True) as connection:
                connection.execute("vacuum analyze billing.staged_invoices")
            for number in range(1 if small else 3):
                if share:
                    _change(billing, share, number)
                against = alone(read_once, billing).value
                yield Round(alone(staged).value, against, _count(billing))
                _check(state, billing)

    return play


def _by_version(here: Place, small: bool) -> Iterator[Round]:
    """Stagings after the first, with versions: PostgreSQL computes no digest then, as an engine that cannot.

    The documents are of the day before, as nearly all that a staging looks at again: none counts as new any more.
    """
    queries = here.folder / "queries_with_versions"
    shutil.copytree(shipped("sql/source/postgresql"), queries)
    documents = queries / "documents.sql"
    documents.write_text(documents.read_text(encoding="utf-8").replace("i.total\n", _VERSION), encoding="utf-8")
    with (
        source(here, ALL if not small else MONTH, _SMALL if small else None) as billing,
        database(here, migrated=True) as state,
    ):
        with psycopg.connect(libpq_url(billing), autocommit=True) as connection:
            connection.execute("update invoices set created_at = created_at - interval '1 day'")
            connection.execute("create sequence row_version")
            for table in (*_TABLES, "credit_applications"):
                connection.execute(f"alter table {table} add rv bigint not null default nextval('row_version')")
            connection.execute("vacuum analyze")
        with runtime(here, state, billing, {"source.queries": str(queries)}):
            alone(staged)
            with psycopg.connect(libpq_url(state), autocommit=True) as connection:
                connection.execute("vacuum analyze billing.staged_invoices")
            for _ in range(1 if small else 3):
                against = alone(headers_read_once, billing, documents.read_text(encoding="utf-8")).value
                yield Round(alone(staged).value, against, _count(billing))
                _check(state, billing)


def _change(source_url: str, share: float, number: int) -> None:
    with psycopg.connect(libpq_url(source_url), autocommit=True) as connection:
        connection.execute(
            "update invoices set memo = %s where id %% %s = %s", [f"changed {number}", round(1 / share), number]
        )


def _count(source_url: str) -> int:
    with psycopg.connect(libpq_url(source_url)) as connection:
        row = connection.execute("select count(*) from invoices").fetchone()
    return int(row[0]) if row else 0


def _check(state_url: str, source_url: str) -> None:
    """Raises RuntimeError unless every document and every change is staged: else nothing counts."""
    held, there = [], []
    with psycopg.connect(libpq_url(state_url)) as connection:
        held = connection.execute(
            "select count(*), count(*) filter (where memo like 'changed %'), sum(line_count), sum(total) "
            "from billing.staged_invoices"
        ).fetchall()
    with psycopg.connect(libpq_url(source_url)) as connection:
        there = connection.execute(
            "select count(*), count(*) filter (where memo like 'changed %'), "
            "(select count(*) from invoice_lines), sum(total) from invoices"
        ).fetchall()
    if held != there:
        raise RuntimeError(f"staged are {held}, the billing system has {there}")


_ONCE = "reading the source once"
MEASURES = [
    Measure(
        "staging_first",
        "staging, first time",
        "`COPY` of the same rows by psql",
        "s",
        Mark(at_most=4),
        1,
        _first,
    ),
    Measure(
        "staging_dlt",
        "staging, first time",
        "dlt (`sql_database`, merge) of the same tables",
        "s",
        Mark(faster=3),
        3,
        _first,
    ),
    Measure(
        "staging_dlt_columns",
        "staging, first time",
        "the same with dlt's `pyarrow` backend, column by column",
        "s",
        Mark(faster=3),
        1,
        _first,
    ),
    Measure("staging_again", "staging again, nothing changed", _ONCE, "s", Mark(at_most=1.5), 3, _again(0)),
    Measure(
        "staging_version",
        "staging again by `version`, nothing changed",
        "reading the headers with their versions once",
        "s",
        Mark(at_most=1.5),
        3,
        _by_version,
    ),
    Measure("staging_changed", "staging again, 1 % changed", _ONCE, "s", Mark(at_most=1.5), 3, _again(0.01)),
]
