"""`billing metering preview`: the first day of a CSV export as a column mapping reads it, before anything is loaded."""

import io
import json
import sys
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer
from rich.markup import escape

from billing_assets.foundation.commands.console import console
from billing_assets.foundation.commands.tables import simple_table
from billing_assets.foundation.outside_text import visible
from billing_assets.metering.import_engine.csv_exports import read
from billing_assets.metering.import_engine.csv_mapping import ColumnMapping, load_mapping
from billing_assets.metering.import_engine.messages import FileReport, IntervalBlock
from billing_assets.metering.import_engine.opening import open_content

_LINES = 2_000
_BYTES = 4_000_000


@dataclass(frozen=True, slots=True)
class Preview:
    """The first day that a file has, by its first lines. `cut`: there are more, so findings at the end may be none."""

    blocks: list[IntervalBlock]
    report: FileReport
    cut: bool


def preview(source: BinaryIO, mapping: ColumnMapping, lines: int = _LINES) -> Preview:
    """Reads the first lines of an export, 4 MB at most. The first day is that of its first row."""
    report = FileReport()
    content = open_content(source, report)
    if content is None:
        return Preview([], report, cut=False)
    buffered = io.BufferedReader(content)
    head: list[bytes] = []
    left = _BYTES
    while len(head) < lines and left > 0 and (line := buffered.readline(left)):
        head.append(line)
        left -= len(line)
    some = mapping.model_copy(update={"rows": None})
    messages = list(read(io.BytesIO(b"".join(head)), some, report))
    blocks = [one for one in messages if isinstance(one, IntervalBlock)]
    first = min(blocks, key=lambda block: block.line).day if blocks else None
    return Preview([block for block in blocks if block.day == first], report, cut=bool(buffered.read(1)))


def preview_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A CSV export, zipped or not.")],
    mapping: Annotated[str, typer.Option(help="Name of a column mapping, or path of one (YAML).")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Show the first day of a CSV export as a column mapping reads it; needs no database and changes nothing."""
    found_mapping = load_mapping(mapping)
    try:
        with file.open("rb") as source:
            found = preview(source, found_mapping)
    except OSError as error:
        print(f"billing: {visible(str(file))}: {error.strerror}.", file=sys.stderr)
        raise typer.Exit(2) from None
    rows = list(chain.from_iterable(_rows(block) for block in found.blocks))
    if as_json:
        findings = [{"code": one.code, "line": one.line, "sentence": one.sentence} for one in found.report.findings]
        said = {"file": str(file), "mapping": str(found_mapping), "cut": found.cut, "rows": rows, "findings": findings}
        print(json.dumps(said), flush=True)
        return
    console.print(f"{escape(str(file))}  {escape(found_mapping.title)} ({found_mapping})", soft_wrap=True)
    names = ("Day", "Starts (UTC)", "Ends (UTC)", "Point", "Suffix", "Quality", "Unit", "Quantity", "Cost")
    table = simple_table("The first day", names)
    for row in rows:
        table.add_row(*(escape(row[name]) for name in row))
    console.print(table)
    if found.cut:
        console.print(f"By the first {_LINES:,} lines: what is found at their end may be right in the whole file.")
    for one in found.report.findings:
        console.print(f"  {one.code}  {escape(one.sentence)}", soft_wrap=True)


def _rows(block: IntervalBlock) -> list[dict[str, str]]:
    length = timedelta(seconds=block.stream.length_seconds)
    made = []
    for at, value in enumerate(block.values.tolist()):
        starts = block.start + at * length
        quality = next((run.quality for run in block.runs if run.first <= at + 1 <= run.last), block.quality)
        cost = "" if block.costs is None else _text(int(block.costs[at]), block.cost_decimals, block.currency)
        made.append(
            {
                "day": block.day.isoformat(),
                "starts": f"{starts:%Y-%m-%d %H:%M:%S}",
                "ends": f"{starts + length:%Y-%m-%d %H:%M:%S}",
                "point": block.stream.point,
                "suffix": block.stream.suffix,
                "quality": quality,
                "unit": block.stream.unit,
                "quantity": _text(value, block.decimals),
                "cost": cost,
            }
        )
    return made


def _text(value: Any, decimals: int, unit: str = "") -> str:
    return f"{Decimal(value).scaleb(-decimals):f}{' ' if unit else ''}{unit}"
