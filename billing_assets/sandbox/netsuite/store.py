"""What the sandbox holds, in SQLite: an answered record survives the death of the process.

All writing happens on the event loop's thread; commits are grouped over a few milliseconds and every answer waits
for its own. Other threads only read. Amounts are integers in ten-thousandths of the currency's unit (`_e4`).
"""

import asyncio
import json
import sqlite3
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from billing_assets.sandbox.netsuite import suiteql_functions

_SCHEMA = """
CREATE TABLE IF NOT EXISTS reference (type TEXT, id TEXT, external_id TEXT, name TEXT, content TEXT,
    PRIMARY KEY (type, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS record (id INTEGER PRIMARY KEY, type TEXT, tranid TEXT, external_id TEXT,
    external_key TEXT UNIQUE, entity TEXT, currency TEXT, subsidiary TEXT, total_e4 INTEGER, trandate TEXT,
    duedate TEXT, postingperiod TEXT, memo TEXT, otherrefnum TEXT, saved_at REAL, modified_at REAL, fields TEXT,
    applied_e4 INTEGER NOT NULL DEFAULT 0, voided INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS record_external_id ON record (external_id);
CREATE TABLE IF NOT EXISTS line (record INTEGER, n INTEGER, item TEXT, quantity TEXT, rate TEXT, amount_e4 INTEGER,
    description TEXT, extra TEXT, PRIMARY KEY (record, n)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS application (credit INTEGER, invoice INTEGER, amount_e4 INTEGER,
    PRIMARY KEY (credit, invoice)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS application_invoice ON application (invoice);
CREATE TABLE IF NOT EXISTS post (external_key TEXT PRIMARY KEY, times INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS token (digest TEXT PRIMARY KEY, expires_at REAL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS job (id INTEGER PRIMARY KEY, idempotency_key TEXT UNIQUE, record_type TEXT,
    validation TEXT, base_url TEXT);
CREATE TABLE IF NOT EXISTS task (id INTEGER PRIMARY KEY, job INTEGER, body TEXT, status INTEGER, location TEXT,
    result TEXT);
CREATE INDEX IF NOT EXISTS task_job ON task (job);
"""
_TRANSACTION_TABLES = ("record", "line", "application", "post", "counter", "job", "task")
_COMMIT_EVERY_SECONDS = 0.002
_PREFIX = {"invoice": "INV", "creditMemo": "CM", "customerPayment": "PYMT"}
# what of an invoice was settled, or what of a credit memo or payment was used: kept with the record for SuiteQL
_RECKON = """UPDATE record SET modified_at = :now, applied_e4 =
    (SELECT coalesce(sum(amount_e4), 0) FROM application WHERE invoice = record.id OR credit = record.id)
    WHERE id IN (SELECT value FROM json_each(:ids))"""
# of files written before these columns were there
_LATER_COLUMNS = ("applied_e4 INTEGER NOT NULL DEFAULT 0", "voided INTEGER NOT NULL DEFAULT 0")


class Line(NamedTuple):
    """One line as stored. `extra` is JSON: references by id, custom columns, the tax details' reference."""

    item: str
    quantity: str | None
    rate: str | None
    amount_e4: int
    description: str | None
    extra: str | None


@dataclass(slots=True)
class Record:
    """An invoice, credit memo or payment, checked and ready to be saved. `fields`: the remaining header fields."""

    type: str
    external_id: str | None
    entity: str
    currency: str
    subsidiary: str
    total_e4: int
    trandate: str
    duedate: str | None
    postingperiod: str
    memo: str | None
    otherrefnum: str | None
    fields: dict[str, Any]
    lines: list[Line]
    applications: list[tuple[int, int]]
    id: int = 0
    tranid: str = ""
    voided: bool = False


