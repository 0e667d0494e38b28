"""Doctor is green where all is well, and names what would be rejected or held later, and the nearest right name."""

import re
from pathlib import Path

import pytest

from billing_assets.foundation.shipped import shipped
from billing_assets_tests.rooms.operations.test_cli import Command, heard, machine
from proving.world.builders import insert_document
from proving.world.command import complete
from proving.world.system import System

__all__ = ["machine"]


def mapping(folder: Path, *changes: tuple[str, str]) -> str:
    """A copy of the sample's mapping with texts replaced."""
    text = shipped("config/mapping.yaml").read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / "mapping.yaml"
    path.write_text(text.replace("sample/", f"{shipped('config/sample')}/"), encoding="utf-8")
    return str(path)


def queries(folder: Path, file: str, *changes: tuple[str, str], end: str = "") -> str:
    """A copy of the sample's queries with texts of one file replaced, or something added to its end."""
    for name in ("documents.sql", "lines.sql"):
        text = shipped(f"sql/source/postgresql/{name}").read_text(encoding="utf-8")
        if name == file:
            for old, new in changes:
                assert old in text
                text = text.replace(old, new)
            text = text.rstrip() + end
        (folder / name).write_text(text, encoding="utf-8")
    return str(folder)


BEFORE, AFTER = ["Our database"], ["Dagster's daemon"]
ERP = ["Billing system", "Billing system's rows", "Mapping", "Mapping's columns"]
ERP += ["NetSuite", "References in NetSuite", "Fields in NetSuite"]
RECEIVABLES = ["Receivables", "Reminders"]


@pytest.mark.parametrize(
    ("areas", "looked_at"),
    [
        ("erp,receivables", [*BEFORE, "What it belongs to", "Journal", *ERP, *RECEIVABLES, *AFTER]),
        ("erp", [*BEFORE, "What it belongs to", "Journal", *ERP, *AFTER]),
        ("receivables", [*BEFORE, "Journal", *RECEIVABLES, *AFTER]),
    ],
)
def test_each_area_alone_and_both_together_start_with_a_green_doctor(
    machine: Command, monkeypatch: pytest.MonkeyPatch, system: System, areas: str, looked_at: list[str]
) -> None:
    insert_document(system.source, "500001")
    complete(machine("init", BILLING_AREAS=areas), 0, ["Ready."])
    heard(monkeypatch, machine)
    said = machine("doctor", BILLING_AREAS=areas)
    assert re.findall(r"^ok   (.*?):", said.out, re.MULTILINE) == looked_at, said.words
    complete(said, 0, [])


def test_wrong_currency_id_is_red_with_both_names(machine: Command, tmp_path: Path) -> None:
    path = mapping(tmp_path, ('GBP: {id: "1", minor_digits: 2}', 'EUR: {id: "1", minor_digits: 2}'))
    said = machine("doctor", BILLING_MAPPING=path)
    complete(said, 1, ["FAIL References in NetSuite: currency 'EUR' has id 1, which is 'GBP' in NetSuite"])
    complete(said, 1, ["Nothing is posted while it is so", "ok Mapping's columns", "ok Fields in NetSuite"])


def test_custom_fields_that_netsuite_lacks_are_named_with_the_nearest(machine: Command, tmp_path: Path) -> None:
    """525 of 525 documents were rejected for one."""
    path = mapping(
        tmp_path,
        ("custbody_billing_number:", "custbody_biling_number:"),
        ("custcol_billing_line:", "custcol_line_of_billing:"),
        ("otherRefNum:", "otherRefNumber:"),
    )
    said = machine("doctor", BILLING_MAPPING=path)
    complete(said, 1, ["FAIL Fields in NetSuite", "ok References in NetSuite"])
    for part in (
        "invoice has no field body.custbody_biling_number (did you mean custbody_billing_number?)",
        "invoice has no field line.custcol_line_of_billing",
        "creditMemo has no field body.otherRefNumber (did you mean otherRefNum?)",
    ):
        assert part in said.words


def test_lines_that_netsuite_describes_apart_are_looked_up_there(
    machine: Command, system: System, tmp_path: Path
) -> None:
    system.account.switch(metadata="linked")
    complete(machine("doctor"), 1, ["ok Fields in NetSuite: NetSuite's records have all 26 fields"])
    path = mapping(tmp_path, ("custcol_billing_line:", "custcol_biling_line:"))
    complete(
        machine("doctor", BILLING_MAPPING=path), 1, ["line.custcol_biling_line (did you mean custcol_billing_line?)"]
    )


def test_what_netsuite_does_not_show_is_neither_green_nor_red(machine: Command, system: System) -> None:
    system.account.switch(metadata="refused", suiteql_hidden=["customer"])
    said = machine("doctor")
    complete(said, 1, ["part Fields in NetSuite: Not checked", "Give the role Setup > REST Web Services"])
    complete(said, 1, ["part References in NetSuite", "entity: NetSuite does not show customer", "Lists > Customers"])
    assert said.out.count("FAIL") == 1, "the daemon alone"


