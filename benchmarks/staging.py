"""Staging all of the sample, against COPY of the same rows by psql; staging again, against reading the source once."""

import subprocess
import time

import psycopg

from benchmarks.world import report, timed_process, world
from billing_assets.state.database import libpq_url
from billing_assets.state.server_programs import binaries

_STAGE = """
from benchmarks.world import stage_once
from billing_assets.runtime import Runtime
from billing_assets.settings import load_settings
runtime = Runtime(load_settings())
runtime.mapping
began = time.monotonic()
stage_once(runtime)
seconds = time.monotonic() - began
"""
_TABLES = ("invoices", "invoice_lines")


def main() -> None:
    """Prints the ratios and the peak memory."""
    with world("all") as here:
        source, state = libpq_url(here.source_url), libpq_url(here.runtime.database_url)
        copied = sum(_copy(source, state, table) for table in _TABLES)
        read = _read(source)
        first, first_megabytes = timed_process(_STAGE)
        second, second_megabytes = timed_process(_STAGE)
    report("first staging, 53,628 documents", f"{first:.1f} s", f"COPY by psql {copied:.1f} s", first / copied, 4)
    report("staging again, nothing changed", f"{second:.1f} s", f"reading once {read:.1f} s", second / read, 1.5)
    peak = max(first_megabytes, second_megabytes)
    report("peak memory of staging", f"{peak:.0f} MB", "300 MB", peak / 300, 1)


def _copy(source: str, state: str, table: str) -> float:
    """Seconds to COPY a table from the source to a plain table beside ours, psql to psql."""
    psql = str(binaries() / "psql")
    with psycopg.connect(source) as connection:
        columns = connection.execute(
            "select string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' order by attnum) "
            "from pg_attribute where attrelid = %s::regclass and attnum > 0 and not attisdropped",
            [table],
        ).fetchone()
    with psycopg.connect(state, autocommit=True) as connection:
        connection.execute(f"create table public.copy_of_{table} ({columns[0] if columns else ''})")
    began = time.monotonic()
    out = subprocess.Popen([psql, source, "-c", f"copy {table} to stdout"], stdout=subprocess.PIPE)
    subprocess.run([psql, state, "-q", "-c", f"copy public.copy_of_{table} from stdin"], stdin=out.stdout, check=True)
    out.wait()
    return time.monotonic() - began


def _read(source: str) -> float:
    """Seconds to fetch every row of the source once with psycopg, from server-side cursors."""
    began = time.monotonic()
    with psycopg.connect(source) as connection:
        for table in _TABLES:
            with connection.cursor(name=f"read_{table}") as cursor:
                cursor.itersize = 10_000
                cursor.execute(f"select * from {table}")  # noqa: S608  our own two names
                for _ in cursor:
                    pass
    return time.monotonic() - began


if __name__ == "__main__":
    main()
