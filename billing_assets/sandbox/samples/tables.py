"""Lookup tables of the sample's mapping (`config/sample/*.csv`) and what the NetSuite sandbox must know to accept it.

`python -m billing_assets.sandbox.samples.tables` writes the CSVs again from the data set; a test compares them.
"""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.compute as pc
import pyarrow.parquet as pq

from billing_assets.foundation.shipped import shipped
from billing_assets.sandbox.samples.data import DATA

UNMAPPED_BRANCHES = frozenset({"Unspecified", "European Community"})
"""No country, so it is not known whose books they belong to: their documents are held until a person decides."""

CUSTOMERS, ITEMS, BRANCHES = "customers.csv", "items.csv", "branches.csv"
_FIRST_CUSTOMER_ID = 1001  # internal ids need not look like customer numbers or stock codes
_FIRST_ITEM_ID = 101

SUBSIDIARIES = {1: "United Kingdom", 2: "Ireland", 3: "Continental Europe", 4: "Overseas"}
COUNTRIES = {1: "GB", 2: "IE", 3: "NL", 4: "GB"}
"""Of the subsidiaries."""
LOCATIONS = {1: "Warehouse London", 2: "Warehouse Dublin", 3: "Warehouse Rotterdam"}
DEPARTMENTS = {1: "Domestic Sales", 2: "Export Sales"}
CLASSES = {1: "Home Market", 2: "Europe", 3: "Rest of World"}
TERMS = {1: "Net 30"}
CUSTOM_FIELDS = ("custbody_billing_number", "custcol_billing_line")


class Branch(NamedTuple):
    """Internal ids in NetSuite that a branch of the billing system stands for."""

    subsidiary: int
    location: int
    department: int
    class_: int


_HOME = Branch(1, 1, 1, 1)
_IRELAND = Branch(2, 2, 2, 2)
_EUROPE = Branch(3, 3, 2, 2)
_OVERSEAS = Branch(4, 1, 2, 3)

_BRANCHES = {"United Kingdom": _HOME, "Channel Islands": _HOME, "EIRE": _IRELAND} | dict.fromkeys(
    [
        *("Austria", "Belgium", "Cyprus", "Czech Republic", "Denmark", "Finland", "France", "Germany", "Greece"),
        *("Iceland", "Italy", "Lithuania", "Malta", "Netherlands", "Norway", "Poland", "Portugal", "Spain"),
        *("Sweden", "Switzerland"),
    ],
    _EUROPE,
)


def customers() -> list[tuple[str, str]]:
    """Every customer number of the data with the country of its first line, in the order of the numbers."""
    rows = pq.read_table(DATA, columns=["Customer ID", "Country"])
    rows = rows.filter(pc.is_valid(rows["Customer ID"]))
    first = rows.group_by("Customer ID", use_threads=False).aggregate([("Country", "first")])
    return sorted(zip(first["Customer ID"].to_pylist(), first["Country_first"].to_pylist(), strict=True))


def customer_name(number: str) -> str:
    """The name that we give a customer; the data has none."""
    return f"Customer {number}"


def items() -> list[str]:
    """Every stock code once, in capitals and without surrounding blanks: NetSuite's references ignore case."""
    return sorted({code.strip().upper() for code in _distinct("StockCode")})


def branches() -> list[tuple[str, Branch]]:
    """Every country of the data that can be mapped, with what it stands for in NetSuite."""
    countries = sorted(set(_distinct("Country")) - UNMAPPED_BRANCHES)
    return [(country, _BRANCHES.get(country, _OVERSEAS)) for country in countries]


def write_tables(folder: Path) -> None:
    """Write the three lookup tables into `folder`."""
    numbers = [number for number, _ in customers()]
    _write(
        folder / CUSTOMERS, ["customer", "netsuite_id"], zip(numbers, _ids(numbers, _FIRST_CUSTOMER_ID), strict=True)
    )
    codes = items()
    _write(folder / ITEMS, ["stock_code", "netsuite_id"], zip(codes, _ids(codes, _FIRST_ITEM_ID), strict=True))
    _write(
        folder / BRANCHES,
        ["branch", "subsidiary", "location", "department", "class"],
        ((name, *branch) for name, branch in branches()),
    )


def netsuite_references(folder: Path | None = None) -> dict[str, list[dict[str, str]]]:
    """Body for the NetSuite sandbox's `POST /sandbox/references`: every record that the lookup tables point at.

    `folder` holds the tables; default: those that ship with the project.
    """
    folder = folder or shipped("config/sample")
    return {
        "customer": [
            {"id": row["netsuite_id"], "externalId": row["customer"], "name": customer_name(row["customer"])}
            for row in _read(folder / CUSTOMERS)
        ],
        "item": [{"id": row["netsuite_id"], "name": row["stock_code"]} for row in _read(folder / ITEMS)],
        "subsidiary": [one | {"country": COUNTRIES[int(one["id"])]} for one in _named(SUBSIDIARIES)],
        "location": _named(LOCATIONS),
        "department": _named(DEPARTMENTS),
        "classification": _named(CLASSES),
        "term": _named(TERMS),
        "customField": [{"id": name, "name": name} for name in CUSTOM_FIELDS],
    }


def _distinct(column: str) -> list[str]:
    values: list[str] = pc.unique(pq.read_table(DATA, columns=[column])[column]).to_pylist()
    return values


def _ids(keys: Sequence[str], first: int) -> range:
    return range(first, first + len(keys))


def _named(names: dict[int, str]) -> list[dict[str, str]]:
    return [{"id": str(key), "name": name} for key, name in names.items()]


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    write_tables(shipped("config/sample"))
