"""What several commands show of a tariff."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.markup import escape

from billing_assets.foundation.commands.console import console
from billing_assets.foundation.commands.tables import simple_table


def show_charges(tariff: Mapping[str, Any]) -> None:
    """The charges of a tariff with the dates of their versions."""
    table = simple_table("Charges", ["Charge", "Kind", "Bill text", "Valid from", "Valid to"], [])
    for charge in tariff["charges"]:
        for version in charge["versions"]:
            table.add_row(
                escape(charge["code"]),
                charge["kind"],
                escape(charge.get("bill_text", "")),
                version["valid_from"],
                version.get("valid_to") or "open",
            )
    console.print(table)


def show_findings(findings: Sequence[Mapping[str, Any]]) -> None:
    """What was found, a line each."""
    for one in findings:
        style = "red" if one["severity"] == "error" else "yellow"
        where = f"{one['place'] or one['path']}: " if one.get("place") or one.get("path") else ""
        console.print(f"  {one['code']}  {escape(where + one['sentence'])}", style=style, soft_wrap=True)
