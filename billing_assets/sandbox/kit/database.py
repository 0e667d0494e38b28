"""What a sandbox holds, in SQLite: what was answered survives the death of the process.

All writing happens on the event loop's thread; commits are grouped over a few milliseconds and every answer waits
for its own. Other threads only read.
"""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

_COMMIT_EVERY_SECONDS = 0.002
_COUNTERS = "CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID"

Statement = tuple[str, list[tuple[Any, ...]]]


class Database:
    """A sandbox's database. Every method but `read` belongs to the event loop's thread."""

    def __init__(
        self, file: Path, schema: str, prepare_reader: Callable[[sqlite3.Connection], None] | None = None
    ) -> None:
        """`prepare_reader` is called with each connection that `read` opens."""
        file.parent.mkdir(parents=True, exist_ok=True)
        self._file = file
        self._prepare_reader = prepare_reader
        self.connection = sqlite3.connect(file, isolation_level=None)
        self.connection.execute("PRAGMA journal_mode = WAL")
        # the death of the process loses nothing, that of the machine may
        self.connection.execute("PRAGMA synchronous = OFF")
        _set_up(self.connection)
        self.connection.executescript(schema)
        self.connection.execute(_COUNTERS)
        self.counters: dict[str, int] = dict(self.connection.execute("SELECT name, value FROM counter"))
        self._counted: set[str] = set()
        self._waiting: list[asyncio.Future[None]] = []
        self._flush_due = False
        self._local = threading.local()

    def write(self, sql: str, *rows: Sequence[Any]) -> sqlite3.Cursor:
        """Run a statement inside the open transaction, once per row (once without parameters if there is none)."""
        if not self.connection.in_transaction:
            self.connection.execute("BEGIN IMMEDIATE")
        self._schedule()
        if len(rows) == 1:
            return self.connection.execute(sql, rows[0])
        return self.connection.executemany(sql, rows) if rows else self.connection.execute(sql)

    def count(self, name: str) -> int:
        """Add one to a counter that survives restarts; gives the new value."""
        value = self.counters.get(name, 0) + 1
        self.set_counter(name, value)
        return value

    def set_counter(self, name: str, value: int) -> None:
        """Write a counter with the next commit."""
        self.counters[name] = value
        self._counted.add(name)
        self._schedule()

    async def committed(self) -> None:
        """Wait until everything written so far is safe from the death of this process."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self._schedule()
        await future

    def commit(self) -> None:
        """Commit now, and let everyone who waits for it go on."""
        statements = self.take_unwritten()
        if statements and not self.connection.in_transaction:
            self.connection.execute("BEGIN IMMEDIATE")
        for sql, rows in statements:
            self.connection.executemany(sql, rows)
        if self.connection.in_transaction:
            self.connection.execute("COMMIT")
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def take_unwritten(self) -> list[Statement]:
        """What changes too often to be written each time, with the rows of this commit. A sandbox adds its own."""
        rows = [(name, self.counters[name]) for name in self._counted]
        self._counted.clear()
        return [("INSERT OR REPLACE INTO counter VALUES (?, ?)", rows)] if rows else []

    def forget(self, tables: Sequence[str]) -> None:
        """Empty these tables and all counters, and commit."""
        for table in (*tables, "counter"):
            self.write(f"DELETE FROM {table}")  # noqa: S608
        self.counters.clear()
        self._counted.clear()
        self.commit()

    def read(
        self, sql: str, parameters: Sequence[Any] | dict[str, Any] = ()
    ) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Column names and rows of a query on committed data; for worker threads. Raises sqlite3.Error."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._reader()
        cursor = connection.execute(sql, parameters)
        return [column[0] for column in cursor.description], cursor.fetchall()

    def close(self) -> None:
        """Commit and close."""
        self.commit()
        self.connection.close()

    def _reader(self) -> sqlite3.Connection:
        connection = sqlite3.connect(f"{self._file.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)
        if self._prepare_reader is not None:
            self._prepare_reader(connection)
        _set_up(connection)
        return connection

    def _schedule(self) -> None:
        if not self._flush_due:
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                return  # before the server runs, the caller commits
            self._flush_due = True
            loop.call_later(_COMMIT_EVERY_SECONDS, self._flush)

    def _flush(self) -> None:
        self._flush_due = False
        self.commit()


def _set_up(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA cache_size = -65536")
    connection.execute("PRAGMA busy_timeout = 5000")
