"""Part of `billing restore …`: what NetSuite has under our names and this database never sent, and what is decided."""

from datetime import UTC
from typing import Annotated

import typer
from rich.markup import escape

from billing_assets.erp.netsuite import found, found_store
from billing_assets.erp.netsuite.found_store import Found
from billing_assets.foundation.commands.console import console
from billing_assets.foundation.commands.groups import group
from billing_assets.foundation.commands.machine import prepared_runtime
from billing_assets.foundation.commands.tables import simple_table
from billing_assets.foundation.money import amount

By = Annotated[str, typer.Option(help="Who decides.")]
Why = Annotated[str, typer.Option(help="Why; it is kept for good.")]
NetSuiteId = Annotated[str, typer.Argument(help="Internal id in NetSuite, as `billing restore transactions` shows it.")]


def register(app: typer.Typer) -> None:
    """Adds these commands to the group `billing restore`."""
    restore = group(app, "restore")
    restore.command("transactions")(transactions)
    restore.command("confirm-transactions")(confirm)
    restore.command("match")(match)
    restore.command("separate")(separate)


def transactions(
    every: Annotated[bool, typer.Option("--all", help="Also those that a person has decided about.")] = False,
) -> None:
    """What NetSuite has under our external ids although this database never sent it. Nothing is sent meanwhile."""
    with prepared_runtime(only_reads=True) as runtime, runtime.state() as connection:
        rows = found_store.found(connection, undecided_only=not every)
    columns = ["External id", "NetSuite", "Dated", "Total", "Our document", "Decision"]
    table = simple_table(f"{len(rows):,} transactions that this database never sent", columns, right=(3,))
    for one in rows:
        table.add_row(
            escape(one.external_id),
            f"{one.netsuite_id} ({one.type})",
            f"{one.tran_date or ''}",
            f"{one.currency or ''} {amount(one.total)}" if one.total is not None else "",
            f"{escape(one.number)}, {one.state}" if one.number else "none has this name",
            _decision(one),
        )
    console.print(table)


def _decision(one: Found) -> str:
    when = f"found {one.found_at.astimezone(UTC):%Y-%m-%d %H:%M}"
    return f"{one.decision} by {escape(one.decided_by or '')}" if one.decision else when


def confirm(by: By, why: Why) -> None:
    """Say that the list is as it should be after a restored backup. Posting goes on: what is there is taken over."""
    with prepared_runtime() as runtime, runtime.state() as connection:
        confirmed = found.confirm(connection, by=by, why=why)
    if not confirmed:
        console.print("There was nothing to confirm.")
        raise typer.Exit(1)
    console.print(f"{confirmed:,} transactions are confirmed. Documents with these names are taken over, not sent.")


def match(
    netsuite_id: NetSuiteId,
    number: Annotated[str, typer.Argument(help="The document's number today.")],
    by: By,
    why: Why,
) -> None:
    """Say which document a transaction is that no document has the name of, e.g. one that was renumbered since."""
    with prepared_runtime() as runtime, runtime.state() as connection:
        found.match(connection, netsuite_id, number, by=by, why=why)
    console.print(f"{escape(number)} is NetSuite's {netsuite_id}: it is taken over after the next staging.")


def separate(netsuite_id: NetSuiteId, by: By, why: Why) -> None:
    """Say that a transaction is none of our documents: what looks like it may be sent."""
    with prepared_runtime() as runtime, runtime.state() as connection:
        found.separate(connection, netsuite_id, by=by, why=why)
    console.print(f"NetSuite's {netsuite_id} is none of our documents. What looked like it goes at the next staging.")
