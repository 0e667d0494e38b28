"""`billing held` and `billing waiting`: documents that are kept back, and why."""

from datetime import UTC
from difflib import get_close_matches
from typing import Annotated

import typer
from rich.markup import escape

from billing_assets.erp.documents.rules import RULES
from billing_assets.erp.staging import reports
from billing_assets.foundation.commands.console import console
from billing_assets.foundation.commands.machine import prepared_runtime
from billing_assets.foundation.commands.tables import simple_table, total_cell
from billing_assets.foundation.money import amount
from billing_assets.foundation.settings import SettingsError


def register(app: typer.Typer) -> None:
    """Adds these commands."""
    app.command("held")(held)
    app.command("waiting")(waiting)


def held(code: Annotated[str | None, typer.Option(help="Only documents with this finding.")] = None) -> None:
    """Documents that a rule holds, with every finding."""
    if code is not None and code not in RULES:
        near = ", ".join(get_close_matches(code.upper(), RULES)) or "see docs/reference.md"
        raise SettingsError(f"--code {code}: no rule has this code ({near}).")
    with prepared_runtime(only_reads=True) as runtime, runtime.state() as connection:
        rows = reports.held(connection, code)
    table = simple_table(f"{len(rows):,} held documents", ["Kind", "Number", "Total", "Findings"], right=(2,))
    for row in rows:
        findings = "\n".join(f"{found['code']}: {found['message']}" for found in row["findings"])
        table.add_row(row["kind"], escape(row["number"]), total_cell(row), escape(findings))
    console.print(table)


def waiting() -> None:
    """Credit memos that wait for an invoice, and why it is not in NetSuite."""
    with prepared_runtime(only_reads=True) as runtime, runtime.state() as connection:
        rows = reports.waiting_credits(connection)
    count = len({row["number"] for row in rows})
    columns = ["Credit memo", "Total", "Since", "Waits for", "Why"]
    table = simple_table(f"{count:,} credit memos wait for an invoice", columns, right=(1,))
    for row in rows:
        total = f"{row['currency']} {amount(row['total'])}"
        since = f"{row['since'].astimezone(UTC):%Y-%m-%d %H:%M}"
        table.add_row(escape(row["number"]), total, since, escape(row["invoice"]), escape(row["why"]))
    console.print(table)
