"""`billing tariffs check`: what is wrong with a tariff, without a database; and the group of the room's commands."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from billing_assets.foundation.commands.console import console
from billing_assets.invoicing.tariffs.files import read_tariff
from billing_assets.invoicing.tariffs.loading import judged
from billing_assets.invoicing.tariffs.showing import show_findings

File = Annotated[Path, typer.Argument(metavar="FILE", help="Tariff: .json (ours, URDB or CDR), .csv or .xlsx.")]
FeedIn = Annotated[
    str | None,
    typer.Option("--feed-in", help="Of a CDR plan: the customer's feed-in tariff (name, scheme or payer)."),
]
Green = Annotated[str | None, typer.Option("--green", help="Of a CDR plan: green power that the customer takes, in %.")]


def register(app: typer.Typer) -> None:
    """Adds the group, which the room's other commands fill."""
    tariffs = typer.Typer(no_args_is_help=True, help="Tariffs: what bills are made by, and who approved it.")
    tariffs.command("check")(check_command)
    app.add_typer(tariffs, name="tariffs")


def check_command(
    file: File,
    feed_in: FeedIn = None,
    green: Green = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Find everything that is wrong with a tariff, at once; nothing is loaded. Exits 1 if there is an error."""
    found = judged(read_tariff(file, scheme=feed_in, green=green))
    if as_json:
        print(
            json.dumps(
                {
                    "file": str(file),
                    "tariff": found.tariff.get("code"),
                    "content_hash": found.content_hash.hex(),
                    "errors": len(found.errors),
                    "findings": list(found.findings),
                }
            )
        )
    else:
        show_findings(found.findings)
        warnings = len(found.findings) - len(found.errors)
        console.print(escape(f"{file}: {len(found.errors):,} errors, {warnings:,} warnings."), soft_wrap=True)
    if found.errors:
        raise typer.Exit(1)
