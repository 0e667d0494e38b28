"""`billing invoicing explain`: what is on a bill, and why."""

from typing import Annotated

import typer
from rich.markup import escape

from billing_assets.foundation.commands.console import console
from billing_assets.foundation.commands.machine import prepared_runtime
from billing_assets.foundation.outside_text import visible
from billing_assets.invoicing.invoices.engine import rate_case
from billing_assets.invoicing.invoices.explaining import Explained, explained
from billing_assets.invoicing.printing import AsJson, show_json

Name = Annotated[str, typer.Argument(metavar="INVOICE", help="Number of the invoice, or id of a draft.")]


def register(invoicing: typer.Typer) -> None:
    """Adds the commands."""
    invoicing.command("explain")(explain_command)


def explain_command(invoice: Name, as_json: AsJson = False) -> None:
    """Explain a bill line by line, as a pocket calculator checks it, and rate it again by the versions it names.

    Exits 1 where that does not give the same bytes as what is stored.
    """
    with prepared_runtime(only_reads=True) as runtime, runtime.state() as connection:
        found = explained(connection, invoice, rate_case)
    if as_json:
        _as_json(found)
    else:
        _show(found)
    if found.differences:
        raise typer.Exit(1)


def _as_json(found: Explained) -> None:
    bill = found.document
    show_json(
        {
            "invoice": bill.id,
            "number": bill.number,
            "kind": bill.kind,
            "state": bill.state,
            "account": bill.account,
            "period_start": bill.period_start,
            "period_end": bill.period_end,
            "tariff": bill.tariff,
            "tariff_version": bill.tariff_version,
            "currency": bill.currency,
            "net": bill.net,
            "tax": bill.tax,
            "total": bill.total,
            "sentences": found.sentences,
            "compared_with": found.again,
            "same_bytes": not found.differences,
            "differences": found.differences,
        }
    )


def _show(found: Explained) -> None:
    bill = found.document
    name = bill.number or f"Draft {bill.id}"
    text = f"{name}, {bill.state}, account {bill.account}, {bill.period_start} to {bill.period_end}, {bill.tariff}"
    console.print(escape(visible(text)), soft_wrap=True)
    for one in found.sentences:
        console.print(f"  {escape(visible(one))}", soft_wrap=True)
    sums = f"Lines {bill.net:f} + taxes {bill.tax:f} = {bill.total:f} {bill.currency}."
    console.print(escape(sums), soft_wrap=True)
    if not found.differences:
        console.print(f"The same bytes come out of {escape(found.again)}.", soft_wrap=True)
        return
    console.print(f"[red]Something else comes out of {escape(found.again)}:[/]", soft_wrap=True)
    for one in found.differences:
        console.print(f"  {escape(visible(one))}", soft_wrap=True)
