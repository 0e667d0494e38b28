"""`billing invoicing back-cast`: bills rated again by newer prices and profiles."""

from typing import Annotated

import typer

from billing_assets.foundation.commands.console import console
from billing_assets.foundation.commands.machine import prepared_runtime
from billing_assets.invoicing.back_casting import store
from billing_assets.invoicing.back_casting.casting import back_cast
from billing_assets.invoicing.back_casting.settings import BackCastSettings
from billing_assets.invoicing.invoices.engine import rate_case
from billing_assets.invoicing.printing import AsJson, day_of, objects, show, show_json


def register(invoicing: typer.Typer) -> None:
    """Adds the command."""
    invoicing.command("back-cast")(back_cast_command)


def back_cast_command(
    to_rebill: Annotated[
        bool, typer.Option("--to-rebill", help="Only show the bills that are to be cancelled and made again.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Rate issued bills again by newer prices and profiles. Safe to repeat. Exits 1 where one cannot be."""
    with prepared_runtime(only_reads=to_rebill) as runtime, runtime.state() as connection:
        if to_rebill:
            waiting = store.to_rebill(connection)
        else:
            settings = runtime.settings
            today = day_of(None, settings.calendar)
            done = back_cast(connection, rate_case, today, settings.of(BackCastSettings))
    if to_rebill:
        columns = {"number": "Invoice", "account": "Account", "change": "Change", "since": "Since"}
        show(waiting, as_json, "To cancel and bill again", columns)
        return
    if as_json:
        show_json({"done": objects(done.done), "failed": objects(done.failed)})
    else:
        columns = {"number": "Invoice", "account": "Account", "currency": "Currency", "change": "Change"}
        show(done.done, as_json, "Rated again", columns | {"outcome": "Outcome"})
        for one in done.failed:
            console.print(f"  {one.number}  {one.sentence}", markup=False, soft_wrap=True)
    if done.failed:
        raise typer.Exit(1)
