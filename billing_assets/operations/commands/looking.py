"""`billing status` and `billing doctor`: where everything is, and whether everything answers."""

import json
from typing import Annotated

import typer
from rich.markup import escape

from billing_assets.foundation.commands.console import console
from billing_assets.foundation.commands.machine import prepared_runtime
from billing_assets.operations.doctor import check_up
from billing_assets.operations.environment import prepared_machine
from billing_assets.operations.status import show_status, status


def register(app: typer.Typer) -> None:
    """Adds these commands."""
    app.command("status")(status_command)
    app.command()(doctor)


def status_command(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Where every document, batch and lane stands."""
    with prepared_runtime(only_reads=True) as runtime, runtime.state() as connection:
        found = status(connection, runtime.settings)
    if as_json:
        print(json.dumps(found))
    else:
        show_status(console, runtime.settings, found, "Documents")


def doctor() -> None:
    """Check every connection, the source's columns, the login and the mapping's references, and say what to fix."""
    with prepared_machine(only_reads=True) as prepared:
        well = True
        for checked in check_up(prepared.runtime):
            verdict = "[green]ok  [/]" if checked.proven else "[yellow]part[/]"
            verdict = verdict if checked.well else "[red]FAIL[/]"
            console.print(f"{verdict} {checked.what}: {escape(checked.said)}")
            well = well and checked.well
    raise typer.Exit(0 if well else 1)
