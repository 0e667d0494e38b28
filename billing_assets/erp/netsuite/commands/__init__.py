"""What a person asks and decides about documents in NetSuite: one module for each group of commands."""

import typer

from billing_assets.erp.netsuite.commands import differs, documents, found, voids


def register(app: typer.Typer) -> None:
    """Adds these commands."""
    for one in (documents, found, voids, differs):
        one.register(app)
