"""The commands of no room: the running system, the sample, and looking at the whole."""

import typer

from billing_assets.operations.commands import looking, restore, sample, system, utility


def register(app: typer.Typer) -> None:
    """Adds these commands."""
    for one in (system, looking, sample, utility, restore):
        one.register(app)
