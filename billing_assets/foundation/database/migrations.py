"""Applies the numbered SQL files that make our schema: once, in order, each whole or not at all.

What belongs here: which file is applied when, and how a changed history is refused.
What does not: the schema itself (`sql/state/<area>/NNNN_name.sql`).
"""

import hashlib
import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import psycopg
from sqlalchemy import Engine

from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.foundation.database.refusals import DatabaseUnfit, remedy
from billing_assets.foundation.errors import BillingError

AREAS = ("foundation", "erp", "receivables", "metering", "invoicing", "operations")
"""Areas with tables of their own, in the order in which they are made: each needs none but those before it. All of them
are made always, also those of an area that is switched off."""

_FILE_NAME = re.compile(r"\d{4}_[a-z0-9_]+\.sql")
# Each file runs in a transaction of ours; one that ends it could stay half applied. PL/pgSQL's BEGIN has no `;`.
_TRANSACTION_COMMAND = re.compile(
    r"(?:^|;)[ \t]*((?:begin|commit|rollback|start\s+transaction)(?:\s+(?:work|transaction))?)\s*;",
    re.IGNORECASE | re.MULTILINE,
)
_LOCK_KEY = 0x62696C6C696E67  # "billing" in ASCII: any number will do that nothing else on the server uses

_CREATE_TABLE = """
CREATE SCHEMA IF NOT EXISTS billing;
CREATE TABLE IF NOT EXISTS billing.schema_migrations (
    area       text        NOT NULL,
    name       text        NOT NULL,
    sha256     text        NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (area, name)
)
"""
# Before 0.1.0 all files were in one folder, and their names were the key.
_BEFORE_AREAS = """
SELECT to_regclass('billing.schema_migrations') IS NOT NULL AND NOT EXISTS (
    SELECT FROM pg_attribute WHERE attrelid = to_regclass('billing.schema_migrations') AND attname = 'area') AS before
"""


class MigrationError(BillingError):
    """The schema cannot be brought up to date. The message names the file and says what to do."""

    def __init__(self, file: str, message: str) -> None:
        super().__init__(f"Migration {file}: {message}")
        self.file = file


@dataclass(frozen=True)
class _Migration:
    area: str
    name: str
    text: str
    sha256: str

    @property
    def file(self) -> str:
        """Its path below the folder of all migrations: `erp/0001_documents.sql`."""
        return f"{self.area}/{self.name}"


def migrate(url_or_engine: str | Engine, folder: Path) -> list[str]:
    """Apply the files of `folder`, which has a folder for each area, that the database does not have yet.

    Returns their paths (`erp/0001_documents.sql`) in order. Safe to call from many processes at once: one applies, the
    others wait and find nothing to do. Raises MigrationError, also when an applied file was edited, is missing, or a
    new one has a lower number than another of its area; and DatabaseUnfit for a database from before 0.1.0.
    """
    migrations = _read(folder)
    url = url_or_engine if isinstance(url_or_engine, str) else url_or_engine.url.render_as_string(hide_password=False)
    with connect(url, application="billing migrations") as connection:
        # A session's lock, over all the transactions below; the connection's end frees it, however it ends.
        connection.execute("SELECT pg_advisory_lock(%s)", [_LOCK_KEY])
        _refuse_before_areas(connection)
        connection.execute(_CREATE_TABLE)
        rows = connection.execute("SELECT area, name, sha256 FROM billing.schema_migrations").fetchall()
        pending = _pending(migrations, {(row["area"], row["name"]): row["sha256"] for row in rows})
        for migration in pending:
            _apply(connection, migration)
    return [migration.file for migration in pending]


def _refuse_before_areas(connection: Connection) -> None:
    row = connection.execute(_BEFORE_AREAS).fetchone()
    if row is not None and row["before"]:
        raise DatabaseUnfit(
            "Our database is of a development version before 0.1.0, and its schema cannot be upgraded: make a new, "
            "empty database (the embedded server makes one after `billing down` and renaming <home>/postgres), keep "
            "the journal, and stage again. What NetSuite has already is found there before anything is sent; confirm "
            "it with `billing restore confirm-transactions`, and it is taken over. Keep the old database until all "
            "months are reconciled; docs/operations.md#a-database-from-before-010 has the steps."
        )


