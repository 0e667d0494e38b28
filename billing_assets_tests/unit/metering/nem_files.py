"""NEM12 and NEM13 files for tests: those of the market, with what is expected of them, and made ones."""

import csv
import io
import os
from collections.abc import Iterator
from pathlib import Path

from billing_assets.metering.import_engine.formats import read_file
from billing_assets.metering.import_engine.messages import FileReport, Message
from billing_assets.metering.import_engine.options import DEFAULT, ReadOptions

FOLDER = Path(__file__).parents[2] / "data" / "nem-mdff"
_SHARED = os.environ.get("BILLING_TEST_SHARED_DATA")

HEADER = "100,NEM12,200405011135,MDA1,Ret1"
STREAM = "200,VABD000163,E1B1,1,E1,N1,METSER123,kWh,30,"
TAIL = "A,,,20050316014209,20050316014209"


def path_of(name: str) -> Path | None:
    """A file of `expected.csv`; None for one that may not be shipped and is not at hand."""
    shipped = FOLDER / name
    if not name.startswith("reference-only/"):
        return shipped
    return Path(_SHARED, "nem-mdff", name) if _SHARED else None


def expected() -> list[dict[str, str]]:
    """The rows of `expected.csv`."""
    return list(_rows("expected.csv"))


def expected_streams(name: str) -> set[tuple[str, ...]]:
    """Of a file: NMI, suffix, serial, unit, minutes, readings, sum, first and last day of each stream."""
    return {tuple(row.values())[1:] for row in _rows("expected-streams.csv") if row["file"] == name}


def accepted() -> list[str]:
    """The shipped files that are accepted."""
    return [row["file"] for row in expected() if row["verdict"] == "accept" and path_of(row["file"])]


def read(data: bytes, options: ReadOptions = DEFAULT) -> tuple[list[Message], FileReport]:
    """What is in a file."""
    report = FileReport()
    return list(read_file(io.BytesIO(data), report, options)), report


def day(date: str = "20050315", values: str | None = None, tail: str = TAIL, count: int = 48) -> str:
    """A 300 record."""
    return f"300,{date},{values or ','.join(f'{n % 10}.{n:03}' for n in range(count))},{tail}"


def nem12(*records: str) -> bytes:
    """A NEM12 file of these records between header and end."""
    return "".join(f"{one}\r\n" for one in (HEADER, *records, "900")).encode()


def nem13(*records: str) -> bytes:
    """A NEM13 file of these records between header and end."""
    return nem12(*records).replace(b"NEM12", b"NEM13", 1)


def _rows(name: str) -> Iterator[dict[str, str]]:
    with (FOLDER / name).open(newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file)
