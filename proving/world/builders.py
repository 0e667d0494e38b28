"""Documents for tests: as plain values, and as rows of a real sample billing database that change as a clerk would.

A document built with defaults only is valid under the shipped mapping: it becomes `ready` once it is closed.
The functions that write to the billing database take `source`, a connection in autocommit mode (`open_for_writing`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from types import MappingProxyType
from typing import Any

import psycopg
from psycopg import sql

from billing_assets.erp.billing_system.queries import Queries, load_queries
from billing_assets.erp.documents.documents import Application, Document, Line
from billing_assets.erp.documents.validation_rules import Finding
from billing_assets.erp.netsuite.mapping import NetSuiteMapping, load_mapping
from billing_assets.erp.netsuite.validation import validation_of
from billing_assets.erp.staging.incoming import Validation
from billing_assets.erp.staging.settings import StagingSettings
from billing_assets.erp.staging.staging import StagingResult, stage
from billing_assets.foundation.database.connection import Connection, connect, libpq_url
from billing_assets.foundation.shipped import shipped
from billing_assets.foundation.source_database.connection import connect_source, open_source
from billing_assets.foundation.source_database.queries import shipped_queries
from billing_assets.sandbox.samples.loader import create_sample_schema

SOURCE = "billing"
CUSTOMER, OTHER_CUSTOMER, BRANCH, ITEM, OTHER_ITEM = "12346", "12347", "United Kingdom", "10002", "10080"
"""All of them known to the shipped mapping."""

BillingSystem = psycopg.Connection[tuple[Any, ...]]
LineValues = tuple[str | None, str, str, str]
"""A line of the sample: stock code, quantity, price, amount."""

_KINDS = {"invoice": "I", "credit_memo": "C", "adjustment": "A"}


# Plain values


def line(line_no: int = 1, amount: str = "10.00", **changes: Any) -> Line:
    """A valid line: one piece of ITEM at `amount`; `changes` are fields of `Line`."""
    price = Decimal(amount)
    sign = -1 if price < 0 else 1
    values: dict[str, Any] = {
        "line_no": line_no,
        "item": ITEM,
        "description": "Inflatable globe",
        "quantity": Decimal(sign),
        "unit_price": abs(price),
        "amount": price,
        "tax_code": None,
        "tax_rate": None,
        "tax_amount": None,
        "extra": {},
    }
    return Line(**(values | changes))


def document(number: str = "536365", *lines: Line, **changes: Any) -> Document:
    """A valid closed invoice over `lines` (default: one of 10.00); its total is theirs unless `changes` say."""
    lines = changes.pop("lines", lines or (line(),))
    values: dict[str, Any] = {
        "source": SOURCE,
        "document_id": f"id-{number}",
        "kind": "invoice",
        "number": number,
        "status": "closed",
        "created_at": datetime(2010, 11, 5, 8, 26, tzinfo=UTC),
        "document_date": date(2010, 11, 5),
        "due_date": date(2010, 12, 5),
        "customer": CUSTOMER,
        "branch": BRANCH,
        "currency": "GBP",
        "terms": "NET30",
        "purchase_order": None,
        "memo": None,
        "applies_to": None,
        "total": sum((one.amount + (one.tax_amount or 0) for one in lines), Decimal(0)),
        "extra": {},
        "lines": lines,
    }
    return Document(**(values | changes))


def credit_memo(number: str = "C536379", amount: str = "-10.00", **changes: Any) -> Document:
    """A valid closed credit memo of one line; `amount` is negative, as the source has it."""
    return document(number, line(amount=amount), **({"kind": "credit_memo"} | changes))


def applied(*named: str | None) -> tuple[Application, ...]:
    """What a credit memo is applied to: number and amount (None: as much as is open) in turns."""
    numbers, amounts = named[::2], named[1::2]
    return tuple(
        Application(number or "", None if amount is None else Decimal(amount))
        for number, amount in zip(numbers, amounts, strict=True)
    )


def body(mapping: NetSuiteMapping, document: Document, apply: Mapping[str, Decimal] = MappingProxyType({})) -> bytes:
    """The request body of a document under the external id that it is staged with."""
    return mapping.payload(document, mapping.external_id(document.kind, document.number), apply)


# The billing system


def create_billing_system(url: str) -> None:
    """The sample's tables, empty, in an empty database."""
    create_sample_schema(url)


@contextmanager
def open_for_writing(url: str) -> Iterator[BillingSystem]:
    """A connection to the sample billing database in autocommit mode."""
    with psycopg.connect(libpq_url(url), autocommit=True) as connection:
        yield connection


