"""What operations and clerks see of metering in Dagster: real runs over files in a folder."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from pydantic import SecretStr

from billing_assets.definitions import build_defs
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import Settings, make_settings
from billing_assets.metering.import_engine.reports import silent_folders
from billing_assets.metering.import_engine.settings import MeteringSettings
from billing_assets.metering.importing import load_master_data

CORPUS = Path(__file__).parents[2] / "data" / "x12_corpus"


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """An input folder."""
    folder = tmp_path / "in"
    folder.mkdir()
    return folder


@pytest.fixture
def settings(state_url: str, inbox: Path) -> Settings:
    """Metering alone, with the folder."""
    folders = {"market": {"path": str(inbox), "stable_seconds": 0, "silent_after_hours": 72}}
    return make_settings(areas="metering", database_url=SecretStr(state_url), metering={"folders": folders})


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as found:
        yield found


def run(settings: Settings, instance: dg.DagsterInstance, job: str, partition: str | None = None) -> Any:
    """One run of a job; its metadata by asset."""
    definitions = build_defs(Runtime(settings, may_start_server=False))
    result = definitions.resolve_job_def(job).execute_in_process(
        instance=instance, partition_key=partition, raise_on_error=False
    )
    assert result.success, [event.event_specific_data for event in result.all_events if event.is_failure]
    return {
        str(event.asset_key and event.asset_key.to_user_string()): {
            name: value.value for name, value in event.materialization.metadata.items()
        }
        for event in result.get_asset_materialization_events()
    }


def test_a_pair_comes_in_and_waits_only_for_its_service_point(
    settings: Settings, instance: dg.DagsterInstance, inbox: Path, state: Connection, tmp_path: Path
) -> None:
    shutil.copy(CORPUS / "001-example-of-4-1.x12", inbox)
    found = run(settings, instance, "import_market_files")
    assert (found["raw_files"]["files_taken"], found["market_messages"]["files_accepted"]) == (1, 1)
    assert [one.name for one in inbox.iterdir() if one.is_file()] == []
    assert [one.name for one in (inbox / "archive").iterdir()] == ["001-example-of-4-1.x12"]
    assert ready(state) == []
    (tmp_path / "service_points.csv").write_text(
        "point,valid_from,zone\n10032780000000042,2020-01-01,America/Chicago\n", encoding="utf-8"
    )
    load_master_data(state, tmp_path)
    run(settings, instance, "settle_usage")
    assert ready(state) == [("U77001", "1150"), ("I88001", "43.21")]
    judged = run(settings, instance, "validate_readings", "2026-06")
    assert judged["validated_readings"]["periods_held"] == 0


def ready(state: Connection) -> list[tuple[str, str]]:
    """Usage and charges that may be billed: id, and kWh or total."""
    rows = state.execute(
        """
        select id, kwh as amount from billing.billable_usage where is_ready
        union all select id, total from billing.utility_charges where is_ready order by 1 desc"""
    )
    return [(row["id"], f"{row['amount'].normalize():f}") for row in rows]


def test_a_refused_file_and_a_silent_folder_are_seen(
    settings: Settings, instance: dg.DagsterInstance, inbox: Path, state: Connection
) -> None:
    (inbox / "broken.csv").write_bytes(b"100,NEM12,200405011135,MDA1,Ret1\r\n300,20040201\r\n")
    found = run(settings, instance, "import_market_files")
    assert found["market_messages"]["files_refused"] == 1
    assert [one.name for one in (inbox / "error").iterdir()] == ["broken.csv"]
    now = datetime.now(UTC)
    assert silent_folders(state, settings.of(MeteringSettings), now) == []
    assert silent_folders(state, settings.of(MeteringSettings), now + timedelta(hours=80)) == ["market"]


def test_what_is_switched_on_is_seen_and_nothing_else(settings: Settings) -> None:
    keys = {key.to_user_string() for key in build_defs(Runtime(settings)).resolve_asset_graph().get_all_asset_keys()}
    assert keys == {
        "raw_files",
        "market_messages",
        "meter_readings",
        "validated_readings",
        "billable_usage",
        "utility_charges",
        "outbound_interchanges",
        "metering_extracts",
    }
