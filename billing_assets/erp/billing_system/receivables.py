"""Open balances from the billing system, by the integrator's optional `receivables.sql`.

One row per unpaid invoice, and per credit memo or payment that is not used up. The columns are in
sql/source/README.md. A single value that cannot be taken ends the reading: receivables that lack one are wrong.
"""

from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, select
from sqlalchemy.sql.selectable import Subquery

from billing_assets.erp.billing_system.spelling import exactly
from billing_assets.foundation.source_database import values
from billing_assets.foundation.source_database.errors import QueryFailed, asking
from billing_assets.foundation.source_database.queries import derived_table, read_query

RECEIVABLES_FILE = "receivables.sql"
KINDS = ("invoice", "credit_memo", "payment")
_ROWS = 10_000


class OpenReceivable(NamedTuple):
    """A row of `receivables.sql`. Amounts are signed: credit memos and payments are negative."""

    document_id: str
    kind: str
    number: str
    customer: str
    branch: str | None
    currency: str
    document_date: date
    due_date: date | None
    total: Decimal
    open_amount: Decimal


_CONVERT: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("document_id", "kind", "number", "customer", "currency"), values.text),
    "branch": lambda value: None if value is None else values.text(value),
    "document_date": values.day,
    "due_date": lambda value: None if value is None else values.day(value),
    "total": values.number,
    "open_amount": values.number,
}


def load_receivables_query(folder: Path) -> str:
    """The text of `receivables.sql`. Raises QueriesMissing, which names the file."""
    return read_query(folder / RECEIVABLES_FILE)


def open_receivables(conn: Connection, query: str) -> Iterator[list[OpenReceivable]]:
    """Everything that is open, 10,000 rows at a time, in bounded memory. Raises SourceError."""
    table = _table(query)
    statement = select(*(table.c[name] for name in OpenReceivable._fields))
    with (
        asking(conn, RECEIVABLES_FILE),
        conn.execute(statement, execution_options={"yield_per": _ROWS}) as result,
    ):
        for rows in result.partitions():
            yield [_receivable(row) for row in rows]


def sums(conn: Connection, query: str) -> list[tuple[str, str, int, Decimal]]:
    """(kind, currency, rows, sum of open_amount), counted and added by the billing system. Raises SourceError."""
    table = _table(query)
    group = (table.c.kind, table.c.currency)
    exact = [one for column in group for one in exactly(column, conn.dialect)]
    with asking(conn, RECEIVABLES_FILE):
        rows = conn.execute(select(*group, func.count(), func.sum(table.c.open_amount)).group_by(*exact)).all()
    return [(values.text(kind), values.text(currency), n, values.number(total)) for kind, currency, n, total in rows]


def _table(query: str) -> Subquery:
    return derived_table(query, "receivables", OpenReceivable._fields)


def _receivable(row: Any) -> OpenReceivable:
    converted = []
    for name, value in zip(OpenReceivable._fields, row, strict=True):
        try:
            converted.append(_CONVERT[name](value))
        except values.Unreadable as error:
            raise QueryFailed(RECEIVABLES_FILE, f"{name} of document {_shown(row[0])} {error}") from error
    found = OpenReceivable(*converted)
    if found.kind not in KINDS:
        raise QueryFailed(RECEIVABLES_FILE, f"kind of document {_shown(row[0])} is none of {', '.join(KINDS)}")
    if found.open_amount and (found.open_amount < 0) == (found.kind == "invoice"):
        raise QueryFailed(
            RECEIVABLES_FILE,
            f"open_amount of document {_shown(row[0])} has the wrong sign: credit memos and payments are negative",
        )
    return found


def _shown(document_id: object) -> str:
    return str(document_id)[:40]