def insert_document(
    source: BillingSystem,
    number: str = "536365",
    *,
    kind: str = "invoice",
    status: str = "closed",
    lines: Sequence[LineValues] | None = None,
    **columns: Any,
) -> str:
    """Creates a document with its lines (default: one over 10.00, of the kind's sign); returns its id as text.

    The total is the lines' sum. `columns` are further columns of table `invoices` (`total`, `customer_no`, `country`,
    `currency`, `document_date`, `created_at`, `memo`, `applies_to`, …).
    """
    if lines is None:
        lines = [(ITEM, "-1", "10.00", "-10.00") if kind == "credit_memo" else (ITEM, "1", "10.00", "10.00")]
    values: dict[str, Any] = {
        "number": number,
        "kind": _KINDS.get(kind, kind),
        "status": status,
        "document_date": date(2010, 11, 5),
        "customer_no": CUSTOMER,
        "country": BRANCH,
        "terms": "NET30",
        "total": sum((Decimal(amount) for _, _, _, amount in lines), Decimal(0)),
    } | columns
    insert = sql.SQL("insert into invoices ({}) values ({}) returning id").format(
        sql.SQL(", ").join(map(sql.Identifier, values)), sql.SQL(", ").join(sql.Placeholder() * len(values))
    )
    with source.transaction():
        row = source.execute(insert, list(values.values())).fetchone()
        assert row is not None
        add_lines(source, str(row[0]), lines)
    return str(row[0])


def add_lines(source: BillingSystem, document_id: str, lines: Sequence[LineValues], *, first: int = 1) -> None:
    """Adds lines, numbered from `first`; the total stays what it was."""
    source.cursor().executemany(
        "insert into invoice_lines (invoice_id, line_no, stock_code, description, quantity, price, amount)"
        " values (%s, %s, %s, 'A thing', %s, %s, %s)",
        [(document_id, first + place, *values) for place, values in enumerate(lines)],
    )


def apply_credit(source: BillingSystem, document_id: str, number: str, amount: str | None = None) -> None:
    """Applies a credit memo to an invoice; without an amount, as much as is open."""
    source.execute("insert into credit_applications values (%s, %s, %s)", [document_id, number, amount])


def change_document(source: BillingSystem, document_id: str, **columns: Any) -> None:
    """Changes columns of table `invoices`; nothing tells that it did."""
    _update(source, sql.SQL("invoices"), columns, sql.SQL("id = {}").format(int(document_id)))


def change_line(source: BillingSystem, document_id: str, line_no: int = 1, /, **columns: Any) -> None:
    """Changes columns of one line (`stock_code`, `description`, `quantity`, `price`, `amount`, `line_no`)."""
    where = sql.SQL("invoice_id = {} and line_no = {}").format(int(document_id), line_no)
    _update(source, sql.SQL("invoice_lines"), columns, where)


def close_document(source: BillingSystem, document_id: str) -> None:
    """Closes an open document."""
    change_document(source, document_id, status="closed")


def void_document(source: BillingSystem, document_id: str) -> None:
    """Voids a document."""
    change_document(source, document_id, status="void")


def delete_document(source: BillingSystem, document_id: str) -> None:
    """Deletes a document with its lines."""
    source.execute("delete from invoices where id = %s", [document_id])
    source.execute("delete from invoice_lines where invoice_id = %s", [document_id])
    source.execute("delete from credit_applications where credit_id = %s", [document_id])


def _update(source: BillingSystem, table: sql.SQL, columns: dict[str, Any], where: sql.Composable) -> None:
    assignments = [sql.SQL("{} = {}").format(sql.Identifier(name), value) for name, value in columns.items()]
    statement = sql.SQL("update {} set {} where {}").format(table, sql.SQL(", ").join(assignments), where)
    assert source.execute(statement).rowcount == 1


# Staging


@cache
def shipped_mapping() -> NetSuiteMapping:
    """The mapping of the sample."""
    return load_mapping(shipped("config/mapping.yaml"))


def validation(mapping: NetSuiteMapping | None = None) -> Validation:
    """What staging validates with: a mapping reduced to functions."""
    return validation_of(mapping or shipped_mapping())


def shipped_sample_queries() -> Queries:
    """The extraction queries that read the sample."""
    return load_queries(shipped_queries("postgresql://"))


def stage_now(
    state_url: str,
    source_url: str,
    *,
    mapping: NetSuiteMapping | None = None,
    settings: StagingSettings | None = None,
    run_id: str = "test",
    during: Callable[[Document], None] | None = None,
    whole: bool = False,
    queries: Queries | None = None,
) -> StagingResult:
    """One staging of the billing database at `source_url` (the sample's, unless it has `queries` of its own), over the
    read-only engine of the product.

    `during` is called with every document as it is validated: that is where tests let things happen meanwhile.
    """
    rules = validation(mapping)
    if during:
        check, happens = rules.check_mapping, during

        def check_and_more(one: Document) -> Iterable[Finding]:
            happens(one)
            return check(one)

        rules = replace(rules, check_mapping=check_and_more)
    engine = open_source(source_url)
    try:
        with connect(state_url) as connection, connect_source(engine) as source:
            return stage(
                connection,
                source,
                queries or shipped_sample_queries(),
                SOURCE,
                rules,
                settings or StagingSettings(),
                run_id,
                whole=whole,
            )
    finally:
        engine.dispose()


def staged(state: Connection, number: str) -> dict[str, Any]:
    """The row of the only staged document with a number."""
    rows = state.execute("select * from billing.staged_invoices where number = %s", [number]).fetchall()
    assert len(rows) == 1, f"{len(rows)} rows of {number}"
    return rows[0]


def states(state: Connection) -> dict[str, str]:
    """State by number, of everything staged."""
    return {row["number"]: row["state"] for row in state.execute("select number, state from billing.staged_invoices")}


def codes(row: dict[str, Any]) -> list[str]:
    """Codes of the findings of a staged row, in their order."""
    return [found["code"] for found in row["findings"]]
