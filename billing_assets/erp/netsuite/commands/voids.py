"""`billing voids …`: credit memos that wait for somebody to confirm them."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

import typer
from rich.markup import escape

from billing_assets.erp.netsuite.month import transactions_by_ids
from billing_assets.erp.netsuite.resource import NetSuite
from billing_assets.erp.netsuite.validation import validation
from billing_assets.erp.staging.corrections import store, voids
from billing_assets.erp.staging.corrections.store import Correction
from billing_assets.foundation.commands.console import console
from billing_assets.foundation.commands.machine import prepared_runtime
from billing_assets.foundation.commands.tables import simple_table
from billing_assets.foundation.commands.words import said
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.money import amount
from billing_assets.foundation.runtime import Runtime

voids_app = typer.Typer(no_args_is_help=True, help="Invoices that were voided after they had been posted.")

Number = Annotated[str, typer.Argument(help="The invoice's number.")]
By = Annotated[str, typer.Option(help="Who decides: kept with the decision.")]
Why = Annotated[str, typer.Option(help="Why: kept with the decision.")]


def register(app: typer.Typer) -> None:
    """Adds these commands."""
    app.add_typer(voids_app, name="voids")


@voids_app.command("list")
def list_command(
    every: Annotated[bool, typer.Option("--all", help="Also those that were decided.")] = False,
) -> None:
    """Credit memos that are proposed for voided invoices."""
    with prepared_runtime(only_reads=True) as runtime, runtime.state() as connection:
        rows = store.corrections(connection, undecided_only=not every)
        credited = {one.id: store.credited(connection, one.source, one.number) for one in rows}
    if every:
        columns = ["Invoice", "Month", "Decision", "By", "Why", "Credit memo", "Credited already", "Total"]
        title = f"{len(rows):,} credit memos for voided invoices"
    else:
        columns = ["Invoice", "Month", "Branch", "Proposed", "Credited already", "Total"]
        title = f"{len(rows):,} credit memos wait for a decision"
    table = simple_table(title, columns)
    for one in rows:
        made = f"{one.correction} ({one.correction_state})" if one.correction else ""
        decided = (one.decision, one.decided_by or "", one.why or "", made)
        waits = (one.branch or "", f"{one.proposed_at.astimezone(UTC):%Y-%m-%d %H:%M}")
        totals = (f"{one.currency} {amount(total)}" for total in (credited[one.id], one.total))
        table.add_row(*map(escape, (one.number, one.period, *(decided if every else waits))), *totals)
    console.print(table)


@voids_app.command()
def confirm(number: Number, by: By, why: Why) -> None:
    """Make the credit memo that takes a voided invoice back; it is posted like any other. Safe to repeat.

    Refused where the invoice is void in NetSuite, too.
    """
    by, why = said(by, why)
    with prepared_runtime() as runtime, runtime.state() as connection:
        _must_be_in_netsuite(runtime, connection, number)
        one = voids.confirm(
            connection,
            number,
            by=by,
            why=why,
            validation=validation(runtime),
            now=datetime.now(UTC),
            zones=runtime.settings.calendar.zones,
        )
        credited = store.credited(connection, one.source, one.number)
    console.print(
        f"Credit memo {escape(one.correction or '')} over {one.currency} {amount(one.total)} for invoice "
        f"{escape(one.number)}, month {one.correction_period}, is {one.correction_state} "
        f"(confirmed by {escape(one.decided_by or '')})."
    )
    _warn(one, credited)


@voids_app.command()
def decline(number: Number, by: By, why: Why) -> None:
    """Make no credit memo for a voided invoice, e.g. because there is one already."""
    by, why = said(by, why)
    with prepared_runtime() as runtime, runtime.state() as connection:
        one = voids.decline(connection, number, by=by, why=why)
    console.print(f"No credit memo for invoice {escape(one.number)} (declined by {escape(one.decided_by or '')}).")


def _must_be_in_netsuite(runtime: Runtime, connection: Connection, number: str) -> None:
    """Raises NothingProposedError for an invoice that somebody voided or deleted in NetSuite: to credit it would be
    wrong."""
    if (ids := store.not_yet_credited(connection, number)) is None:
        return
    shown = [one for page in transactions_by_ids(runtime.of(NetSuite).client, [ids]) for one in page]
    external_id, netsuite_id = ids
    its = [one for one in shown if (one.external_id or "").upper() == external_id]
    if not its or its[0].voided:
        others = ", ".join(one.external_id or "a transaction without external id" for one in shown)
        by_now = f", which is {others} by now" if others and not its else ""
        raise voids.NothingProposedError(
            f"Invoice {number} is {'voided' if its else 'deleted'} in NetSuite, too (external id {external_id}, "
            f"internal id {netsuite_id}{by_now}): a credit memo would take it back twice. Decline it: `billing voids "
            "decline`."
        )


def _warn(one: Correction, credited: Decimal) -> None:
    if credited:
        console.print(
            f"[yellow]Other credit memos settle {one.currency} {amount(credited)} of this invoice already:[/yellow] "
            "what is not open on it any more stays open on this one. See to it in NetSuite."
        )
