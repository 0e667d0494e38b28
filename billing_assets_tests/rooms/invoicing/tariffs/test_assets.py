"""What a tariff analyst sees in Dagster: versions and what waits for approval, and how far prices are there."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest
from pydantic import SecretStr

from billing_assets.definitions import build_defs
from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import make_settings
from billing_assets.invoicing.tariffs import store
from billing_assets_tests.rooms.invoicing.tariffs.test_store import load, prices


@pytest.fixture
def state(state_url: str) -> Iterator[Connection]:
    with connect(state_url) as connection:
        yield connection


def shown(url: str) -> dict[str, dict[str, Any]]:
    """The metadata of all assets of the group, by asset."""
    runtime = Runtime(make_settings(database_url=SecretStr(url), areas="invoicing"))
    assets = [one for one in build_defs(runtime).assets or () if isinstance(one, dg.AssetsDefinition)]
    ours = [one for one in assets if set(one.group_names_by_key.values()) == {"rating"}]
    result = dg.materialize(ours, resources={"billing": runtime})
    return {
        one.materialization.asset_key.to_user_string(): {
            name: value.value for name, value in one.materialization.metadata.items()
        }
        for one in result.get_asset_materialization_events()
    }


def test_what_waits_for_approval_and_what_is_billed_by_is_shown(state: Connection, state_url: str) -> None:
    load(state)
    store.approve(state, "FLAT", 1, "Ben", "ok")
    load(state, "0.2")
    found = shown(state_url)["tariffs"]
    assert {name: found[name] for name in ("tariffs", "versions_draft", "versions_approved", "oldest_draft_days")} == {
        "tariffs": 1,
        "versions_draft": 1,
        "versions_approved": 1,
        "oldest_draft_days": 0,
    }
    assert found["tariffs_without_an_approved_version"] == 0
    (waiting,) = found["waiting_for_approval"].records
    assert (waiting.data["tariff"], waiting.data["number"], waiting.data["maker"]) == ("FLAT", 2, "Mara")
    versions = [(one.data["version"], one.data["state"], one.data["used"]) for one in found["versions"].records]
    assert versions == [(1, "approved", True), (2, "draft", False)]


def test_how_far_prices_are_there_and_what_is_missing_is_shown(state: Connection, state_url: str) -> None:
    prices(state, "1", None, "3")
    found = shown(state_url)
    assert found["price_series"]["values_missing"] == 1
    (spot,) = found["price_series"]["series_by_name"].records
    assert (spot.data["name"], spot.data["version"], spot.data["values"]) == ("SPOT", 1, 2)
    assert found["profiles"]["series"] == 0


def test_an_area_without_tariffs_shows_zeros(state_url: str) -> None:
    found = shown(state_url)
    assert (found["tariffs"]["tariffs"], found["tariffs"]["versions_draft"]) == (0, 0)
    assert "oldest_draft_days" not in found["tariffs"]
