"""A count of the files that knows nothing of the code that wrote them, and no more of the formats than it needs."""

import csv
import io
import zipfile
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

Row = dict[str, str]
RANK = {"A": 4, "F": 3, "S": 2, "E": 1, "V": 0}


class Block(NamedTuple):
    """A day of a stream, or a register read, as it is in a file."""

    file: str
    point: str
    suffix: str
    unit: str
    length: int
    when: str  # the day; of a read its end
    values: list[Decimal]
    quality: str
    qualities: Counter[str]
    updated: str


class Set(NamedTuple):
    """An 867 or 810. `names`: what it cancels or replaces; `quantity`: its summary in kWh; `total` in cents."""

    file: str
    type: str
    id: str
    purpose: str
    names: str
    usage: str
    point: str
    begin: str
    end: str
    quantity: Decimal
    total: int
    sound: bool
    segments: list[list[str]]


def rows(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def ledger(folder: Path, name: str) -> list[Row]:
    return rows(folder / "ledger" / f"{name}.csv")


def path_of(folder: Path, row: Row) -> Path:
    return folder / "arrivals" / row["day"] / row["folder"] / row["name"]


def content_of(path: Path) -> bytes:
    stored = path.read_bytes()
    if not stored.startswith(b"PK"):
        return stored
    with zipfile.ZipFile(io.BytesIO(stored)) as archive:
        return archive.read(archive.namelist()[0])


def blocks(folder: Path, row: Row) -> Iterator[Block]:
    """The blocks of a NEM file."""
    found: list[Block] = []
    details: list[str] = []
    for line in content_of(path_of(folder, row)).decode().split("\r\n"):
        fields = line.split(",")
        if fields[0] == "200":
            details = fields
        elif fields[0] == "300":
            length = int(details[8])
            values = [Decimal(value) for value in fields[2 : 2 + 1440 // length]]
            quality, updated = fields[2 + len(values)], fields[5 + len(values)]
            each = Counter({quality: len(values)}) if quality != "V" else Counter()
            found.append(
                Block(
                    row["name"], details[1], details[4], details[7], length, fields[1], values, quality, each, updated
                )
            )
        elif fields[0] == "400":
            found[-1].qualities[fields[3]] += int(fields[2]) - int(fields[1]) + 1
        elif fields[0] == "250":
            found.append(
                Block(
                    row["name"], fields[1], fields[4], fields[19], 0, fields[14], [Decimal(fields[18])], fields[15],
                    Counter({fields[15]: 1}), fields[21],
                )
            )  # fmt: skip
    yield from found


def sets(folder: Path, row: Row) -> Iterator[Set]:
    """The sets of an interchange."""
    text = path_of(folder, row).read_bytes().decode()
    separator, terminator = text[3], text[105]
    segments = [segment.strip("\r\n").split(separator) for segment in text.split(terminator)]
    start = 0
    for number, segment in enumerate(segments):
        if segment[0] == "ST":
            start = number
        elif segment[0] == "SE":
            yield _set(row["name"], segments[start : number + 1])


def _set(file: str, segments: list[list[str]]) -> Set:
    first, head = segments[0], segments[1]
    dates = [segment[2] for segment in segments if segment[0] == "DTM" and segment[1] in {"150", "151"}]
    point = next(segment[3] for segment in segments if segment[:2] == ["REF", "Q5"])
    sound = int(segments[-1][1]) == len(segments)
    if first[1] == "867":
        loop = next(n for n, segment in enumerate(segments) if segment[0] == "PTD" and segment[1] in {"SU", "BC", "IA"})
        quantity = next(segment[2] for segment in segments[loop:] if segment[0] == "QTY")
        names = head[9] if len(head) > 9 else ""
        return Set(
            file,
            "867",
            head[2],
            head[1],
            names,
            head[2],
            point,
            dates[0],
            dates[1],
            Decimal(quantity),
            0,
            sound,
            segments,
        )
    total = next(int(segment[1]) for segment in segments if segment[0] == "TDS")
    names = next((segment[2] for segment in segments if segment[:2] == ["REF", "OI"]), "")
    return Set(
        file, "810", head[2], head[8], names, head[5], point, dates[0], dates[1], Decimal(0), total, sound, segments
    )


def best(versions: list[Block]) -> dict[str, Block]:
    """Of each day the version of the highest rank, then the newest; of two with one time the first."""
    found: dict[str, Block] = {}
    for block in versions:
        known = found.get(block.when)
        if known is None or (RANK[block.quality[0]], block.updated) > (RANK[known.quality[0]], known.updated):
            found[block.when] = block
    return found
