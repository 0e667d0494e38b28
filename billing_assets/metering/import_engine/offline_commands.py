"""`billing metering read` and `preview`: what is in files, by our readers alone."""

import json
import sys
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from functools import reduce
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from billing_assets.foundation.commands.console import console
from billing_assets.foundation.commands.groups import group
from billing_assets.foundation.commands.tables import simple_table
from billing_assets.foundation.outside_text import visible
from billing_assets.metering.import_engine.csv_mapping import load_mapping
from billing_assets.metering.import_engine.csv_preview import preview_command
from billing_assets.metering.import_engine.formats import read_file
from billing_assets.metering.import_engine.messages import EXACT, FileReport, Message, SetMessage, Verdict
from billing_assets.metering.import_engine.options import DEFAULT

_COLORS = {Verdict.ACCEPT: "green", Verdict.HOLD: "yellow", Verdict.REFUSE: "red"}


def register(app: typer.Typer) -> None:
    """Adds the commands to `billing metering`."""
    metering = group(app, "metering")
    metering.command("read")(read)
    metering.command("preview")(preview_command)


def read(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Files with market messages, zipped or not.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line and file.")] = False,
    mapping: Annotated[str, typer.Option(help="Of CSV exports: name of a column mapping, or path of one (YAML).")] = "",
) -> None:
    """Read and check files of market messages; needs no database and changes nothing.

    Exits 0 whatever is in them, and 2 if one cannot be read from the disk; the others are read all the same.
    """
    unreadable = False
    options = replace(DEFAULT, mapping=load_mapping(mapping)) if mapping else DEFAULT
    for path in files:
        report = FileReport()
        sets: list[dict[str, Any]] = []
        try:
            with path.open("rb") as file:
                sets += _sets(read_file(file, report, options))
        except OSError as error:
            print(f"billing: {visible(str(path))}: {error.strerror or error}.", file=sys.stderr)
            unreadable = True
            continue
        found = as_object(str(path), report, sets)
        if as_json:
            print(json.dumps(found), flush=True)
        else:
            _show(found)
    if unreadable:
        raise typer.Exit(2)


def as_object(name: str, report: FileReport, sets: list[dict[str, Any]]) -> dict[str, Any]:
    """What `--json` prints of a file. Of a refused one nothing counts. `sum`: of all streams, exact, as text."""
    counts = report.worst is not Verdict.REFUSE
    streams = report.streams if counts else {}
    found: dict[str, Any] = {
        "file": name,
        "format": report.format or None,
        "verdict": report.worst.value,
        "codes": list(report.counts),
        "readings": sum(one.readings for one in streams.values()),
        "sum": _text(reduce(EXACT.add, (one.sum for one in streams.values()), Decimal(0))),
        "quality": dict(sorted(report.quality.items())) if counts else {},
        "streams": [
            {
                "point": stream.point,
                "suffix": stream.suffix,
                "serial": stream.serial,
                "unit": stream.unit,
                "length": stream.length_seconds,
                "readings": totals.readings,
                "sum": _text(totals.sum),
                "first": totals.first and totals.first.isoformat(),
                "last": totals.last and totals.last.isoformat(),
            }
            for stream, totals in streams.items()
        ],
        "findings": [{"code": one.code, "line": one.line, "sentence": one.sentence} for one in report.findings],
    }
    if report.format == "X12":
        found |= {"sets": sets, "ack": report.acknowledgement}
    return found


def _sets(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """The transaction sets among the messages; all others are only counted, which the report does."""
    return [
        {
            "type": one.type,
            "control": one.control,
            "verdict": one.verdict.value,
            "codes": one.codes,
            "keys": one.keys,
            "quantities": one.quantities,
            "total": one.total,
        }
        for one in messages
        if isinstance(one, SetMessage)
    ]


def _text(amount: Decimal) -> str:
    return f"{amount:f}"


def _show(found: dict[str, Any]) -> None:
    verdict = Verdict(found["verdict"])
    console.print(
        f"{escape(found['file'])}  {found['format'] or 'unknown format'}: "
        f"[{_COLORS[verdict]}]{verdict.value}[/], {found['readings']:,} readings, sum {found['sum']}",
        soft_wrap=True,
    )
    if found["quality"]:
        console.print("Quality: " + escape(", ".join(f"{name} {n:,}" for name, n in found["quality"].items())))
    if found["streams"]:
        rows = simple_table(
            "Streams", ("Point", "Suffix", "Serial", "Unit", "Seconds", "First", "Last", "Readings", "Sum")
        )
        for one in found["streams"]:
            texts = (one[key] for key in ("point", "suffix", "serial", "unit"))
            days = (one[key] or "" for key in ("first", "last"))
            rows.add_row(
                *map(escape, texts), str(one["length"] or ""), *days, f"{one['readings']:,}", escape(one["sum"])
            )
        console.print(rows)
    if found.get("sets"):
        rows = simple_table(
            "Transaction sets", ("Type", "Control", "Verdict", "Codes", "Keys", "Quantities", "Total"), (6,)
        )
        for one in found["sets"]:
            named = ["\n".join(f"{name} {value}" for name, value in one[key].items()) for key in ("keys", "quantities")]
            cells = (one["type"], one["control"], one["verdict"], " ".join(one["codes"]), *named, one["total"] or "")
            rows.add_row(*map(escape, cells))
        console.print(rows)
    if found.get("ack"):
        console.print(f"Acknowledgement: {found['ack']}")
    for one in found["findings"]:
        console.print(f"  {one['code']}  {escape(one['sentence'])}", soft_wrap=True)
