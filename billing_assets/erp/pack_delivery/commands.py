"""`billing close deliver`."""

from datetime import datetime
from typing import Annotated
from uuid import uuid4

import typer
from rich.markup import escape

from billing_assets.erp.pack_delivery.delivery import deliver
from billing_assets.erp.pack_delivery.settings import PackDeliverySettings
from billing_assets.file_exchange.delivery import sftp_place
from billing_assets.foundation.commands.console import console
from billing_assets.foundation.commands.groups import group
from billing_assets.foundation.commands.machine import prepared_runtime
from billing_assets.foundation.periods import month_of
from billing_assets.posting.batch_lease import Patience


def register(app: typer.Typer) -> None:
    """Adds the command to `billing close`."""
    group(app, "close").command("deliver")(deliver_command)


def deliver_command(
    month: Annotated[datetime, typer.Argument(formats=["%Y-%m"], help="The billing month, YYYY-MM.")],
) -> None:
    """Deliver the pack of a month closed for good to the SFTP folder; safe to repeat, nothing is sent twice.

    Exits 0 once both files are there and read back by their hash, and 1 while one is not.
    """
    with prepared_runtime() as runtime, runtime.state() as connection:
        settings = runtime.settings
        # What is wrong there is said before anything is done.
        sftp_place(settings.of(PackDeliverySettings), PackDeliverySettings.section)
        run_id = f"billing close deliver {uuid4()}"
        url = runtime.database_url
        result = deliver(url, connection, settings, month_of(month), run_id, Patience.UNTIL_RENEWED)
    for one in result.files:
        where = one.where if one.is_done and one.where else f"{one.name}: not delivered"
        console.print(f"{escape(where)}  {one.size:,} bytes  SHA-256 {one.sha256}", soft_wrap=True)
    if result.is_done:
        console.print(f"The pack of {result.batch} is delivered; {result.sent} files were sent now.")
        return
    console.print(escape(result.what_is_left()), style="red", soft_wrap=True)
    raise typer.Exit(1)
