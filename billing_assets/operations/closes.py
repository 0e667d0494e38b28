"""Compared months for people at a terminal: documents and totals side by side, and whatever differs."""

from collections.abc import Iterator, Sequence

from rich.console import Console

from billing_assets.close.causes import Sort
from billing_assets.close.reconciliation import MonthClose, Row, Sum, add
from billing_assets.domain.documents import Kind
from billing_assets.domain.money import amount
from billing_assets.operations.status import simple_table

_NAMED = 20


def show_closes(console: Console, closes: Sequence[MonthClose]) -> None:
    """Prints what billing, we and NetSuite have of each month, by kind and currency, and names what differs."""
    columns = ["Month", "Billing", "Kept back", "Posted", "NetSuite", "Differs"]
    table = simple_table("Month close: documents and totals", columns, right=range(1, 6))
    for close in closes:
        for name, rows in _groups(close):
            billing, posted, netsuite = (
                add(getattr(row, side) for row in rows) for side in ("billing", "posted", "netsuite")
            )
            kept = add(one for row in rows for one in (row.held, row.excluded))
            difference = amount(posted.total - netsuite.total)
            cells = (_count_and_total(one) for one in (billing, kept, posted, netsuite))
            table.add_row(name, *cells, difference)
    console.print(table)
    for close in closes:
        wrong = [one for one in close.differences if one.sort in {Sort.DIFFERS, Sort.DRIFT}]
        for one in wrong[:_NAMED]:
            console.print(f"{close.period} {one.kind} {one.number}: {one.what}", style="red", markup=False)
        if close.in_flight.documents:
            documents = f"{close.in_flight.documents:,} documents"
            console.print(f"[yellow]{close.period}: {documents} on their way or rejected[/yellow]")


def _groups(close: MonthClose) -> Iterator[tuple[str, list[Row]]]:
    """Rows by kind and currency: amounts of two currencies are never added up."""
    groups = {(row.currency, row.kind) for row in close.rows}
    for currency, kind in sorted(groups, key=lambda one: (one[0], one[1] != Kind.INVOICE, one[1])):
        rows = [row for row in close.rows if (row.currency, row.kind) == (currency, kind)]
        yield f"{close.period} {currency}\n{kind.replace('_', ' ')}", rows


def _count_and_total(one: Sum) -> str:
    return f"{one.documents:,}\n{amount(one.total)}"
