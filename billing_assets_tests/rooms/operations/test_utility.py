"""`billing utility`: a made utility's files from arrival to bills in NetSuite's sandbox, compared with their ledger."""

from decimal import Decimal
from pathlib import Path

import pytest

from billing_assets.erp.bindings import bind_source
from billing_assets.foundation.database.connection import connect
from proving.world.command import call


@pytest.fixture
def variables(state_url: str, tmp_path: Path) -> dict[str, str]:
    return {"BILLING_HOME": str(tmp_path / "home"), "BILLING_DATABASE_URL": state_url, "COLUMNS": "160"}


def test_a_small_utility_is_billed_as_its_ledger_says_again_nothing_is_twice_and_a_cent_off_is_seen(
    capsys: pytest.CaptureFixture[str], variables: dict[str, str], tmp_path: Path
) -> None:
    said = call(capsys, variables, "utility", "--points", "200", "--days-at-once", "14")
    assert "Every file, sum, month and bill is as the ledger says" in said.words, said.words[-3000:]
    assert said.code == 0
    assert "Bills corrected (rebilled): 1" in said.words
    again = call(capsys, variables, "utility", "--points", "200")
    assert again.code == 0
    assert " files: " not in again.out
    with connect(variables["BILLING_DATABASE_URL"]) as connection:
        (row,) = connection.execute("select count(*) as n, count(distinct name) as names from billing.raw_files")
        (posted,) = connection.execute(
            """
            select count(*) as n, count(distinct netsuite_id) as records from billing.staged_invoices
            where state = 'posted' and source = 'invoicing'"""
        )
        bills = connection.execute(
            """
            select issuer, year, count(*) as n, min(sequence) as first, max(sequence) as last
            from billing.utility_invoices where number is not null group by issuer, year"""
        ).fetchall()
    assert row["n"] == row["names"] > 500
    assert [one for one in bills if (one["first"], one["last"]) != (1, one["n"])] == []
    assert {(one["issuer"], one["year"]) for one in bills} >= {("RETAILAU", 2025), ("RETAILTX", 2025)}
    assert sum(one["n"] for one in bills) == posted["n"] == posted["records"] > 300

    ledger = tmp_path / "home" / "utility_world" / "ledger" / "bills.csv"
    first, *rows = ledger.read_text().splitlines()
    billed = next(place for place, row in enumerate(rows) if ",billed," in row)
    *fields, total = rows[billed].split(",")
    rows[billed] = ",".join([*fields, f"{Decimal(total) + Decimal('0.01')}"])
    ledger.write_text("\n".join([first, *rows]) + "\n")
    other = call(capsys, variables, "utility", "--points", "200")
    assert other.code == 1
    assert "1 differences from the ledger" in other.words
    assert fields[0] in other.words
    assert f"{Decimal(total) + Decimal('0.01')}" in other.words


def test_a_system_with_another_billing_system_is_left_alone_before_anything_is_taken_in(
    capsys: pytest.CaptureFixture[str], variables: dict[str, str]
) -> None:
    with connect(variables["BILLING_DATABASE_URL"]) as connection:
        bind_source(connection, "billing", "sqlite of the retail sample", "run")
    said = call(capsys, variables, "utility", "--points", "200")
    assert said.code != 0
    assert "was staged from billing: the utility sample is for a home of its own" in said.words
    assert " files: " not in said.out


def test_a_system_with_files_of_its_own_is_left_alone(
    capsys: pytest.CaptureFixture[str], variables: dict[str, str]
) -> None:
    said = call(capsys, variables | {"BILLING_METERING__FOLDERS": '{"market": {"path": "/tmp/in"}}'}, "utility")
    assert said.code == 2
    assert "not for a system with files of its own" in said.words
