"""`billing metering extract`, the doctor's lines and the asset: a metering system as people see it."""

import json
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import load_settings, make_settings
from billing_assets.metering.extraction.assets import metering_extracts
from billing_assets.metering.extraction.doctor import examine
from billing_assets_tests.rooms.metering.extraction.metering_system import MeteringSystem, registers
from proving.world.command import Said, call, complete


class Extract:
    """The command of a company that reads a metering system."""

    def __init__(self, capsys: pytest.CaptureFixture[str], url: str, system: MeteringSystem, home: Path) -> None:
        self.capsys = capsys
        self.variables = {
            "BILLING_HOME": str(home),
            "BILLING_DATABASE_URL": url,
            "BILLING_AREAS": "metering",
            "BILLING_METERING_SOURCE__URL": system.url,
            "COLUMNS": "200",
        }

    def __call__(self, *arguments: str, **changes: str) -> Said:
        return call(self.capsys, self.variables | changes, "metering", "extract", *arguments)

    def json(self, *arguments: str, code: int = 0, **changes: str) -> dict[str, dict[str, Any]]:
        """The objects that it prints, by resource."""
        said = self(*arguments, "--json", **changes)
        assert said.code == code, said
        return {one["resource"]: one for one in map(json.loads, said.out.splitlines())}


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], state_url: str, system: MeteringSystem, tmp_path: Path) -> Extract:
    return Extract(capsys, state_url, system, tmp_path / "home")


def test_what_is_new_is_extracted_and_read_and_a_second_time_nothing_is_new(
    command: Extract, state: Connection, system: MeteringSystem
) -> None:
    system.reading(1, 100)
    system.reading(2, 110)
    first = command.json()
    assert {name: one["new"] for name, one in first.items()} == {
        "service_points": 1,
        "devices": 1,
        "tariffs": 0,
        "meter_readings": 2,
        "consumption": 0,
    }
    assert list(first["meter_readings"]["files"].values()) == ["accepted"]
    assert [row[:3] for row in registers(state)] == [(1, 2, 100)]
    assert {one["new"] for one in command.json().values()} == {0}
    assert command.json("meter_readings", "--again")["meter_readings"]["new"] == 2
    complete(command("meter_readings"), 0, ["metering meter_readings: 2 records came, 0 are new or changed"])


def test_master_data_that_contradicts_itself_is_held_and_said(command: Extract, system: MeteringSystem) -> None:
    system.execute("update supplies set supplied_until = '2026-01-01'")
    system.write("supplies", nmi="NMI0000001", account="B", supplied_from="2025-07-01")
    (held,) = command.json("service_points")["service_points"]["held"]
    assert "counts from 2020-01-01 (until 2026-01-01), and again from 2025-07-01" in held


def test_a_resource_whose_query_fails_costs_no_other(command: Extract, system: MeteringSystem) -> None:
    system.execute("drop table tariff_components")
    found = command.json(code=1)
    assert "refused tariffs.sql" in found["tariffs"]["error"]
    assert found["devices"]["new"] == 1
    complete(command(), 1, ["metering tariffs: The metering database refused tariffs.sql"])


def test_a_resource_that_there_is_not_and_no_system_are_refused(command: Extract) -> None:
    complete(command("meters"), 2, ["there is no meters"])
    del command.variables["BILLING_METERING_SOURCE__URL"]
    complete(command(), 2, ["BILLING_METERING_SOURCE__URL"])


def test_an_address_that_is_no_url_is_said_without_its_password(command: Extract) -> None:
    said = command("tariffs", BILLING_METERING_SOURCE__URL="postgresql://reader:s3cret@host:x/db")
    assert said.code == 2
    assert "BILLING_METERING_SOURCE__URL" in said.out + said.error
    assert "s3cret" not in said.out + said.error


def test_the_doctor_looks_at_every_query(
    command: Extract, system: MeteringSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in command.variables.items():
        monkeypatch.setenv(name, value)
    (well,) = examine(Runtime(load_settings()))
    assert well.well
    assert "consumption have every column of the contract" in well.said
    system.execute("alter table tariff_components rename column price to amount")
    (unwell,) = examine(Runtime(load_settings()))
    assert not unwell.well
    assert "tariffs.sql" in unwell.said


def test_the_asset_extracts_and_says_what_came(
    state: Connection, state_url: str, system: MeteringSystem, tmp_path: Path
) -> None:
    settings = make_settings(
        home=tmp_path, database_url=state_url, areas=["metering"], metering_source={"url": system.url}
    )
    result = dg.materialize([metering_extracts], resources={"billing": Runtime(settings)})
    assert result.success
    (made,) = result.asset_materializations_for_node("metering_extracts")
    assert (made.metadata["records"].value, made.metadata["new"].value) == (2, 2)
    (waiting,) = state.execute("select count(*) as n from billing.raw_files where state = 'received'").fetchall()
    assert waiting["n"] == 2
