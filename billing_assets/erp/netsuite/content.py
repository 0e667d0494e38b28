"""What an attempt sent, and whether a transaction in NetSuite has the same lines.

A look-up compares with the request that left, never with today's mapping: that may have changed since.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from enum import Enum
from typing import Any, NamedTuple

import structlog

from billing_assets.erp.netsuite.client import NetSuiteClient
from billing_assets.erp.netsuite.errors import NetSuiteAnswerUnreadable, NetSuiteForbidden, NetSuiteQueryRefused
from billing_assets.erp.netsuite.suiteql import amount_of, query
from billing_assets.foundation.money import canonical

log = structlog.get_logger(__name__)

NOT_PROVEN = "content not proven: NetSuite had it before we sent it, and shows its lines to no query of this role"
_LINES_TABLE = "transactionline"
_TRANSACTIONS = 100
"""Transactions whose lines are asked for in one query: NetSuite shows at most 100,000 rows of one."""


class Content(Enum):
    """Whether NetSuite has the lines that were sent."""

    EQUAL = "equal"
    DIFFERS = "differs"
    UNREAD = "unread"  # NetSuite does not let this role read lines


class Sent(NamedTuple):
    """The header that was sent, as far as NetSuite shows it again: internal ids, and the date as `YYYY-MM-DD`."""

    entity: str | None
    currency: str | None
    tran_date: str | None


class _Line(NamedTuple):
    """A line without its place: NetSuite may number them otherwise. `item` is None where it was sent by external id."""

    item: str | None
    quantity: str
    amount: str


def header_sent(payload: bytes) -> Sent:
    """The header of a request body."""
    body = json.loads(payload)
    return Sent(_reference(body.get("entity")), _reference(body.get("currency")), body.get("tranDate"))


def compare_lines(client: NetSuiteClient, sent: Mapping[str, bytes]) -> dict[str, Content]:
    """Compares the lines of transactions (by internal id) with the request bodies that were sent for them.

    Item, quantity and amount of each line, whatever its place; a credit memo's signs are NetSuite's own. Raises
    NetSuiteUnavailable.
    """
    found: dict[str, Content] = {}
    ids = [*sent]
    for start in range(0, len(ids), _TRANSACTIONS):
        chunk = ids[start : start + _TRANSACTIONS]
        try:
            rows, unreadable = _lines(client, chunk)
        except (NetSuiteForbidden, NetSuiteQueryRefused, NetSuiteAnswerUnreadable) as error:
            log.warning("lines_not_readable", http_status=error.http_status, code=error.netsuite_code)
            return found | dict.fromkeys(ids[start:], Content.UNREAD)
        for one in unreadable:
            log.warning("line_not_readable", netsuite_id=one)
        for one in chunk:
            found[one] = (
                Content.UNREAD
                if one in unreadable
                else Content.EQUAL
                if _same(_lines_sent(sent[one]), rows.get(one, []))
                else Content.DIFFERS
            )
    return found


def _lines(client: NetSuiteClient, netsuite_ids: Sequence[str]) -> tuple[dict[str, list[_Line]], set[str]]:
    """The lines of each transaction, and the transactions with a line that cannot be read."""
    values = ", ".join(str(int(one)) for one in netsuite_ids)
    rows = query(
        client,
        f"SELECT transaction, linesequencenumber, item, quantity, foreignamount FROM {_LINES_TABLE} "  # noqa: S608
        f"WHERE transaction IN ({values}) AND mainline = 'F' AND taxline = 'F' "
        "ORDER BY transaction, linesequencenumber",
        isolate=True,
    )
    unreadable: set[str] = set()
    found: dict[str, list[_Line]] = {}
    for row in rows:
        if not row.get("transaction"):
            raise NetSuiteAnswerUnreadable("NetSuite answered a line without its transaction", http_status=200)
        quantity, amount = amount_of(row, "quantity"), amount_of(row, "foreignamount")
        if quantity is None or amount is None:
            unreadable.add(row["transaction"])
        else:
            line = _Line(row.get("item"), canonical(quantity), canonical(amount))
            found.setdefault(row["transaction"], []).append(line)
    return found, unreadable


def _lines_sent(payload: bytes) -> list[_Line]:
    body = json.loads(payload, parse_float=Decimal, parse_int=Decimal)
    lines = body.get("item", {}).get("items", [])
    return [_Line(_reference(one.get("item")), _number(one, "quantity"), _number(one, "amount")) for one in lines]


def _same(ours: Sequence[_Line], theirs: Sequence[_Line]) -> bool:
    if any(line.item is None for line in ours):
        ours, theirs = ([line._replace(item=None) for line in side] for side in (ours, theirs))
    return Counter(ours) == Counter(theirs) or Counter(_turned(ours)) == Counter(theirs)


def _turned(lines: Iterable[_Line]) -> Iterable[_Line]:
    """The same with all signs turned: in `transactionline` an invoice's lines are negative."""
    return (_Line(line.item, canonical(-Decimal(line.quantity)), canonical(-Decimal(line.amount))) for line in lines)


def _reference(value: Any) -> str | None:
    return str(value["id"]) if isinstance(value, dict) and "id" in value else None


def _number(line: Mapping[str, Any], name: str) -> str:
    return canonical(Decimal(line.get(name) or 0))
