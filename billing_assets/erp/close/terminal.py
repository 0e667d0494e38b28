"""Compared months for people at a terminal: sums that add up, and what is not as it should be, with what to do."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from billing_assets.erp.close.balance import Balance
from billing_assets.erp.close.causes import CAUSES, Sort
from billing_assets.erp.close.differences import Difference
from billing_assets.erp.close.reconciliation import MonthClose
from billing_assets.erp.close.sums import NOTHING
from billing_assets.foundation.commands.tables import simple_table
from billing_assets.foundation.money import amount

_NAMED = 20
_NUMBERS = 5

_LINES = {
    "billing": "Billing",
    "moved": "+ moved here",
    "nothing_to_bill": "- nothing to bill",
    "kept_back": "- kept back",
    "decided": "- decided by a person",
    "not_posted": "- not posted",
    "posted": "= posted",
    "netsuite": "NetSuite",
    "differs": "Differs",
}
"""The lines of a balance, from top to bottom."""

_IF_ANY = frozenset({"moved", "nothing_to_bill", "decided"})
"""Lines that are left out where there is nothing of them."""


def show_closes(console: Console, closes: Sequence[MonthClose]) -> None:
    """Prints what billing, we and NetSuite have of each month, by kind and currency, and what to do about the rest."""
    for close in closes:
        for currency, group in groupby(close.balances, key=lambda one: one.currency):
            console.print(balance_table(f"{close.period} {currency}".rstrip(), [*group]))
    for close in closes:
        for line in what_to_do(close):
            console.print(line, markup=False, style="yellow")
        wrong = [one for one in close.differences if one.sort in {Sort.DIFFERS, Sort.DRIFT}]
        for one in wrong[:_NAMED]:
            console.print(f"{close.period} {one.kind} {one.number}: {one.what}", style="red", markup=False)
        if len(wrong) > _NAMED:
            count = close.count(Sort.DIFFERS, Sort.DRIFT) - _NAMED
            console.print(f"{close.period}: {count:,} more differ; the pack names all: `billing close pack`.")


def balance_table(title: str, balances: Sequence[Balance]) -> Table:
    """Documents and totals of one month and currency, a pair of columns for each kind, added up from top to bottom."""
    columns = [title]
    for one in balances:
        columns += ["", escape(one.kind.replace("_", " ").capitalize() + "s") if one.kind else "(no kind)"]
    table = simple_table("Month close: documents and totals", columns, right=range(1, len(columns)))
    for name, label in _LINES.items():
        sums = [getattr(one, name) for one in balances]
        if name in _IF_ANY and all(one == NOTHING for one in sums):
            continue
        cells = [cell for one in sums for cell in (f"{one.documents:,}", amount(one.total))]
        style = "red" if name == "differs" and any(one != NOTHING for one in sums) else None
        table.add_row(label, *cells, style=style)
    return table


def what_to_do(close: MonthClose) -> Iterator[str]:
    """A line for each cause that wants a person or time: how many, which, what it means and what to do."""
    wanted = [cause for cause in CAUSES if CAUSES[cause].sort not in {Sort.EXPLAINED, Sort.DECIDED}]
    for cause in wanted:
        if count := close.count(cause):
            named = _numbers([one for one in close.differences if one.cause == cause], count)
            yield (
                f"{close.period}: {count:,} {cause.lower().replace('_', ' ')}{named}. "
                f"{CAUSES[cause].meaning} {CAUSES[cause].to_do}"
            )


def _numbers(found: Sequence[Difference], count: int) -> str:
    named = [one.number for one in found[:_NUMBERS] if one.number]
    if not named:
        return ""
    return f" ({', '.join(named)}{', …' if count > len(named) else ''})"
