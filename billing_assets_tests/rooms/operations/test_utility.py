"""`billing utility`: a made utility's files from arrival to what may be billed, compared with their ledger."""

from pathlib import Path

import pytest

from billing_assets.foundation.database.connection import connect
from proving.world.command import call


@pytest.fixture
def variables(state_url: str, tmp_path: Path) -> dict[str, str]:
    return {"BILLING_HOME": str(tmp_path / "home"), "BILLING_DATABASE_URL": state_url, "COLUMNS": "160"}


def test_a_small_utility_comes_out_as_its_ledger_says_and_again_takes_nothing_twice(
    capsys: pytest.CaptureFixture[str], variables: dict[str, str]
) -> None:
    said = call(capsys, variables, "utility", "--points", "200", "--days-at-once", "14")
    assert "Every file, sum and month is as the ledger says" in said.words, said.words[-3000:]
    assert said.code == 0
    again = call(capsys, variables, "utility", "--points", "200")
    assert again.code == 0
    assert " files: " not in again.out
    with connect(variables["BILLING_DATABASE_URL"]) as connection:
        (row,) = connection.execute("select count(*) as n, count(distinct name) as names from billing.raw_files")
    assert row["n"] == row["names"] > 500


def test_a_system_with_files_of_its_own_is_left_alone(
    capsys: pytest.CaptureFixture[str], variables: dict[str, str]
) -> None:
    said = call(capsys, variables | {"BILLING_METERING__FOLDERS": '{"market": {"path": "/tmp/in"}}'}, "utility")
    assert said.code == 2
    assert "not for a system with files of its own" in said.words
