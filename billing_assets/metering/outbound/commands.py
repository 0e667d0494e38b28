"""`billing metering send`."""

import json
from typing import Annotated
from uuid import uuid4

import typer
from rich.markup import escape

from billing_assets.foundation.commands.console import console
from billing_assets.foundation.commands.groups import group
from billing_assets.foundation.commands.machine import prepared_runtime
from billing_assets.metering.outbound.delivery import deliver, deliver_each
from billing_assets.posting.batch_lease import Patience


def register(app: typer.Typer) -> None:
    """Adds the command to `billing metering`."""
    group(app, "metering").command("send")(send_command)


def send_command(
    batch: Annotated[
        str | None, typer.Argument(help="One batch, by its name; default: everything that is due.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a batch.")] = False,
) -> None:
    """Deliver interchanges to the folders of their partners; safe to repeat, nothing is sent twice.

    Exits 0 once everything that was tried is there and read back by its hash, and 1 while something is not.
    """
    run_id = f"billing metering send {uuid4()}"
    with prepared_runtime() as runtime, runtime.state() as connection:
        url, settings, patience = runtime.database_url, runtime.settings, Patience.UNTIL_RENEWED
        if batch is None:
            results = list(deliver_each(url, connection, settings, run_id, patience))
        else:
            results = [deliver(url, connection, settings, batch, run_id, patience)]
    for one in results:
        left = None if one.is_done else one.what_is_left()
        if as_json:
            print(json.dumps({"batch": one.batch, "files": len(one.files), "sent": one.sent, "left": left}))
        elif left is None:
            console.print(f"{escape(one.batch)}: {len(one.files)} files are there; {one.sent} were sent now.")
        else:
            console.print(f"[red]{escape(one.batch)}: {escape(left)}[/red]", soft_wrap=True)
    if not results and not as_json:
        console.print("Nothing is due.")
    if any(not one.is_done for one in results):
        raise typer.Exit(1)
