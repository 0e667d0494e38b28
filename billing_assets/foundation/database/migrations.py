"""Applies the numbered SQL files that make our schema: once, in order, each whole or not at all.

What belongs here: which file is applied when, and how a changed history is refused.
What does not: the schema itself (`sql/state/NNNN_name.sql`).
"""

import hashlib
import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import psycopg
from sqlalchemy import Engine

from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.foundation.database.refusals import remedy

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
    name       text        PRIMARY KEY,
    sha256     text        NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""


class MigrationError(Exception):
    """The schema cannot be brought up to date. The message names the file and says what to do."""

    def __init__(self, file: str, message: str) -> None:
        super().__init__(f"Migration {file}: {message}")
        self.file = file


@dataclass(frozen=True)
class _Migration:
    name: str
    text: str
    sha256: str


def migrate(url_or_engine: str | Engine, folder: Path) -> list[str]:
    """Apply the files of `folder` that the database does not have yet; returns their names, in order.

    Safe to call from many processes at once: one applies, the others wait and find nothing to do. Raises
    MigrationError, also when an applied file was edited, is missing, or a new one has a lower number.
    """
    migrations = _read(folder)
    url = url_or_engine if isinstance(url_or_engine, str) else url_or_engine.url.render_as_string(hide_password=False)
    with connect(url, application="billing migrations") as connection:
        # A session's lock, over all the transactions below; the connection's end frees it, however it ends.
        connection.execute("SELECT pg_advisory_lock(%s)", [_LOCK_KEY])
        connection.execute(_CREATE_TABLE)
        rows = connection.execute("SELECT name, sha256 FROM billing.schema_migrations").fetchall()
        pending = _pending(migrations, {row["name"]: row["sha256"] for row in rows})
        for migration in pending:
            _apply(connection, migration)
    return [migration.name for migration in pending]


def _read(folder: Path) -> list[_Migration]:
    if not folder.is_dir():
        raise MigrationError(str(folder), "there is no such folder; install the package again.")
    migrations = [_read_file(path) for path in sorted(folder.glob("*.sql"))]
    for earlier, later in pairwise(migrations):
        if earlier.name[:4] == later.name[:4]:
            raise MigrationError(later.name, f"{earlier.name} has the same number; give one of them the next.")
    return migrations


def _read_file(path: Path) -> _Migration:
    if not _FILE_NAME.fullmatch(path.name):
        raise MigrationError(path.name, "name it like 0001_staged_invoices.sql (four digits, lower case).")
    try:
        # Text mode turns CRLF into LF: a checkout on Windows has the same checksum.
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise MigrationError(path.name, f"is not UTF-8 ({error.reason}); save it as UTF-8.") from error
    if found := _TRANSACTION_COMMAND.search(text):
        raise MigrationError(path.name, f"take out {found[1]!r}: each file runs in a transaction of its own already.")
    return _Migration(path.name, text, hashlib.sha256(text.encode()).hexdigest())


def _pending(migrations: list[_Migration], applied: dict[str, str]) -> list[_Migration]:
    """The migrations to apply, after proof that the applied ones are the first ones and unchanged."""
    known = {migration.name for migration in migrations}
    for name in sorted(applied):
        if name not in known:
            raise MigrationError(
                name,
                "is applied in this database but missing from this installation. Install the version that "
                "has it (this one is older), or put the file back.",
            )
    newest = max(applied, default="")
    for migration in migrations:
        if migration.name not in applied and migration.name < newest:
            raise MigrationError(
                migration.name,
                f"comes before {newest}, which is applied already. Give it a number above that one.",
            )
        if applied.get(migration.name, migration.sha256) != migration.sha256:
            raise MigrationError(
                migration.name,
                "was edited after it had been applied. Restore it as it was and put the change into a new file "
                "with the next number.",
            )
    return [migration for migration in migrations if migration.name not in applied]


def _apply(connection: Connection, migration: _Migration) -> None:
    try:
        with connection.transaction():
            # Bytes and no parameters: the text goes to the server as it is, `%` and several statements too.
            connection.execute(migration.text.encode())
            connection.execute(
                "INSERT INTO billing.schema_migrations (name, sha256) VALUES (%s, %s)",
                [migration.name, migration.sha256],
            )
    except psycopg.Error as error:
        raise MigrationError(
            migration.name,
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
