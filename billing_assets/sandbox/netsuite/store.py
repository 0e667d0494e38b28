"""What the sandbox holds. Amounts are integers in ten-thousandths of the currency's unit (`_e4`)."""

import json
import time
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from billing_assets.sandbox.kit.database import Database, Statement
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
CREATE TABLE IF NOT EXISTS token (digest TEXT PRIMARY KEY, expires_at REAL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS job (id INTEGER PRIMARY KEY, idempotency_key TEXT UNIQUE, record_type TEXT,
    validation TEXT, base_url TEXT);
CREATE TABLE IF NOT EXISTS task (id INTEGER PRIMARY KEY, job INTEGER, body TEXT, status INTEGER, location TEXT,
    result TEXT);
CREATE INDEX IF NOT EXISTS task_job ON task (job);
"""
_TRANSACTION_TABLES = ("record", "line", "application", "post", "job", "task")
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


class Store(Database):
    """The sandbox's database: records, what is applied to what, how often an external id was posted."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "netsuite.sqlite3", _SCHEMA, suiteql_functions.register)
        self._bring_up_to_date()
        rows = self.connection.execute("SELECT external_id, id FROM record WHERE external_id IS NOT NULL")
        self.by_external: dict[str, int] = {external.lower(): id_ for external, id_ in rows}
        self.posted_times: dict[str, int] = dict(self.connection.execute("SELECT external_key, times FROM post"))
        (last,) = self.connection.execute("SELECT coalesce(max(id), 0) FROM record").fetchone()
        self._last_id = max(last, self.counters.get("last_deleted", 0))
        self._posted: set[str] = set()

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

    def count_post(self, external_id: str | None) -> None:
        """Note that a create was received."""
        self.count("received")
        if external_id is not None:
            key = external_id.lower()
            self.posted_times[key] = self.posted_times.get(key, 0) + 1
            self._posted.add(key)

    def take_unwritten(self) -> list[Statement]:
        """Also how often each external id was posted."""
        rows = [(key, self.posted_times[key]) for key in self._posted]
        self._posted.clear()
        own: list[Statement] = [("INSERT OR REPLACE INTO post VALUES (?, ?)", rows)] if rows else []
        return [*super().take_unwritten(), *own]

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
        self.set_counter("last_deleted", max(record.id, self.counters.get("last_deleted", 0)))
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
        self.by_external.clear()
        self.posted_times.clear()
        self._posted.clear()
        self._last_id = 0
        self.forget(_TRANSACTION_TABLES)

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
