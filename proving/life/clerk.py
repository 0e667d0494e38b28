"""What people do in the billing system: documents are made, changed, closed, voided and deleted, and nothing tells."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from proving.life.view import SourceDocument
from proving.life.world import OVERLAP_SECONDS, World
from proving.world import builders
from proving.world.builders import CUSTOMER, ITEM, OTHER_CUSTOMER, OTHER_ITEM

ODDITIES = ("namesake", "zero", "customer", "total", "late", "adjustment", "target")
EDITS = ("amount", "memo", "number", "month", "customer", "line", "total", "close", "close", "void", "reopen", "delete")
_UNKNOWN_INVOICE = "499999"


def create(
    world: World,
    number: str,
    kind: str,
    status: str,
    cents: int,
    oddity: str | None = None,
    other: SourceDocument | None = None,
) -> str:
    """A new document, maybe with one of `ODDITIES`; returns its id. Kind `credit`: a memo that applies to `other`.

    `late`: its creation lies back in time when it is committed, but not further than staging's overlap.
    """
    now = world.source_now()
    columns: dict[str, Any] = {"created_at": now}
    if kind == "credit":
        kind = "credit_memo"
        if other and other.kind == "invoice":
            columns |= {"applies_to": other.number, "customer_no": other.customer}
            cents = _small(cents)
    if oddity == "namesake" and other:
        kind, number = other.kind, other.number
    elif oddity == "zero":
        cents = 0
    elif oddity == "customer":
        columns["customer_no"] = "unheard of"
    elif oddity == "total":
        columns["total"] = "77.77"
    elif oddity == "late":
        columns["created_at"] = now - timedelta(seconds=OVERLAP_SECONDS - 20)
    elif oddity == "adjustment":
        kind = "adjustment"
    elif oddity == "target":
        columns["applies_to"] = _UNKNOWN_INVOICE
    return builders.insert_document(
        world.source, number, kind=kind, status=status, lines=_lines(kind, cents), **columns
    )


def edit(world: World, document: SourceDocument, what: str, cents: int, number: str) -> None:
    """One of `EDITS`; `cents` and `number` are the new amount and number where it needs one."""
    columns: dict[str, dict[str, Any]] = {
        "memo": {"memo": f"As of {cents}"},
        "number": {"number": number},
        "month": {"document_date": "2010-12-05" if document.month == "2010-11" else "2010-11-05"},
        "customer": {"customer_no": OTHER_CUSTOMER if document.customer == CUSTOMER else CUSTOMER},
        "total": {"total": document.total + 1},
        "close": {"status": "closed"},
        "void": {"status": "void"},
        "reopen": {"status": "open"},
    }
    if what in columns:
        builders.change_document(world.source, document.id, **columns[what])
    elif what == "delete":
        builders.delete_document(world.source, document.id)
    elif what == "line":
        builders.change_line(world.source, document.id, 1, stock_code=OTHER_ITEM)
    else:
        lines = _lines(document.kind, _small(cents) if document.applies_to else cents)
        with world.source.transaction():
            for line_no, (_, quantity, price, amount) in enumerate(lines, 1):
                values = {"quantity": quantity, "price": price, "amount": amount}
                builders.change_line(world.source, document.id, line_no, **values)
            total = sum(Decimal(amount) for *_, amount in lines)
            builders.change_document(world.source, document.id, total=total)


def _small(cents: int) -> int:
    """So little that all credit memos together never exceed their invoice."""
    return cents % 200 + 1


def _lines(kind: str, cents: int) -> Sequence[builders.LineValues]:
    """Two lines that add up, of the kind's sign."""
    sign = -1 if kind == "credit_memo" else 1
    amounts = [Decimal(cents - cents // 3).scaleb(-2), Decimal(cents // 3).scaleb(-2)]
    return [(ITEM, str(sign), str(amount), str(sign * amount)) for amount in amounts]
