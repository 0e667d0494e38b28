"""What billing operations see in Dagster: a request becomes batches, these are validated and drafted."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import SecretStr

from billing_assets.definitions import build_defs
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import make_settings
from billing_assets.invoicing.batches import planning_store
from billing_assets.invoicing.batches.selections import Selection, Wanted
from billing_assets_tests.rooms.invoicing.customers import customers, metered

TODAY = datetime.now(UTC).date()
GROUP = Wanted(Selection.BILL_GROUP, TODAY, ("G1",))


def shown(url: str) -> dict[str, dict[str, Any]]:
    """The metadata of all assets of the group, by asset."""
    runtime = Runtime(make_settings(database_url=SecretStr(url), areas="invoicing"))
    assets = [one for one in build_defs(runtime).assets or () if isinstance(one, dg.AssetsDefinition)]
    ours = [one for one in assets if set(one.group_names_by_key.values()) == {"invoicing"}]
    result = dg.materialize(ours, resources={"billing": runtime})
    return {
        one.materialization.asset_key.to_user_string(): {
            name: value.value for name, value in one.materialization.metadata.items()
        }
        for one in result.get_asset_materialization_events()
    }


def test_an_automated_group_is_drafted_without_a_person_and_a_second_run_changes_nothing(
    state: Connection, state_url: str, tmp_path: Path
) -> None:
    customers(state, tmp_path, 1, 2, automated=True)
    period = TODAY - timedelta(days=29), TODAY
    state.execute("alter table billing.supply_periods disable trigger guard")
    state.execute("update billing.supply_periods set valid_from = %s", [period[0]])
    for number in (1, 2):
        metered(state, number, period=period)
    planning_store.request(state, GROUP)
    found = shown(state_url)
    assert (found["invoice_requests"]["batches"], found["invoice_requests"]["members"]) == (1, 2)
    assert (found["validated_batches"]["members"], found["validated_batches"]["members_held"]) == (2, 0)
    drafted = found["drafted_invoices"]
    assert (drafted["drafted"], drafted["failed"], drafted["approved"]) == (2, 0, 2)
    again = shown(state_url)
    assert (again["invoice_requests"]["batches"], again["drafted_invoices"]["batches"]) == (0, 0)


def test_a_member_with_an_error_is_counted_by_its_code_and_not_invoiced(
    state: Connection, state_url: str, tmp_path: Path
) -> None:
    customers(state, tmp_path, 1, automated=True)
    period = TODAY - timedelta(days=29), TODAY
    metered(state, 1, period=period)
    state.execute(
        "insert into billing.supply_periods (point, account, valid_from) "
        "select point, account, '2020-01-01' from billing.supply_periods"
    )
    state.execute("update billing.supply_periods set replaced_at = now() where valid_from > '2020-01-01'")
    planning_store.request(state, GROUP)
    found = shown(state_url)
    (first, *_) = found["validated_batches"]["open_findings_by_code"].records
    assert first.data == {"code": "PERIOD_GAP", "severity": "error", "members": 1}
    assert found["drafted_invoices"]["batches"] == 0
