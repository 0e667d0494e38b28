"""Billing databases to which `AB-1` and `ab-1` are one key, as to SQL Server with its usual collation: SQLite's NOCASE,
and PostgreSQL with a collation of ICU that ignores case, or with a type like citext where it is built without ICU."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import psycopg

from billing_assets.erp.billing_system.queries import Queries
from billing_assets.foundation.database.connection import libpq_url
from proving.world.builders import ITEM

ENGINES = ("sqlite", "postgresql")

_TABLES = """
    CREATE TABLE h (k {key}, number text, status {text}, created_at {moment}, d {day}, cur {text}, total {money});
    CREATE TABLE l (k {line_key}, n int, item text, q {money}, p {money}, a {money});
    CREATE TABLE a (k {key}, number text, amount {money});"""
_TYPES = {
    "sqlite": {"moment": "moment", "day": "day", "money": "money"},
    "postgresql": {"moment": "timestamptz", "day": "date", "money": "numeric"},
}
_LIKE_CITEXT = """
    CREATE TYPE ci;
    CREATE FUNCTION ci_in(cstring) RETURNS ci LANGUAGE internal IMMUTABLE STRICT AS 'textin';
    CREATE FUNCTION ci_out(ci) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
    CREATE TYPE ci (INPUT = ci_in, OUTPUT = ci_out, LIKE = text);
    CREATE CAST (ci AS text) WITHOUT FUNCTION AS IMPLICIT;
    CREATE FUNCTION ci_order(ci, ci) RETURNS integer LANGUAGE sql IMMUTABLE STRICT
        AS 'SELECT bttextcmp(lower($1::text), lower($2::text))';
    CREATE FUNCTION ci_lt(ci, ci) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT AS 'SELECT ci_order($1, $2) < 0';
    CREATE FUNCTION ci_eq(ci, ci) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT AS 'SELECT ci_order($1, $2) = 0';
    CREATE FUNCTION ci_gt(ci, ci) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT AS 'SELECT ci_order($1, $2) > 0';
    CREATE OPERATOR < (LEFTARG = ci, RIGHTARG = ci, FUNCTION = ci_lt);
    CREATE OPERATOR = (LEFTARG = ci, RIGHTARG = ci, FUNCTION = ci_eq, RESTRICT = eqsel, JOIN = eqjoinsel, MERGES);
    CREATE OPERATOR > (LEFTARG = ci, RIGHTARG = ci, FUNCTION = ci_gt);
    CREATE OPERATOR CLASS ci_ops DEFAULT FOR TYPE ci USING btree AS
        OPERATOR 1 <, OPERATOR 3 =, OPERATOR 5 >, FUNCTION 1 ci_order(ci, ci);"""
QUERIES = Queries(
    "SELECT h.k AS document_id, h.number, CASE WHEN h.total < 0 THEN 'credit_memo' ELSE 'invoice' END AS kind,"
    " h.status, h.created_at, h.d AS document_date, h.d AS due_date,"
    " '12346' AS customer, 'United Kingdom' AS branch, h.cur AS currency, 'NET30' AS terms, NULL AS purchase_order,"
    " NULL AS memo, NULL AS applies_to, h.total FROM h",
    "SELECT l.k AS document_id, l.n AS line_no, l.item, NULL AS description, l.q AS quantity, l.p AS unit_price,"
    " l.a AS amount, NULL AS tax_code, NULL AS tax_rate, NULL AS tax_amount FROM l",
    applications="SELECT a.k AS document_id, a.number AS applies_to, a.amount FROM a",
)


@dataclass
class Collating:
    """Such a database: `execute` runs a statement as the billing system does, `?` for each parameter."""

    engine: str
    url: str
    execute: Callable[..., object]

    def header(self, key: str, status: str = "closed", currency: str = "GBP", total: str = "10") -> None:
        """A document, numbered by its key and `N`."""
        created, day = datetime(2010, 11, 5, 8, tzinfo=UTC), date(2010, 11, 5)
        values = [key, f"N{key}", status, created, day, currency, Decimal(total)]
        self.execute(f"INSERT INTO h VALUES ({', '.join('?' * 7)})", *values)  # noqa: S608

    def line(self, key: str, line_no: int = 1, amount: str = "10") -> None:
        """A line of one piece."""
        values = [key, line_no, ITEM, Decimal(1), Decimal(amount), Decimal(amount)]
        self.execute(f"INSERT INTO l VALUES ({', '.join('?' * 6)})", *values)  # noqa: S608

    def application(self, key: str, number: str, amount: str = "10") -> None:
        """What a credit memo settles."""
        self.execute("INSERT INTO a VALUES (?, ?, ?)", key, number, Decimal(amount))


@contextmanager
def collating(engine: str, database: str, folder: Path, *, lines_alike: bool = True) -> Iterator[Collating]:
    """A database of an engine. `lines_alike`: the keys of lines have the headers' collation, not their own."""
    if engine == "postgresql":
        with psycopg.connect(libpq_url(database), autocommit=True) as connection:
            try:
                connection.execute(
                    "CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"
                )
                key = "text COLLATE nocase"
            except psycopg.errors.FeatureNotSupported:
                connection.execute(_LIKE_CITEXT)
                key = "ci"
            connection.execute(_tables(engine, key, lines_alike=lines_alike))
            yield Collating(
                engine, database, lambda sql, *values: connection.execute(sql.replace("?", "%s"), values or None)
            )
        return
    # SQLite keeps no types: what it hands out is made of the declared ones.
    sqlite3.register_adapter(Decimal, str)
    sqlite3.register_adapter(datetime, datetime.isoformat)
    sqlite3.register_adapter(date, date.isoformat)
    sqlite3.register_converter("moment", lambda value: datetime.fromisoformat(value.decode()))
    sqlite3.register_converter("day", lambda value: date.fromisoformat(value.decode()))
    sqlite3.register_converter("money", lambda value: Decimal(value.decode()))
    path = folder / "billing.sqlite"
    file = sqlite3.connect(path, isolation_level=None)
    try:
        file.executescript(_tables(engine, "text COLLATE NOCASE", lines_alike=lines_alike))
        yield Collating(engine, f"sqlite:///{path}?detect_types=1", lambda sql, *values: file.execute(sql, values))
    finally:
        file.close()


def _tables(engine: str, key: str, *, lines_alike: bool) -> str:
    return _TABLES.format(key=key, text=key, line_key=key if lines_alike else "text", **_TYPES[engine])
