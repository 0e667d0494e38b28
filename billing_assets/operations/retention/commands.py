"""`billing retention`: the archive of the log."""

from datetime import datetime
from typing import Annotated

import typer

from billing_assets.foundation.commands.console import console
from billing_assets.foundation.commands.tables import simple_table
from billing_assets.operations.environment import prepared_machine
from billing_assets.operations.retention import store
from billing_assets.operations.retention.archive import archive_documents
from billing_assets.operations.retention.runs import prune
from billing_assets.operations.retention.settings import RetentionSettings


def register(app: typer.Typer) -> None:
    """Adds these commands."""
    app.command()(retention)


def retention(
    detach: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m"], help="Take a month out of the log, to be dumped and dropped.")
    ] = None,
) -> None:
    """Archive the old log and delete old runs now, as the schedule does every night; list what the archive has."""
    with prepared_machine() as prepared, prepared.runtime.state() as connection:
        if detach is not None:
            for name in store.detach(connection, detach.date()):
                console.print(f"{name} is not part of billing.posting_log any more. Dump it and drop it.")
            return
        settings = prepared.runtime.settings.of(RetentionSettings)
        documents = archive_documents(connection, settings)
        pruned = prune(prepared.instance, connection, settings)
        months = store.archived_months(connection)
    console.print(f"The log of {documents:,} documents went to the archive.")
    console.print(f"{pruned.runs:,} runs and {pruned.partitions:,} batches left the web UI.")
    table = simple_table("Archive", ["Posted in", "Megabytes"], right=(1,))
    for one in months:
        table.add_row(f"{one.month:%Y-%m}", f"{one.size / 2**20:,.1f}")
    console.print(table)
