"""What the areas that are switched on say of where they stand, as data and as tables for a terminal."""

from typing import Any

from rich.console import Console

from billing_assets.areas import brought
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.settings import Settings


def status(connection: Connection, settings: Settings, period: str | None = None) -> dict[str, Any]:
    """One object of what the areas that are on say: of a month, or of all."""
    found: dict[str, Any] = {}
    for part in brought("status_report", settings.areas):
        found |= part.status(connection, settings, period)
    return found


def show_status(console: Console, settings: Settings, found: dict[str, Any], title: str) -> None:
    """Prints it as tables, area by area."""
    for part in brought("status_report", settings.areas):
        part.show(console, found, title)
