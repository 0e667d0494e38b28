"""Files come in by Dagster: a sensor that sees them, assets that show what became of them, a check of their sums."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test
from pydantic import SecretStr

from billing_assets.definitions import build_defs
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import make_settings
from billing_assets.metering.import_engine.settings import InputFolder, MeteringSettings
from billing_assets_tests.rooms.metering.blocks import supply
from billing_assets_tests.rooms.metering.inboxes import fill, there
from billing_assets_tests.rooms.metering.market_files import nem12

POINTS = ("4001000001", "4001000002")


class Market:
    """The area on a database of the test's own, with one input folder."""

    def __init__(self, url: str, folder: Path, stable_seconds: float = 0) -> None:
        metering = MeteringSettings(folders={"market": InputFolder(path=folder, stable_seconds=stable_seconds)})
        settings = make_settings(database_url=SecretStr(url), areas="metering", metering=metering)
        self.runtime = Runtime(settings)
        self.defs = build_defs(self.runtime)
        self.instance = dg.DagsterInstance.ephemeral()

    def look(self) -> Any:
        """One evaluation of the sensor."""
        sensor = self.defs.resolve_sensor_def("watch_input_folders")
        return sensor(dg.build_sensor_context(instance=self.instance, resources={"billing": self.runtime}))

    def run(self) -> dg.ExecuteInProcessResult:
        """One run of the job."""
        job = self.defs.resolve_job_def("import_market_files")
        return job.execute_in_process(instance=self.instance, raise_on_error=False)


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """An input folder."""
    return fill(tmp_path / "in", {})


def shown(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    """The metadata of an asset."""
    (found,) = [one for one in result.get_asset_materialization_events() if one.asset_key == dg.AssetKey(asset)]
    return {name: value.value for name, value in found.materialization.metadata.items()}


def sums_match(result: dg.ExecuteInProcessResult) -> dg.AssetCheckEvaluation:
    """Whether the sums of files are those of their messages."""
    found = result.get_asset_check_evaluations()
    return next(one for one in found if one.check_name == "files_are_in_their_messages")


def test_a_complete_file_asks_for_a_run_that_shows_what_became_of_it(
    state: Connection, state_url: str, inbox: Path
) -> None:
    supply(state, POINTS[0])
    market = Market(state_url, inbox)
    assert isinstance(market.look(), dg.SkipReason)
    fill(inbox, {"a.csv": nem12(*POINTS, days=2), "b.csv": nem12(*POINTS)[:-5]})
    asked = market.look()
    assert isinstance(asked, dg.SensorResult)
    assert len(asked.run_requests or []) == 1
    result = market.run()
    assert result.success
    assert shown(result, "raw_files")["files_taken"] == 2
    assert set(there(inbox)) == {"archive", "error"}
    read = shown(result, "market_messages")
    assert (read["files_accepted"], read["files_refused"], read["files_moved"]) == (1, 1, 2)
    rows = {row.data["file"]: row.data for row in read["files"].records}
    assert rows["a.csv"]["messages"] == "2 held NO_SERVICE_POINT, 2 ready"
    assert "R-NO-900" in str(rows["b.csv"]["codes"])
    assert sums_match(result).passed
    assert isinstance(market.look(), dg.SkipReason)
    supply(state, POINTS[1])
    assert shown(market.run(), "meter_readings")["messages_freed"] == 2


def test_a_file_that_may_be_growing_asks_for_nothing_until_two_looks_agree(state_url: str, inbox: Path) -> None:
    market = Market(state_url, fill(inbox, {"a.csv": nem12()[:-30]}), stable_seconds=0.001)
    assert isinstance(market.look(), dg.SkipReason)
    fill(inbox, {"a.csv": nem12()})
    assert isinstance(market.look(), dg.SkipReason)
    assert isinstance(market.look(), dg.SensorResult)


def test_a_run_whose_machine_died_does_not_keep_other_files_waiting(
    state: Connection, state_url: str, inbox: Path
) -> None:
    market = Market(state_url, fill(inbox, {"a.csv": nem12()}))
    dead = create_run_for_test(
        market.instance, job_name="import_market_files", status=dg.DagsterRunStatus.STARTED
    ).run_id
    state.execute("insert into billing.runs_at_work (run_id) values (%s)", [dead])
    for _ in range(2):
        assert isinstance(market.look(), dg.SkipReason), "it may have lost the database for a moment"
    state.execute("update billing.runs_at_work set missed_since = missed_since - interval '1 hour'")
    assert isinstance(market.look(), dg.SensorResult)
    ended = market.instance.get_run_by_id(dead)
    assert ended is not None
    assert ended.status == dg.DagsterRunStatus.FAILURE


def test_a_sum_that_is_not_that_of_the_file_is_red(state: Connection, state_url: str, inbox: Path) -> None:
    market = Market(state_url, fill(inbox, {"a.csv": nem12(*POINTS)}))
    assert market.run().success
    state.execute("insert into billing.raw_streams select * from billing.raw_streams")
    check = sums_match(market.run())
    assert not check.passed
    (row,) = check.metadata["differences"].value.records  # type: ignore[union-attr]
    assert row.data["name"] == "a.csv"


def test_a_folder_that_cannot_be_looked_at_is_red_and_says_why(state_url: str, inbox: Path) -> None:
    inbox.rmdir()
    (event,) = Market(state_url, inbox).run().get_step_failure_events()
    assert "there is no such folder" in str(event.step_failure_data.user_failure_data)