def _read(folder: Path) -> list[_Migration]:
    for path in sorted(folder.glob("*")):
        if path.suffix == ".sql":
            raise MigrationError(path.name, f"put it into the folder of its area: {', '.join(AREAS)}.")
        if path.is_dir() and path.name not in AREAS:
            raise MigrationError(path.name, f"is no area of the schema; add it to AREAS ({', '.join(AREAS)}).")
    return [migration for area in AREAS for migration in _read_area(folder / area)]


def _read_area(folder: Path) -> list[_Migration]:
    if not folder.is_dir():
        raise MigrationError(str(folder), "there is no such folder; install the package again.")
    migrations = [_read_file(path) for path in sorted(folder.glob("*.sql"))]
    for earlier, later in pairwise(migrations):
        if earlier.name[:4] == later.name[:4]:
            raise MigrationError(later.file, f"{earlier.name} has the same number; give one of them the next.")
    return migrations


def _read_file(path: Path) -> _Migration:
    area = path.parent.name
    file = f"{area}/{path.name}"
    if not _FILE_NAME.fullmatch(path.name):
        raise MigrationError(file, "name it like 0001_staged_invoices.sql (four digits, lower case).")
    try:
        # Text mode turns CRLF into LF: a checkout on Windows has the same checksum.
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise MigrationError(file, f"is not UTF-8 ({error.reason}); save it as UTF-8.") from error
    if found := _TRANSACTION_COMMAND.search(text):
        raise MigrationError(file, f"take out {found[1]!r}: each file runs in a transaction of its own already.")
    return _Migration(area, path.name, text, hashlib.sha256(text.encode()).hexdigest())


def _pending(migrations: list[_Migration], applied: dict[tuple[str, str], str]) -> list[_Migration]:
    """The migrations to apply, after proof that the applied ones are the first ones of their area and unchanged."""
    known = {(migration.area, migration.name) for migration in migrations}
    for area, name in sorted(applied):
        if (area, name) not in known:
            raise MigrationError(
                f"{area}/{name}",
                "is applied in this database but missing from this installation. Install the version that "
                "has it (this one is older), or put the file back.",
            )
    newest: dict[str, str] = {}
    for area, name in applied:
        newest[area] = max(name, newest.get(area, ""))
    for migration in migrations:
        key = migration.area, migration.name
        if key not in applied and migration.name < newest.get(migration.area, ""):
            raise MigrationError(
                migration.file,
                f"comes before {newest[migration.area]}, which is applied already. Give it a number above that one.",
            )
        if applied.get(key, migration.sha256) != migration.sha256:
            raise MigrationError(
                migration.file,
                "was edited after it had been applied. Restore it as it was and put the change into a new file "
                "with the next number.",
            )
    return [migration for migration in migrations if (migration.area, migration.name) not in applied]


def _apply(connection: Connection, migration: _Migration) -> None:
    try:
        with connection.transaction():
            # Bytes and no parameters: the text goes to the server as it is, `%` and several statements too.
            connection.execute(migration.text.encode())
            connection.execute(
                "INSERT INTO billing.schema_migrations (area, name, sha256) VALUES (%s, %s, %s)",
                [migration.area, migration.name, migration.sha256],
            )
    except psycopg.Error as error:
        raise MigrationError(
            migration.file,
            f"failed, and nothing of it was kept. PostgreSQL says: {_explanation(error, migration.text)}",
        ) from error


def _explanation(error: psycopg.Error, text: str) -> str:
    parts = [error.diag.message_primary or str(error)]
    if error.diag.statement_position:
        line = text[: int(error.diag.statement_position) - 1].count("\n") + 1
        parts.append(f"(line {line})")
    parts += [
        f"{label}: {said}"
        for label, said in (("Detail", error.diag.message_detail), ("Hint", error.diag.message_hint))
        if said
    ]
    parts += [todo] if (todo := remedy(error.sqlstate)) else []
    return " ".join(parts)
