"""`billing metering …`: the group of the area's commands, also while the area is off."""

import typer


def register(app: typer.Typer) -> None:
    """Adds the group, which the rooms fill."""
    metering = typer.Typer(
        no_args_is_help=True, help="Meter data and market messages: what is in them, and what became of it."
    )
    app.add_typer(metering, name="metering")
