"""Open balances put into our database as if they had been read."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from billing_assets.foundation.database.connection import Connection
from billing_assets.receivables.balances import store
from billing_assets.receivables.balances.store import OpenTotal, Receivable

READ_AT = datetime(2011, 3, 1, 4, 15, tzinfo=UTC)


def receivable(number: str = "500001", open_amount: str | Decimal = "100.00", **changes: Any) -> Receivable:
    """An open invoice of branch USA, issued on Monday 2010-11-01 and due a month later."""
    values: dict[str, Any] = {
        "source": "netsuite",
        "transaction_id": number,
        "kind": "invoice",
        "number": number,
        "external_id": f"INV-{number}",
        "customer": "12346",
        "branch": "USA",
        "currency": "GBP",
        "document_date": date(2010, 11, 1),
        "due_date": date(2010, 12, 1),
        "total": Decimal(open_amount),
        "open_amount": Decimal(open_amount),
    }
    return Receivable(**(values | changes))


def read(state: Connection, rows: Iterable[Receivable], read_at: datetime = READ_AT) -> None:
    """Makes these rows what is open."""
    store.begin_reading(state)
    store.add_receivables(state, rows)
    totals: list[OpenTotal] = store.totals_read(state)
    store.keep_reading(state, "netsuite", "test", read_at, totals)
