"""What people see of corrections: the nightly asset, and what they are told."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from pydantic import SecretStr

from billing_assets.definitions import build_defs
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import make_settings
from billing_assets.invoicing.corrections.causes import alerts
from billing_assets_tests.rooms.invoicing.corrections.arriving import TOO_LATE, cancelled, replaced
from billing_assets_tests.rooms.invoicing.customers import customers, metered
from billing_assets_tests.rooms.invoicing.invoices.test_invoices import billed

NOW = datetime(2026, 12, 1, tzinfo=UTC)


@pytest.fixture
def numbers(state: Connection, state_url: str, tmp_path: Path) -> tuple[str, ...]:
    """Invoices of two customers."""
    customers(state, tmp_path, 1, 2)
    for number in (1, 2):
        metered(state, number)
    return billed(state, state_url)[1]


def shown(url: str) -> dict[str, Any]:
    """The asset's metadata after a run."""
    runtime = Runtime(make_settings(database_url=SecretStr(url), areas="invoicing"))
    assets = [one for one in build_defs(runtime).assets or () if isinstance(one, dg.AssetsDefinition)]
    (ours,) = (one for one in assets if one.key == dg.AssetKey("invoice_corrections"))
    (event,) = dg.materialize([ours], resources={"billing": runtime}).get_asset_materialization_events()
    return {name: value.value for name, value in event.materialization.metadata.items()}


def told(state: Connection) -> dict[str, str]:
    return {one.cause: one.what_happened for one in alerts(state, make_settings(), NOW)}


def test_a_run_says_what_was_corrected_what_waits_and_what_needs_a_person(
    state: Connection, state_url: str, numbers: tuple[str, ...]
) -> None:
    cancelled(state, 1)
    cancelled(state, 2)
    replaced(state, 2, amount=900)
    found = shown(state_url)
    assert (found["rebilled"], found["waiting"], found["kept_back"]) == (1, 1, 0)
    assert [one.data["number"] for one in found["open_corrections"].records] == [numbers[0]]
    assert told(state) == {}
    replaced(state, 1, amount=90000)
    assert shown(state_url)["kept_back"] == 1
    assert numbers[0] in told(state)["corrections_wait_for_a_person"]


def test_a_cancel_that_went_out_alone_is_told_until_it_is_billed_again(
    state: Connection, state_url: str, numbers: tuple[str, ...]
) -> None:
    cancelled(state, 1, now=TOO_LATE)
    assert shown(state_url)["cancelled"] == 1
    assert numbers[0] in told(state)["cancelled_without_rebill"]
    replaced(state, 1, amount=900, now=TOO_LATE)
    assert shown(state_url)["rebilled"] == 1
    assert told(state) == {}
