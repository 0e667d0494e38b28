"""`billing held`, `rejected`, `requeue`, `unlock` and `preview`: single documents, and what is done to them."""

from difflib import get_close_matches
from typing import Annotated, Any

import typer
from rich.markup import escape

from billing_assets.erp.batches import reports, unlocking
from billing_assets.erp.batches import store as batches_store
from billing_assets.erp.documents.rules import RULES
from billing_assets.erp.netsuite import reports as netsuite_reports
from billing_assets.erp.netsuite.errors import explain
from billing_assets.erp.netsuite.preview import previews
from billing_assets.erp.netsuite.resource import NetSuite
from billing_assets.erp.settings import absence_counts_after_seconds
from billing_assets.erp.staging import reports as staging_reports
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.money import amount
from billing_assets.foundation.settings import SettingsError
from billing_assets.foundation.texts import visible
from billing_assets.operations.commands.console import console
from billing_assets.operations.commands.prepared import prepared_machine
from billing_assets.operations.status import simple_table

app = typer.Typer()


@app.command()
def held(code: Annotated[str | None, typer.Option(help="Only documents with this finding.")] = None) -> None:
    """Documents that a rule holds, with every finding."""
    if code is not None and code not in RULES:
        near = ", ".join(get_close_matches(code.upper(), RULES)) or "see docs/reference.md"
        raise SettingsError(f"--code {code}: no rule has this code ({near}).")
    with prepared_machine(only_reads=True) as prepared, prepared.runtime.state() as connection:
        rows = staging_reports.held(connection, code)
    table = simple_table(f"{len(rows):,} held documents", ["Kind", "Number", "Total", "Findings"], right=(2,))
    for row in rows:
        findings = "\n".join(f"{found['code']}: {found['message']}" for found in row["findings"])
        table.add_row(row["kind"], escape(row["number"]), _money(row), escape(findings))
    console.print(table)


@app.command()
def rejected() -> None:
    """Documents that NetSuite refused for good, with its words."""
    with prepared_machine(only_reads=True) as prepared, prepared.runtime.state() as connection:
        rows = netsuite_reports.rejected(connection)
    columns = ["Kind", "Number", "Batch", "Total", "What NetSuite said, and what to do"]
    table = simple_table(f"{len(rows):,} rejected documents", columns, right=(3,))
    for row in rows:
        said = " ".join(str(row[name]) for name in ("http_status", "code", "path") if row[name])
        known = explain(row["http_status"], row["code"] or "", row["detail"] or "")
        words = escape(f"{said}: {row['detail'] or ''}" + (f"\n{known.to_do}" if known else ""))
        table.add_row(row["kind"], escape(row["number"]), row["batch"], _money(row), words)
    console.print(table)


@app.command()
def requeue(
    number: Annotated[list[str] | None, typer.Option(help="Only this document; may be given several times.")] = None,
) -> None:
    """Send rejected documents to the backlog again, after their cause was fixed; exits 1 if any of them stays."""
    with prepared_machine() as prepared, prepared.runtime.state() as connection:
        unknown_after = absence_counts_after_seconds(prepared.runtime.settings)
        done = unlocking.requeue_and_explain(connection, number, unknown_after)
    nothing = not (done.documents or done.refused)
    console.print("Nothing is rejected." if nothing else f"{done.documents:,} documents wait for a batch again.")
    for one, why in done.refused.items():
        console.print(f"[red]{escape(one)} {escape(why)}[/red]")
    if done.refused:
        raise typer.Exit(1)


@app.command()
def unlock(
    batch: Annotated[str | None, typer.Option(help="This batch, even if a run holds it.")] = None,
) -> None:
    """Give the documents of stale locks, or of one batch, back to the backlog; exits 1 if the batch had nothing."""
    with prepared_machine() as prepared, prepared.runtime.state() as connection:
        settings = prepared.runtime.settings
        unknown_after = absence_counts_after_seconds(settings)
        if batch is not None:
            raise typer.Exit(0 if _unlock(connection, batch, unknown_after) else 1)
        unlocked = unlocking.unlock_stale(connection, settings.batches.stale_lock_minutes, unknown_after)
    for key, documents in unlocked.items():
        console.print(f"Batch {key}: {documents:,} documents wait for a batch again.")
    console.print(f"{len(unlocked)} batches unlocked." if unlocked else "No lock is stale: 0 batches unlocked.")


def _unlock(connection: Connection, batch: str, unknown_after: float) -> bool:
    """Unlocks one batch and says what came of it; whether there was anything to unlock."""
    was = batches_store.get(connection, batch)
    documents = unlocking.unlock(connection, batch, unknown_after)
    unknown = reports.unknown_in(connection, batch)
    stay = f" {unknown:,} whose outcome is unknown stay with it until they are looked up." if unknown else ""
    if was.locked_until is None and not documents:
        console.print(f"Batch {batch} ({was.state}) has no lock, and nothing in it waits: nothing was unlocked.{stay}")
        return False
    taken = f", taken from run {was.run_id}" if was.locked_until is not None else ""
    console.print(f"Batch {batch}: {documents:,} documents wait for a batch again{taken}.{stay}")
    return True


@app.command()
def preview(number: Annotated[str, typer.Option(help="The document's number.")]) -> None:
    """Print a document's state and the exact request that it would send; sends nothing, exits 1 if it would not go."""
    with prepared_machine(only_reads=True) as prepared, prepared.runtime.state() as connection:
        found = previews(connection, prepared.runtime.of(NetSuite).mapping, number)
    if not found:
        raise SettingsError(f"--number {number}: no such document is staged. Stage first, or check the number.")
    for one in found:
        for line in one.lines():
            print(visible(line))  # without markup
    raise typer.Exit(0 if all(one.goes for one in found) else 1)


def _money(row: dict[str, Any]) -> str:
    return f"{row['currency'] or ''} {amount(row['total'])}" if row["total"] is not None else ""
