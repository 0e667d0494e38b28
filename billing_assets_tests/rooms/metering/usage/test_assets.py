"""Usage and charges in Dagster: what is ready, what waits, and checks that say early what is missing."""

from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import SecretStr

from billing_assets.definitions import build_defs
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import make_settings
from billing_assets.metering.usage import store
from billing_assets_tests.rooms.metering.inboxes import fill, run, source
from billing_assets_tests.rooms.metering.usage.conftest import Arrive
from billing_assets_tests.unit.metering.usage.messages import JULY, charges, usage
from billing_assets_tests.unit.metering.usage.x12 import charges_set, interchange, usage_set


def settle(url: str) -> dg.ExecuteInProcessResult:
    """One run of the job."""
    defs = build_defs(Runtime(make_settings(database_url=SecretStr(url), areas="metering")))
    return defs.resolve_job_def("settle_usage").execute_in_process(instance=dg.DagsterInstance.ephemeral())


def shown(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    (found,) = [one for one in result.get_asset_materialization_events() if one.asset_key == dg.AssetKey(asset)]
    return {name: value.value for name, value in found.materialization.metadata.items()}


def checks(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    return {one.check_name: one.passed for one in result.get_asset_check_evaluations()}


def test_a_run_settles_what_came_and_shows_what_waits(state: Connection, state_url: str, arriving: Arrive) -> None:
    arriving(usage("U1"), charges("I1", names="U1"), usage("U2", period=JULY))
    result = settle(state_url)
    found = shown(result, "billable_usage")
    assert (found["messages_moved"], found["ready"], found["waiting"], found["held"]) == (3, 1, 1, 0)
    assert [row.data["id"] for row in found["oldest_waiting"].records] == ["U2"]
    assert shown(result, "utility_charges")["ready"] == 1
    assert not checks(result)["usage_and_charges_find_each_other"], "U2 has waited for months"


def test_the_checks_pass_where_all_is_paired_and_shown_as_it_is(
    state: Connection, state_url: str, tmp_path: Path
) -> None:
    inbox = fill(tmp_path / "in", {"a.x12": interchange([usage_set("U1"), charges_set("I1", names="U1")])})
    run(state_url, source(inbox))
    assert checks(settle(state_url)) == {"usage_and_charges_find_each_other": True, "every_set_is_settled": True}
    state.execute("update billing.raw_messages set state = 'superseded' where key = 'U1'")
    result = settle(state_url)
    assert not checks(result)["every_set_is_settled"]


def test_a_night_makes_a_credit_due(state: Connection, state_url: str, arriving: Arrive) -> None:
    one, bill = arriving(usage("U1"), charges("I1", names="U1"))
    store.settle_what_waits(state)
    store.note_billed(state, [one.message, bill.message], "INV-1")
    gone, _ = arriving(usage("X1", "01", of="U1", day=9), charges("Y1", "01", of="I1", day=9))
    store.settle(state, [one.point], now=gone.arrived_at)
    (proposed,) = shown(settle(state_url), "billable_usage")["candidates"].records
    assert (proposed.data["kind"], proposed.data["state"]) == ("credit", "due")