def test_tax_types_and_codes_that_netsuite_lacks_are_named(machine: Command, tmp_path: Path) -> None:
    path = mapping(tmp_path)
    tax = "\ntax:\n  type: {constant: '-78', reference: id}\n  code: {constant: '-77', reference: id}\n"
    Path(path).write_text(Path(path).read_text() + tax)
    said = machine("doctor", BILLING_MAPPING=path)
    complete(said, 1, ["1 ids for taxCode (salestaxitem): -77", "1 ids for taxType (taxtype): -78"])


def test_columns_that_are_in_no_query_are_named_with_the_nearest(machine: Command, tmp_path: Path) -> None:
    path = mapping(
        tmp_path,
        ("lookup: customers, by: customer,", "lookup: customers, by: custommer,"),
        ("memo: {column: memo,", "memo: {column: remark,"),
        ("{column: line_no}", "{column: line_number}"),
    )
    said = machine("doctor", BILLING_MAPPING=path)
    complete(said, 1, ["FAIL Mapping's columns", "ok Fields in NetSuite"])
    for part in (
        "body.entity: there is no column 'custommer' in documents.sql (did you mean customer?)",
        "body.memo: there is no column 'remark' in documents.sql",
        "line.custcol_billing_line: there is no column 'line_number' in lines.sql or documents.sql (did you mean",
    ):
        assert part in said.words


def test_a_column_that_the_query_adds_is_one(machine: Command, tmp_path: Path) -> None:
    folder = queries(tmp_path, "documents.sql", ("i.memo,", "i.memo, i.memo AS remark,"))
    path = mapping(tmp_path, ("memo: {column: memo,", "memo: {column: remark,"))
    complete(machine("doctor", BILLING_MAPPING=path, BILLING_SOURCE__QUERIES=folder), 1, ["ok Mapping's columns"])


def test_the_doctor_says_by_what_staging_again_goes_and_a_version_feeds_no_field(
    machine: Command, tmp_path: Path
) -> None:
    complete(machine("doctor"), 1, ["staging again reads what has another digest"])
    folder = queries(tmp_path, "documents.sql", ("i.memo,", "i.memo, 1 AS version,"))
    path = mapping(tmp_path, ("memo: {column: memo,", "memo: {column: version,"))
    said = machine("doctor", BILLING_MAPPING=path, BILLING_SOURCE__QUERIES=folder)
    complete(said, 1, ["staging again reads what has another version", "there is no column 'version' in documents.sql"])


def test_float_amounts_and_text_dates_are_named(machine: Command, system: System, tmp_path: Path) -> None:
    insert_document(system.source, "500001")
    folder = queries(
        tmp_path,
        "documents.sql",
        ("i.total", "i.total::float AS total"),
        ("i.document_date", "i.document_date::text AS document_date"),
    )
    queries_of_lines = (
        (tmp_path / "lines.sql").read_text().replace("l.price AS unit_price", "l.price::real AS unit_price")
    )
    (tmp_path / "lines.sql").write_text(queries_of_lines)
    said = machine("doctor", BILLING_SOURCE__QUERIES=folder)
    complete(said, 1, ["FAIL Billing system's rows", "documents.sql: total is a binary floating point number; CAST it"])
    complete(
        said, 1, ["documents.sql: document_date is a str where a date is expected", "lines.sql: unit_price is a bin"]
    )


def test_types_cannot_be_seen_without_a_row(machine: Command) -> None:
    complete(machine("doctor"), 1, ["part Billing system's rows: documents.sql has no rows yet"])


@pytest.mark.parametrize("end", [";", " ;\n-- the end;\n", ";;\n/* end */ ;"])
def test_what_ends_a_query_does_no_harm(machine: Command, system: System, tmp_path: Path, end: str) -> None:
    insert_document(system.source, "500001")
    folder = queries(tmp_path, "documents.sql", end=end)
    said = machine("doctor", BILLING_SOURCE__QUERIES=folder)
    complete(said, 1, ["ok Billing system:", "ok Billing system's rows", "ok Mapping's columns"])


@pytest.mark.parametrize(
    ("end", "named"),
    [
        ("\nORDER BY i.id;", "documents.sql ends with ORDER BY. Take it out"),
        ("\norder\n by 1 -- newest last", "documents.sql ends with ORDER BY"),
        ("; SELECT 1", "documents.sql has more than one statement"),
    ],
)
def test_a_query_that_cannot_be_wrapped_is_named_with_what_to_do(
    machine: Command, tmp_path: Path, end: str, named: str
) -> None:
    said = machine("doctor", BILLING_SOURCE__QUERIES=queries(tmp_path, "documents.sql", end=end))
    complete(said, 1, ["FAIL Billing system:", named, "ok NetSuite:"])


def test_an_order_within_a_window_is_none_of_the_querys(machine: Command, tmp_path: Path) -> None:
    folder = queries(tmp_path, "lines.sql", ("l.line_no,", "row_number() over (order by l.line_no) AS line_no,"))
    complete(machine("doctor", BILLING_SOURCE__QUERIES=folder), 1, ["ok Billing system:"])
