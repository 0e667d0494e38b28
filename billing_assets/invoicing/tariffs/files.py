"""Files that a tariff comes in: our own JSON, a rate of URDB, a CDR plan, or a sheet (CSV, Excel)."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from billing_assets.invoicing.rating.importers.cdr import from_cdr
from billing_assets.invoicing.rating.importers.foreign import ImportRefusedError, TextOnly, read_json
from billing_assets.invoicing.rating.importers.urdb import from_urdb
from billing_assets.invoicing.tariffs.sheets import ENDINGS, TariffFileError, read_sheet
from billing_assets.invoicing.tariffs.store import FileOf

_LARGEST_FILE = 64 * 2**20


class TariffFile(NamedTuple):
    """A tariff as a file has it, in our JSON and not checked yet.

    `text_only`: what a foreign file says in words; `rows`: the row of a sheet in which each part begins, by its path.
    """

    tariff: dict[str, Any]
    file: FileOf
    text_only: tuple[TextOnly, ...] = ()
    rows: Mapping[str, int] = {}

    def place(self, path: str) -> str:
        """Where a path is, for a person: the row of a sheet, else the path."""
        while path and path not in self.rows:
            path = path[: max(path.rfind("."), 0)] if not path.endswith("]") else path[: path.rfind("[")]
        return f"row {self.rows[path]}" if path else ""


def read_tariff(path: Path, *, scheme: str | None = None, green: str | None = None) -> TariffFile:
    """The tariff of a file, by its ending and what is in it.

    `scheme`, `green`: the customer's feed-in tariff and share of green power, for a CDR plan that has several. Raises
    TariffFileError, ImportRefusedError, SheetError, OSError.
    """
    ending = path.suffix.lower()
    if ending in ENDINGS:
        found = read_sheet(path)
        return TariffFile(found.tariff, _file(path, ending[1:], path.read_bytes()), rows=found.rows)
    if ending != ".json":
        raise TariffFileError(f"{path}: the file's name must end in .json, .csv or .xlsx.")
    if path.stat().st_size > _LARGEST_FILE:
        raise TariffFileError(f"{path} has more than {_LARGEST_FILE // 2**20} MB: it is no tariff.")
    content = path.read_bytes()
    try:
        return _of_json(path, content, scheme, green)
    except ImportRefusedError as error:
        raise TariffFileError(f"{path}: {error}") from error


def _of_json(path: Path, content: bytes, scheme: str | None, green: str | None) -> TariffFile:
    data = read_json(content)
    if not isinstance(data, dict):
        raise TariffFileError(f"{path}: a tariff is an object with names and values.")
    if "items" in data and isinstance(data["items"], list) and len(data["items"]) == 1:  # an answer of OpenEI
        (data,) = data["items"]
    if "charges" in data:
        return TariffFile(data, _file(path, "json", content))
    if "planId" in data or "data" in data:
        imported = from_cdr(data, scheme=scheme, green=green)
        return TariffFile(imported.tariff, _file(path, "cdr", content), imported.text_only)
    if any(name.endswith(("structure", "schedule")) or name.startswith("fixed") for name in data):
        imported = from_urdb(data)
        return TariffFile(imported.tariff, _file(path, "urdb", content), imported.text_only)
    raise TariffFileError(
        f"{path} is neither a tariff of ours (it has no `charges`) nor a rate of URDB nor a CDR plan."
    )


def _file(path: Path, kind: str, content: bytes) -> FileOf:
    return FileOf(path.name, kind, hashlib.sha256(content).digest())