class Store:
    """The sandbox's database. Every method but `read` belongs to the event loop's thread."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / "netsuite.sqlite3"
        self.connection = _connect(self._file)
        self.connection.executescript(_SCHEMA)
        self._bring_up_to_date()
        self._waiting: list[asyncio.Future[None]] = []
        self._flush_due = False
        self._local = threading.local()
        self._load()

    def _bring_up_to_date(self) -> None:
        known = {row[1] for row in self.connection.execute("PRAGMA table_info(record)")}
        missing = [column for column in _LATER_COLUMNS if column.split()[0] not in known]
        if missing:
            self.connection.execute("BEGIN IMMEDIATE")
            for column in missing:
                self.connection.execute(f"ALTER TABLE record ADD COLUMN {column}")
            self.connection.execute(
                "UPDATE record SET applied_e4 ="
                " (SELECT coalesce(sum(amount_e4), 0) FROM application WHERE invoice = record.id OR credit = record.id)"
            )
            self.connection.execute("COMMIT")

    def _load(self) -> None:
        rows = self.connection.execute("SELECT external_id, id FROM record WHERE external_id IS NOT NULL")
        self.by_external: dict[str, int] = {external.lower(): id_ for external, id_ in rows}
        self.posted_times: dict[str, int] = dict(self.connection.execute("SELECT external_key, times FROM post"))
        self.counters: dict[str, int] = dict(self.connection.execute("SELECT name, value FROM counter"))
        (last,) = self.connection.execute("SELECT coalesce(max(id), 0) FROM record").fetchone()
        self._last_id = max(last, self.counters.get("last_deleted", 0))
        self._posted: set[str] = set()
        self._counted: set[str] = set()

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
        value = self.counters[name] = self.counters.get(name, 0) + 1
        self._counted.add(name)
        self._schedule()
        return value

    def count_post(self, external_id: str | None) -> None:
        """Note that a create was received."""
        self.count("received")
        if external_id is not None:
            key = external_id.lower()
            self.posted_times[key] = self.posted_times.get(key, 0) + 1
            self._posted.add(key)

    async def committed(self) -> None:
        """Wait until everything written so far is safe from the death of this process."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self._schedule()
        await future

    def commit(self) -> None:
        """Commit now, and let everyone who waits for it go on."""
        if not self.connection.in_transaction and (self._posted or self._counted):
            self.connection.execute("BEGIN IMMEDIATE")
        if self._posted:
            self.connection.executemany(
                "INSERT OR REPLACE INTO post VALUES (?, ?)", [(key, self.posted_times[key]) for key in self._posted]
            )
        if self._counted:
            self.connection.executemany(
                "INSERT OR REPLACE INTO counter VALUES (?, ?)", [(name, self.counters[name]) for name in self._counted]
            )
        if self.connection.in_transaction:
            self.connection.execute("COMMIT")
        self._posted.clear()
        self._counted.clear()
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def insert(self, record: Record) -> int:
        """Save a new record: gives it id and number. The caller has checked that the external id is free."""
        number = self.count(f"number_{record.type}")
        record.tranid = f"{_PREFIX[record.type]}{number:07}"
        now = time.time()
        self._last_id += 1
        record.id = self._last_id
        self.write(
            "INSERT INTO record (id, type, tranid, external_id, external_key, entity, currency, subsidiary, total_e4,"
            " trandate, duedate, postingperiod, memo, otherrefnum, fields, saved_at, modified_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (record.id, record.type, record.tranid, *_values(record), now, now),
        )
        if record.external_id is not None:
            self.by_external[record.external_id.lower()] = record.id
        self._write_parts(record)
        return record.id

    def update(self, record: Record, former_external_id: str | None) -> None:
        """Save the new state of an existing record."""
        self.write(
            "UPDATE record SET external_id = ?, external_key = ?, entity = ?, currency = ?, subsidiary = ?,"
            " total_e4 = ?, trandate = ?, duedate = ?, postingperiod = ?, memo = ?, otherrefnum = ?, fields = ?,"
            " modified_at = ? WHERE id = ?",
            (*_values(record), time.time(), record.id),
        )
        if former_external_id is not None:
            self.by_external.pop(former_external_id.lower(), None)
        if record.external_id is not None:
            self.by_external[record.external_id.lower()] = record.id
        self.write("DELETE FROM line WHERE record = ?", (record.id,))
        self._release(record.id)
        self._write_parts(record)

    def delete(self, record: Record) -> None:
        """Remove a record; what it had settled is open again. The caller has checked that nothing is applied to it."""
        self._release(record.id)
        self.write("DELETE FROM line WHERE record = ?", (record.id,))
        self.write("DELETE FROM record WHERE id = ?", (record.id,))
        # an id is never given twice
        self.counters["last_deleted"] = max(record.id, self.counters.get("last_deleted", 0))
        self._counted.add("last_deleted")
        if record.external_id is not None:
            self.by_external.pop(record.external_id.lower(), None)

    def void(self, record: Record) -> None:
        """Set total and lines to zero and release what it had settled; the record stays, with its external id."""
        self._release(record.id)
        fields = json.dumps({**record.fields, "subTotal": 0}, separators=(",", ":"))
        self.write(
            "UPDATE record SET total_e4 = 0, applied_e4 = 0, voided = 1, memo = 'VOID', fields = ?, modified_at = ?"
            " WHERE id = ?",
            (fields, time.time(), record.id),
        )
        self.write("UPDATE line SET amount_e4 = 0, rate = CASE WHEN n > 0 THEN '0' END WHERE record = ?", (record.id,))

    def get(self, record_id: int) -> Record | None:
        """A record with its lines and applications."""
        row = self.connection.execute(
            "SELECT type, external_id, entity, currency, subsidiary, total_e4, trandate, duedate, postingperiod, memo,"
            " otherrefnum, fields, tranid, voided FROM record WHERE id = ?",
            (record_id,),
        ).fetchone()
        if row is None:
            return None
        lines = self.connection.execute(
            "SELECT item, quantity, rate, amount_e4, description, extra FROM line WHERE record = ? AND n > 0"
            " ORDER BY n",
            (record_id,),
        )
        applied = self.connection.execute(
            "SELECT invoice, amount_e4 FROM application WHERE credit = ? ORDER BY invoice", (record_id,)
        )
        parts: list[Any] = [
            json.loads(row[11]),
            [Line(*line) for line in lines],
            applied.fetchall(),
            record_id,
            row[12],
            bool(row[13]),
        ]
        return Record(*row[:11], *parts)

    def applied_to(self, invoice_id: int, except_credit: int = 0) -> int:
        """How much of an invoice credit memos and payments have taken, in ten-thousandths."""
        row = self.connection.execute(
            "SELECT coalesce(sum(amount_e4), 0) FROM application WHERE invoice = ? AND credit <> ?",
            (invoice_id, except_credit),
        ).fetchone()
        return int(row[0])

    def reset(self) -> None:
        """Forget every transaction, job and count; references and credentials stay."""
        for table in _TRANSACTION_TABLES:
            self.write(f"DELETE FROM {table}")  # noqa: S608
        self.by_external.clear()
        self.posted_times.clear()
        self.counters.clear()
        self._last_id = 0
        self._posted.clear()
        self._counted.clear()
        self.commit()

    def read(
        self, sql: str, parameters: Sequence[Any] | dict[str, Any] = ()
    ) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Column names and rows of a query on committed data; for worker threads. Raises sqlite3.Error."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = _connect(self._file, read_only=True)
        cursor = connection.execute(sql, parameters)
        return [column[0] for column in cursor.description], cursor.fetchall()

    def close(self) -> None:
        """Commit and close."""
        self.commit()
        self.connection.close()

    def _write_parts(self, record: Record) -> None:
        # NetSuite's main line, number 0, carries the total
        main = (record.id, 0, None, None, None, record.total_e4, record.memo, None)
        lines = [main, *((record.id, n, *line) for n, line in enumerate(record.lines, 1))]
        self.write("INSERT INTO line VALUES (?, ?, ?, ?, ?, ?, ?, ?)", *lines)
        if record.applications:
            rows = [(record.id, invoice, amount) for invoice, amount in record.applications]
            self.write("INSERT INTO application VALUES (?, ?, ?)", *rows)
            self._reckon([record.id, *(invoice for invoice, _ in record.applications)])

    def _release(self, record_id: int) -> None:
        """Take back what a credit memo or payment is applied to."""
        applied = self.connection.execute("SELECT invoice FROM application WHERE credit = ?", (record_id,)).fetchall()
        if applied:
            self.write("DELETE FROM application WHERE credit = ?", (record_id,))
            self._reckon([record_id, *(invoice for (invoice,) in applied)])

    def _reckon(self, ids: list[int]) -> None:
        self.connection.execute(_RECKON, {"now": time.time(), "ids": json.dumps(ids)})

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


def money(amount_e4: int) -> str:
    """An amount as a decimal string with at least two places: 1234500 → "123.45"."""
    amount = Decimal(amount_e4).scaleb(-4)
    text = f"{amount:.4f}"
    return text[:-2] if text.endswith("00") else text


def _values(record: Record) -> tuple[Any, ...]:
    external = record.external_id
    return (
        external,
        None if external is None else external.lower(),
        record.entity,
        record.currency,
        record.subsidiary,
        record.total_e4,
        record.trandate,
        record.duedate,
        record.postingperiod,
        record.memo,
        record.otherrefnum,
        json.dumps(record.fields, separators=(",", ":")),
    )


def _connect(file: Path, *, read_only: bool = False) -> sqlite3.Connection:
    if read_only:
        connection = sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)
        suiteql_functions.register(connection)
    else:
        connection = sqlite3.connect(file, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(
            "PRAGMA synchronous = OFF"
        )  # the death of the process loses nothing, that of the machine may
    connection.execute("PRAGMA cache_size = -65536")
    connection.execute("PRAGMA busy_timeout = 5000")
    return connection
