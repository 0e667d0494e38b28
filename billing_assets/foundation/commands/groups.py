"""Groups of commands that several rooms fill."""

import typer


def group(app: typer.Typer, name: str) -> typer.Typer:
    """The group of this name, to add commands to. Raises LookupError where there is none yet."""
    for one in app.registered_groups:
        if one.name == name and one.typer_instance is not None:
            return one.typer_instance
    raise LookupError(f"There is no group {name} yet: what it is for is said where it is made, before.")
