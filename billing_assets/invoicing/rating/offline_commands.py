"""`billing rate`: rates cases in files, without a database and without settings."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from billing_assets.foundation.commands.console import console
from billing_assets.foundation.commands.tables import simple_table
from billing_assets.foundation.errors import BillingError
from billing_assets.foundation.money import canonical
from billing_assets.foundation.outside_text import visible
from billing_assets.invoicing.rating.cases import rate_text
from billing_assets.invoicing.rating.explain import explain
from billing_assets.invoicing.rating.findings import Severity
from billing_assets.invoicing.rating.rated import Rated
from billing_assets.invoicing.rating.rated_json import as_bytes

_COLORS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.INFO: "blue"}


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("rate")(rate_cases)


def rate_cases(
    cases: Annotated[list[Path], typer.Argument(metavar="CASE…", help="Rating cases as JSON: docs/tariff-format.md.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line and case.")] = False,
    explained: Annotated[bool, typer.Option("--explain", help="Also how each line was computed.")] = False,
) -> None:
    """Rate one bill a file; needs no database and changes nothing.

    Exits 0 whatever is found, and 2 if a case cannot be read; the others are rated all the same.
    """
    unreadable = False
    for path in cases:
        try:
            rated = rate_text(path.read_bytes())
        except OSError as error:
            print(f"billing: {visible(str(path))}: {error.strerror or error}.", file=sys.stderr)
            unreadable = True
        except BillingError as error:
            print(f"billing: {visible(str(path))}: {visible(str(error))}", file=sys.stderr)
            unreadable = True
        else:
            if as_json:
                sys.stdout.buffer.write(as_bytes(rated))
                sys.stdout.flush()
            else:
                _show(str(path), rated, explained)
    if unreadable:
        raise typer.Exit(2)


def _show(name: str, rated: Rated, explained: bool) -> None:
    if rated.totals is not None:
        rows = simple_table(visible(name), ("Charge", "From", "To", "Quantity", "Unit", "Price", "Amount"), (3, 5, 6))
        for line in rated.lines:
            base = "" if line.price_base == 1 else f" / {canonical(line.price_base)}"
            text = " · ".join(filter(None, (line.bill_text, line.season, line.window)))
            text += f" · block {line.block}" if line.block else ""
            text += " (estimated)" if line.estimated else ""
            amounts = (
                canonical(line.quantity),
                escape(visible(line.unit)),
                f"{line.price:f}{base}",
                f"{line.amount:f}",
            )
            rows.add_row(escape(visible(text)), str(line.begins), str(line.ends), *amounts)
        for tax in rated.taxes:
            rows.add_row(escape(visible(tax.code)), "", "", f"{tax.base:f}", "", f"{tax.rate:f}", f"{tax.amount:f}")
        rows.add_row("Total", "", "", "", "", "", f"{rated.totals.total:f}")
        console.print(rows)
    for one in rated.conditional:
        by = f" by {one.by}" if one.by else ""
        console.print(f"Paid in time{by}: {one.payable:f} ({escape(one.code)} {one.amount:f}, tax {one.tax:f}).")
    if explained:
        for text in explain(rated):
            console.print(escape(visible(text)), soft_wrap=True)
    for found in rated.findings:
        color = _COLORS[found.severity]
        console.print(f"  [{color}]{found.severity.value}[/] {found.code}  {escape(found.sentence)}", soft_wrap=True)
