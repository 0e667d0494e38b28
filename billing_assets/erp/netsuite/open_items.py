"""What is open in NetSuite: unpaid invoices, and credit memos and payments that are not used up.

Of an invoice NetSuite shows `foreignamountunpaid`, of a credit memo or payment `foreignpaymentamountunused`, both
positive and in the transaction's currency; the other is null.
"""

from collections.abc import Collection, Iterator
from decimal import Decimal
from typing import NamedTuple

from billing_assets.erp.netsuite.client import NetSuiteClient
from billing_assets.erp.netsuite.errors import NetSuiteAnswerUnreadable, clean
from billing_assets.erp.netsuite.suiteql import PAGE_ROWS, UNREADABLE, amount_of, exact, query, query_page

KINDS = {"CustInvc": "invoice", "CustCred": "credit_memo", "CustPymt": "payment"}
"""NetSuite's types of transaction, as `billing.open_receivables` names them."""

_TYPES = ", ".join(f"'{type_}'" for type_ in KINDS)
_OPEN = "COALESCE(foreignamountunpaid, 0) + COALESCE(foreignpaymentamountunused, 0)"
_WHERE = f"type IN ({_TYPES}) AND voided = 'F' AND (foreignamountunpaid <> 0 OR foreignpaymentamountunused <> 0)"


class OpenItem(NamedTuple):
    """An open transaction. Amounts are signed as we sign them: credit memos and payments are negative.

    `currency` and `entity` are internal ids, dates `YYYY-MM-DD`.
    """

    netsuite_id: str
    kind: str
    external_id: str | None
    transaction_number: str
    entity: str
    currency: str
    total: Decimal
    open_amount: Decimal
    document_date: str
    due_date: str | None


class UnreadableItem(NamedTuple):
    """An open transaction of which something cannot be read; `problem` says what."""

    netsuite_id: str
    name: str
    problem: str


class InvoiceOf(NamedTuple):
    """An invoice of a customer; both by internal id."""

    netsuite_id: int
    entity: str
    external_id: str


class OpenSum(NamedTuple):
    """What NetSuite itself counts and adds up, per kind and currency (an internal id); signed as we sign. The amount is
    None where it cannot be read."""

    kind: str
    currency: str
    items: int
    open_amount: Decimal | None


def open_items(client: NetSuiteClient) -> Iterator[list[OpenItem | UnreadableItem]]:
    """Every open transaction of the account, 1,000 at a time; one that cannot be read spares the others.

    Pages by internal id, as NetSuite shows at most 100,000 rows of one query. Raises NetSuiteError.
    """
    after = 0
    while True:
        rows = query_page(
            client,
            "SELECT id, type, externalid, tranid, entity, currency, foreigntotal, "  # noqa: S608  constants and a number
            f"{_OPEN} AS openamount, TO_CHAR(trandate, 'YYYY-MM-DD') AS trandate, "
            f"TO_CHAR(duedate, 'YYYY-MM-DD') AS duedate FROM transaction WHERE {_WHERE} AND id > {after} ORDER BY id",
            isolate=True,
        )
        if any(not row.get("id", "").isdecimal() for row in rows):  # by it we page, and no person could find the row
            raise NetSuiteAnswerUnreadable("NetSuite answered an open transaction without id")
        yield [_item(row) for row in rows]
        if len(rows) < PAGE_ROWS:
            return
        after = int(rows[-1]["id"])


def open_sums(client: NetSuiteClient) -> list[OpenSum]:
    """Counts and sums of what is open, added up by NetSuite, in order. Raises NetSuiteError."""
    rows = query(
        client,
        f"SELECT type, currency, COUNT(*) AS items, SUM({_OPEN}) AS openamount FROM transaction "  # noqa: S608
        f"WHERE {_WHERE} GROUP BY type, currency ORDER BY type, currency",
        isolate=True,
    )
    return [
        OpenSum(
            _kind(row),
            row["currency"],
            int(row["items"]),
            None if (amount := amount_of(row, "openamount")) is None else _signed(row["type"], amount),
        )
        for row in rows
    ]


def currency_codes(client: NetSuiteClient) -> dict[str, str]:
    """The ISO code of every currency by internal id. Raises NetSuiteError."""
    rows = query(client, "SELECT id, symbol FROM currency ORDER BY id")
    return {row["id"]: row["symbol"] for row in rows if row.get("symbol")}


def invoices_of(
    client: NetSuiteClient, entities: Collection[str], prefixes: Collection[str], before: int | None = None
) -> list[InvoiceOf]:
    """Invoices of at most 1,000 customers (internal ids) whose external id begins with a prefix, the newest first.

    A page of 1,000, those with an internal id below `before`. They tell whose customer a payment is of: a payment has
    no external id of ours. Raises NetSuiteError.
    """
    ids = ", ".join(sorted(str(int(one)) for one in entities))
    older = "" if before is None else f"AND id < {before} "
    # An underscore in a prefix fits any character; the caller compares with the whole external ids anyway.
    ours = " OR ".join(f"externalid LIKE '{prefix}%'" for prefix in prefixes)
    rows = query_page(
        client,
        "SELECT id, entity, externalid FROM transaction "  # noqa: S608  numbers, checked prefixes
        f"WHERE type = 'CustInvc' AND ({ours}) AND entity IN ({ids}) {older}ORDER BY id DESC",
    )
    return [InvoiceOf(int(row["id"]), row["entity"], row["externalid"]) for row in rows]


def _item(row: dict[str, str]) -> OpenItem | UnreadableItem:
    try:
        return _readable(row)
    except NetSuiteAnswerUnreadable as error:
        name = row.get("externalid") or row.get("tranid") or "a transaction without number"
        return UnreadableItem(row["id"], clean(name, 200), row.get(UNREADABLE) or str(error))


def _readable(row: dict[str, str]) -> OpenItem:
    if UNREADABLE in row:
        raise NetSuiteAnswerUnreadable(row[UNREADABLE])
    needed = ("id", "type", "entity", "currency", "foreigntotal", "openamount", "trandate")
    if missing := [name for name in needed if not row.get(name)]:
        raise NetSuiteAnswerUnreadable(f"NetSuite answered an open transaction without {', '.join(missing)}")
    return OpenItem(
        row["id"],
        _kind(row),
        row.get("externalid"),
        row.get("tranid") or row["id"],
        row["entity"],
        row["currency"],
        _signed(row["type"], exact(row["foreigntotal"]).copy_abs()),
        _signed(row["type"], exact(row["openamount"])),
        row["trandate"],
        row.get("duedate"),
    )


def _kind(row: dict[str, str]) -> str:
    try:
        return KINDS[row["type"]]
    except KeyError:
        raise NetSuiteAnswerUnreadable("NetSuite answered a transaction of a type that was not asked for") from None


def _signed(type_: str, amount: Decimal) -> Decimal:
    return amount if type_ == "CustInvc" else -amount
