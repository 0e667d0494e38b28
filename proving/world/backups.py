"""Backups as an operator makes them, with pg_dump and pg_restore, and as quick copies for tests of many."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from billing_assets.foundation.database.connection import libpq_url
from billing_assets.foundation.database.server_programs import binaries
from proving.world.databases import _create, _drop


def dump(url: str, path: Path) -> Path:
    """`pg_dump --format custom`."""
    _run("pg_dump", "--format", "custom", "--file", str(path), "--dbname", libpq_url(url))
    return path


@contextmanager
def restored(server_url: str, path: Path) -> Iterator[str]:
    """URL of a new database into which a dump was restored."""
    name = _create(server_url, "template0")
    url = make_url(server_url).set(database=name).render_as_string(hide_password=False)
    try:
        _run("pg_restore", "--no-owner", "--exit-on-error", "--dbname", libpq_url(url), str(path))
        yield url
    finally:
        _drop(server_url, name)


@contextmanager
def snapshot(server_url: str, url: str) -> Iterator[str]:
    """Name of a copy of a database to which nobody is connected."""
    name = _create(server_url, make_url(url).database or "")
    try:
        yield name
    finally:
        _drop(server_url, name)


def put_back(server_url: str, url: str, copy: str) -> None:
    """Replaces a database by a copy, under its name; who works on it loses the connection."""
    name = make_url(url).database or ""
    _drop(server_url, name)
    with psycopg.connect(libpq_url(server_url), autocommit=True) as connection:
        connection.execute(sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(copy)))


def _run(program: str, *arguments: str) -> None:
    done = subprocess.run(
        [str(binaries() / program), *arguments], capture_output=True, text=True, check=False, env={**os.environ}
    )
    assert done.returncode == 0, done.stderr
