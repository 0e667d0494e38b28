"""`billing requeue` and `billing unlock`: documents go back to the backlog."""

from typing import Annotated

import typer
from rich.markup import escape

from billing_assets.erp.batches import reports, unlocking
from billing_assets.erp.batches import store as batches_store
from billing_assets.erp.settings import absence_counts_after_seconds
from billing_assets.foundation.commands.console import console
from billing_assets.foundation.commands.machine import prepared_runtime
from billing_assets.foundation.database.connection import Connection


def register(app: typer.Typer) -> None:
    """Adds these commands."""
    app.command("requeue")(requeue)
    app.command("unlock")(unlock)


def requeue(
    number: Annotated[list[str] | None, typer.Option(help="Only this document; may be given several times.")] = None,
) -> None:
    """Send rejected documents to the backlog again, after their cause was fixed; exits 1 if any of them stays."""
    with prepared_runtime() as runtime, runtime.state() as connection:
        unknown_after = absence_counts_after_seconds(runtime.settings)
        done = unlocking.requeue_and_explain(connection, number, unknown_after)
    nothing = not (done.documents or done.refused)
    console.print("Nothing is rejected." if nothing else f"{done.documents:,} documents wait for a batch again.")
    for one, why in done.refused.items():
        console.print(f"[red]{escape(one)} {escape(why)}[/red]")
    if done.refused:
        raise typer.Exit(1)


def unlock(
    batch: Annotated[str | None, typer.Option(help="This batch, even if a run holds it.")] = None,
) -> None:
    """Give the documents of stale locks, or of one batch, back to the backlog; exits 1 if the batch had nothing."""
    with prepared_runtime() as runtime, runtime.state() as connection:
        settings = runtime.settings
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
