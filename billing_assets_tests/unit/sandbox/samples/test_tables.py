"""The lookup tables of the sample's mapping."""

import csv
from pathlib import Path

import pytest

from billing_assets.foundation.shipped import shipped
from billing_assets.sandbox.samples import tables
from billing_assets.sandbox.samples.data import read_sample


def _rows(name: str) -> list[dict[str, str]]:
    with (shipped("config/sample") / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", [tables.CUSTOMERS, tables.ITEMS, tables.BRANCHES])
def test_the_shipped_tables_are_what_the_data_gives(tmp_path: Path, name: str) -> None:
    tables.write_tables(tmp_path)
    assert (tmp_path / name).read_bytes() == (shipped("config/sample") / name).read_bytes()


def test_every_customer_and_every_branch_but_two_is_mapped() -> None:
    documents = read_sample().documents
    assert {row["customer"] for row in _rows("customers.csv")} == {d.customer for d in documents} - {None}
    unmapped = {d.country for d in documents} - {row["branch"] for row in _rows("branches.csv")}
    assert unmapped == {"Unspecified", "European Community"}


def test_every_stock_code_is_mapped_once_without_regard_to_case_and_blanks() -> None:
    """5,305 codes are written in the data; 173 differ only by case and one by a blank."""
    codes = [row["stock_code"] for row in _rows("items.csv")]
    written = set(read_sample().lines["stock_code"].to_pylist())
    assert len(written) == 5_305
    assert len(codes) == len({code.casefold() for code in codes}) == 5_131
    assert {code.strip().casefold() for code in written} == {code.casefold() for code in codes}


def test_netsuites_sandbox_gets_a_record_for_every_id_that_the_tables_name() -> None:
    references = tables.netsuite_references()
    known = {kind: {record["id"] for record in records} for kind, records in references.items()}
    assert {row["netsuite_id"] for row in _rows("customers.csv")} == known["customer"]
    assert {row["netsuite_id"] for row in _rows("items.csv")} == known["item"]
    for column, kind in {"class": "classification"}.items() | {
        (k, k) for k in ("subsidiary", "location", "department")
    }:
        assert {row[column] for row in _rows("branches.csv")} <= known[kind]
    assert references["term"] == [{"id": "1", "name": "Net 30"}]
