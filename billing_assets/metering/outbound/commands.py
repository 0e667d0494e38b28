"""`billing metering send` and `resend`."""

import json
from typing import Annotated
from uuid import uuid4

import typer
from rich.markup import escape

from billing_assets.foundation.commands.console import console
from billing_assets.foundation.commands.groups import group
from billing_assets.foundation.commands.machine import prepared_runtime
from billing_assets.foundation.commands.options import said
from billing_assets.metering.outbound.delivery import deliver, deliver_each
from billing_assets.metering.outbound.resending import resend
from billing_assets.posting.batch_lease import Patience


def register(app: typer.Typer) -> None:
    """Adds the commands to `billing metering`."""
    metering = group(app, "metering")
    metering.command("send")(send_command)
    metering.command("resend")(resend_command)


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


def resend_command(
    number: Annotated[int, typer.Argument(metavar="ID", help="Number of the interchange, as `status` shows it.")],
    by: Annotated[str, typer.Option(help="Who decides; kept with the decision.")],
    why: Annotated[str, typer.Option(help="Why; kept with the decision.")],
) -> None:
    """Send an interchange to its partner once more, in a file of its own: the same bytes under the same number."""
    by, why = said(by, why)
    with prepared_runtime() as runtime, runtime.state() as connection:
        name = resend(connection, number, by, why)
    console.print(f"{escape(name)} leaves with the next delivery (`billing metering send`).")
