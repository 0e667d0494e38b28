"""`billing differs …`: what NetSuite has under our external ids, but not as it was sent, and what a person decides."""

from datetime import UTC
from typing import Annotated
from uuid import uuid4

import typer
from rich.markup import escape

from billing_assets.erp.documents.documents import Kind
from billing_assets.erp.netsuite import differing, differing_store
from billing_assets.erp.netsuite.differing_store import Decided, Differing
from billing_assets.erp.netsuite.resource import NetSuite
from billing_assets.foundation.commands.console import console
from billing_assets.foundation.commands.machine import prepared_runtime
from billing_assets.foundation.commands.tables import simple_table
from billing_assets.foundation.money import amount

differs = typer.Typer(no_args_is_help=True, help="Documents that NetSuite has, but not as they were sent.")

Number = Annotated[str, typer.Argument(help="The document's number.")]
By = Annotated[str, typer.Option(help="Who decides.")]
Why = Annotated[str, typer.Option(help="Why; it is kept for good.")]
OfKind = Annotated[Kind | None, typer.Option(help="Where an invoice and a credit memo have the same number.")]


def register(app: typer.Typer) -> None:
    """Adds these commands."""
    app.add_typer(differs, name="differs")


@differs.command("list")
def list_command(
    every: Annotated[bool, typer.Option("--all", help="Also what was decided, by whom and why.")] = False,
) -> None:
    """What waits for a decision, and what NetSuite has instead."""
    with prepared_runtime(only_reads=True) as runtime, runtime.state() as connection:
        rows = differing_store.differing(connection)
        decided = differing_store.decisions(connection) if every else []
    _show(rows)
    if every:
        table = simple_table(f"{len(decided):,} decisions", ["Document", "Difference", "Decision", "When (UTC)", "Why"])
        for one in decided:
            when = f"{one.decided_at.astimezone(UTC):%Y-%m-%d %H:%M}"
            by = f"{one.decision} by {escape(one.decided_by)}"
            table.add_row(escape(one.number), escape(one.difference), by, when, escape(one.why))
        console.print(table)


@differs.command("check")
def check_command() -> None:
    """Look all of it up in NetSuite again: what was corrected there is posted. Sends nothing."""
    with prepared_runtime() as runtime, runtime.state() as connection, runtime.of(NetSuite).lanes() as lanes:
        corrected, left = differing.check(
            runtime.database_url,
            connection,
            runtime.of(NetSuite).client,
            lanes,
            runtime.of(NetSuite).mapping,
            runtime.settings,
            f"check-{uuid4()}",
        )
    console.print(f"{corrected:,} no longer differ.")
    _show(left)
    raise typer.Exit(1 if left else 0)


@differs.command("accept")
def accept_command(number: Number, by: By, why: Why, kind: OfKind = None) -> None:
    """Answer for a document as NetSuite has it: it counts as posted. Holds as long as NetSuite has the same."""
    with prepared_runtime() as runtime, runtime.state() as connection:
        one = differing.accept(
            connection, runtime.of(NetSuite).client, runtime.settings, number, by=by, why=why, kind=kind
        )
    _say(one)


@differs.command("credited")
def credited_command(number: Number, by: By, why: Why, kind: OfKind = None) -> None:
    """Say that the transaction was credited in full or voided in NetSuite; refused while something is open on it."""
    with prepared_runtime() as runtime, runtime.state() as connection:
        one = differing.credited(
            connection, runtime.of(NetSuite).client, runtime.settings, number, by=by, why=why, kind=kind
        )
    _say(one)


def _show(rows: list[Differing]) -> None:
    columns = ["Document", "Batch", "Total", "NetSuite", "Difference"]
    table = simple_table(f"{len(rows):,} documents differ in NetSuite", columns, right=(2,))
    for one in rows:
        total = f"{one.currency} {amount(one.total)}"
        there = one.netsuite_id or "not shown"
        table.add_row(f"{_kind(one)} {escape(one.number)}", one.batch, total, there, escape(one.difference))
    console.print(table)


def _kind(one: Differing | Decided) -> str:
    return one.kind.replace("_", " ").capitalize()


def _say(one: Decided) -> None:
    console.print(
        f"{escape(_kind(one))} {escape(one.number)} is posted as NetSuite has it (internal id {one.netsuite_id}): "
        f"{one.decision} by {escape(one.decided_by)}."
    )
