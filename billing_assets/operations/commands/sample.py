"""`billing load-sample`, `load-payments` and `sandbox`: the sample's stand-ins for the outside world."""

import threading
from datetime import date, datetime
from typing import Annotated

import typer

from billing_assets.erp.billing_system.resource import BillingSystem
from billing_assets.erp.netsuite.sample_files import refuse_sample_elsewhere
from billing_assets.foundation.commands.console import console
from billing_assets.foundation.commands.machine import opened_runtime, prepared_runtime
from billing_assets.foundation.settings import is_secret, load_settings, setting_names, variable
from billing_assets.operations import sample
from billing_assets.operations.billing_run import ALL
from billing_assets.operations.commands.period import Period, check_period
from billing_assets.sandbox.kit.switches import parse_switches
from billing_assets.sandbox.samples.loader import load_contracts, load_sample


def register(app: typer.Typer) -> None:
    """Adds these commands."""
    app.command("load-sample")(load_sample_command)
    app.command("load-payments")(load_payments_command)
    app.command()(sandbox)


def load_sample_command(period: Period = ALL) -> None:
    """Load the sample billing system, all at once."""
    check_period(period, use_sample=True)
    with opened_runtime() as found:
        refuse_sample_elsewhere(found.settings, "`billing load-sample`")
        url = sample.sample_source(found) or found.of(BillingSystem).url
        with sample.filling(url):
            result = load_sample(url, period)
            load_contracts(url)
        console.print(f"{result.created:,} documents appeared, {result.closed:,} closed.")


def load_payments_command(
    as_of: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only payments up to this day.")] = None,
) -> None:
    """Load the sample's payments into the NetSuite sandbox, for every invoice that is posted."""
    day = as_of.date() if as_of else date.max
    with (
        prepared_runtime() as runtime,
        sample.reachable_netsuite(runtime.settings.home) as address,
        runtime.state() as connection,
    ):
        loaded = sample.load_payments(connection, address, day)
    console.print(f"{loaded.created:,} payments are new in the sandbox, {loaded.known:,} were there.")


def sandbox(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 takes a free one.")] = 8080,
    switch: Annotated[list[str] | None, typer.Option(help="A switch, name=value as JSON; may be repeated.")] = None,
) -> None:
    """Run the NetSuite sandbox until Ctrl-C and print the settings that point at it."""
    home = load_settings().home.absolute()
    with sample.seeded_sandbox(home / "netsuite_sandbox", port, parse_switches(switch or [])) as running:
        for setting, value in sample.sandbox_settings(running).items():
            shown = (
                f"(see {home / 'netsuite_sandbox' / 'credentials.json'})"
                if is_secret(setting_names()[setting])
                else value
            )
            console.print(f"{variable(setting)}={shown}")
        console.print("Ctrl-C stops it.")
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            console.print("Stopping…")
