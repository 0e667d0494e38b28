"""`billing rejected` and `billing preview`: what NetSuite refused, and what a document would send."""

from typing import Annotated

import typer
from rich.markup import escape

from billing_assets.erp.netsuite import reports
from billing_assets.erp.netsuite.errors import explain
from billing_assets.erp.netsuite.preview import previews
from billing_assets.erp.netsuite.resource import NetSuite
from billing_assets.foundation.commands.console import console
from billing_assets.foundation.commands.machine import prepared_runtime
from billing_assets.foundation.commands.tables import simple_table, total_cell
from billing_assets.foundation.settings import SettingsError
from billing_assets.foundation.texts import visible


def register(app: typer.Typer) -> None:
    """Adds these commands."""
    app.command("rejected")(rejected)
    app.command("preview")(preview)


def rejected() -> None:
    """Documents that NetSuite refused for good, with its words."""
    with prepared_runtime(only_reads=True) as runtime, runtime.state() as connection:
        rows = reports.rejected(connection)
    columns = ["Kind", "Number", "Batch", "Total", "What NetSuite said, and what to do"]
    table = simple_table(f"{len(rows):,} rejected documents", columns, right=(3,))
    for row in rows:
        said = " ".join(str(row[name]) for name in ("http_status", "code", "path") if row[name])
        known = explain(row["http_status"], row["code"] or "", row["detail"] or "")
        words = escape(f"{said}: {row['detail'] or ''}" + (f"\n{known.to_do}" if known else ""))
        table.add_row(row["kind"], escape(row["number"]), row["batch"], total_cell(row), words)
    console.print(table)


def preview(number: Annotated[str, typer.Option(help="The document's number.")]) -> None:
    """Print a document's state and the exact request that it would send; sends nothing, exits 1 if it would not go."""
    with prepared_runtime(only_reads=True) as runtime, runtime.state() as connection:
        found = previews(connection, runtime.of(NetSuite).mapping, number)
    if not found:
        raise SettingsError(f"--number {number}: no such document is staged. Stage first, or check the number.")
    for one in found:
        for line in one.lines():
            print(visible(line))  # without markup
    raise typer.Exit(0 if all(one.goes for one in found) else 1)
