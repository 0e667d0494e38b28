"""`billing metering extract`."""

import json
from typing import Annotated

import typer
from rich.markup import escape

from billing_assets.foundation.commands.console import console
from billing_assets.foundation.commands.groups import group
from billing_assets.foundation.commands.machine import prepared_runtime
from billing_assets.metering.extraction import store
from billing_assets.metering.extraction.extracting import Extracted
from billing_assets.metering.extraction.systems import extract_each, opened_systems
from billing_assets.metering.import_engine import reports
from billing_assets.metering.import_engine.extracts.contract import RESOURCES
from billing_assets.metering.importing import import_connection, import_files


def register(app: typer.Typer) -> None:
    """Adds the command to `billing metering`."""
    group(app, "metering").command("extract")(extract_command)


def extract_command(
    resources: Annotated[
        list[str] | None, typer.Argument(help=f"What to read: {', '.join(RESOURCES)}; default: all of the settings.")
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Read from the beginning, as after a change of a query.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a source and resource.")] = False,
) -> None:
    """Extract what is new from the metering database and the API, and read it; safe to repeat.

    Exits 0 where every resource was read, whatever is in it, and 1 where one was not.
    """
    names = frozenset(resources or ())
    if unknown := names - RESOURCES.keys():
        raise typer.BadParameter(f"there is no {', '.join(sorted(unknown))}; use {', '.join(RESOURCES)}")
    with prepared_runtime() as runtime:
        with opened_systems(runtime.settings) as systems, import_connection(runtime.database_url) as connection:
            if not systems:
                raise typer.BadParameter(
                    "neither BILLING_METERING_SOURCE__URL nor BILLING_METERING_API__BASE_URL is set"
                )
            if again:
                for system in systems:
                    for resource in system.resources:
                        if not names or resource.name in names:
                            store.forget(connection, system.source.name, resource.name)
            found = extract_each(connection, systems, names)
        import_files(runtime.database_url, runtime.settings, [])
        with runtime.state() as connection:
            files = [number for one in found.done for number in (*one.files, *one.bad)]
            states = {one.id: one.state for one in reports.files(connection, files)}
            held = {one.file: one.sentence for one in store.held_loads(connection, files)}
    for one in found.done:
        _show(one, states, held, as_json)
    for source, name, error in found.failed:
        if as_json:
            print(json.dumps({"source": source, "resource": name, "error": str(error)}))
        else:
            console.print(f"{source} {name}: {escape(str(error))}", style="red", soft_wrap=True)
    if found.failed:
        raise typer.Exit(1)


def _show(one: Extracted, states: dict[int, str], held: dict[int, str], as_json: bool) -> None:
    files = {number: states[number] for number in (*one.files, *one.bad)}
    waits = [held[number] for number in files if number in held]
    if as_json:
        watermark = one.watermark.isoformat() if one.watermark else None
        said = {"source": one.source, "resource": one.resource, "records": one.records, "new": one.pieces}
        print(json.dumps({**said, "files": files, "held": waits, "watermark": watermark}))
        return
    named = ", ".join(f"file {number} {state}" for number, state in files.items()) or "nothing to store"
    console.print(
        f"{one.source} {one.resource}: {one.records:,} records came, {one.pieces:,} are new or changed; {named}."
    )
    for sentence in waits:
        console.print(f"  held: {escape(sentence)}", style="yellow", soft_wrap=True)
