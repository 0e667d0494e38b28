"""The whole system without a daemon: Dagster's definitions on a sample billing database, our database and a sandbox."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import SecretStr

from billing_assets.definitions import build_defs
from billing_assets.erp.billing_system.resource import BillingSystem as Source
from billing_assets.erp.netsuite.proof_store import note_proven
from billing_assets.erp.netsuite.resource import NetSuite
from billing_assets.erp.settings import NetSuiteSettings, SourceSettings
from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.sections import AlertSettings
from billing_assets.foundation.settings import Settings, make_settings
from billing_assets.foundation.shipped import shipped
from billing_assets.sandbox.netsuite.process import RunningSandbox
from proving.world.account import Account
from proving.world.builders import BillingSystem, create_billing_system, open_for_writing, shipped_mapping, states
from proving.world.rig import settings_for

PERIOD = "2010-11"
"""The month of documents that are built with defaults."""


@dataclass
class System:
    """One test's system. `state` and `source` are open connections for looking and for playing the clerk."""

    runtime: Runtime
    state: Connection
    source: BillingSystem
    account: Account
    instance: dg.DagsterInstance
    cursors: dict[str, str | None] = field(default_factory=dict)

    @cached_property
    def defs(self) -> dg.Definitions:
        """The code location on this system's runtime."""
        return build_defs(self.runtime)

    def run(
        self,
        job: str,
        partition: str | None = None,
        *,
        assets: list[str] | None = None,
        tags: Mapping[str, str] | None = None,
        config: Mapping[str, Any] | None = None,
    ) -> dg.ExecuteInProcessResult:
        """One run of a job, of only some of its assets where they are named, with errors kept as events."""
        found = self.defs.resolve_job_def(job)
        return found.execute_in_process(
            instance=self.instance,
            partition_key=partition,
            asset_selection=[dg.AssetKey(name) for name in assets] if assets else None,
            tags=dict(tags or {}),
            run_config=config,
            raise_on_error=False,
        )

    def stage(self) -> dg.ExecuteInProcessResult:
        """One staging."""
        return self.run("stage_invoices")

    def post(self, partition: str, *, assets: list[str] | None = None, by_sensor: bool = False) -> Any:
        """One run of a batch, as a person starts it or as the sensor does."""
        tags = {"billing/asked_by": "plan_batches"} if by_sensor else {}
        return self.run("post_batch", partition, assets=assets, tags=tags)

    def look(self, sensor: str) -> dg.SensorResult | dg.RunRequest | dg.SkipReason:
        """One evaluation of a sensor, with what the daemon does about partitions and the cursor."""
        context = dg.build_sensor_context(
            instance=self.instance,
            cursor=self.cursors.get(sensor),
            resources={"billing": self.runtime},
            sensor_name=sensor,
        )
        found: Any = self.defs.resolve_sensor_def(sensor)(context)
        self.cursors[sensor] = context.cursor
        if isinstance(found, dg.SensorResult):
            for request in found.dynamic_partitions_requests or []:
                self.instance.add_dynamic_partitions(request.partitions_def_name, list(request.partition_keys))
        assert isinstance(found, dg.SensorResult | dg.RunRequest | dg.SkipReason)
        return found

    def planned(self) -> list[str]:
        """Partition keys for which the planner's sensor asks for runs now."""
        found = self.look("plan_batches")
        requests_ = found.run_requests or [] if isinstance(found, dg.SensorResult) else []
        return [str(one.partition_key) for one in requests_]

    def posts(self) -> int:
        """How many documents the sandbox was asked to create since it was emptied."""
        return int(self.account.admin("summary")["posts"]["received"])

    def states(self) -> dict[str, str]:
        """State by number of everything staged."""
        return states(self.state)

    def refuse(self, *external_ids: str, detail: str = "Invalid value for the resource or sub-resource") -> None:
        """NetSuite refuses these documents from now on; without any, none."""
        rule = {
            "fault": "refuse",
            "external_ids": list(external_ids),
            "code": "INVALID_CONTENT",
            "detail": detail,
            "path": "entity",
        }
        self.account.switch(faults=[rule] if external_ids else [])

    def change_in_netsuite(self, record: str, body: Mapping[str, Any]) -> None:
        """Somebody edits a transaction in NetSuite by hand, e.g. `invoice/eid:INV-1`."""
        url = f"{self.account.base_url}/services/rest/record/v1/{record}?replace=item"
        answer = self.account.session.patch(url, json=body, timeout=30)
        assert answer.status_code == 204, answer.text

    def delete_in_netsuite(self, record: str) -> None:
        """Somebody deletes a transaction in NetSuite."""
        answer = self.account.session.delete(f"{self.account.base_url}/services/rest/record/v1/{record}", timeout=30)
        assert answer.status_code == 204, answer.text

    def void_in_netsuite(self, external_id: str) -> None:
        """Somebody voids a transaction in NetSuite."""
        assert self.account.void("invoice", f"eid:{external_id}").ok


@contextmanager
def open_system(
    state_url: str,
    source_url: str,
    sandbox: RunningSandbox,
    account: Account,
    home: Path,
    alerts: AlertSettings | None = None,
    **netsuite: Any,
) -> Iterator[System]:
    """A system on an empty billing database and an emptied sandbox; `netsuite` are settings of that section."""
    account.fresh()
    create_billing_system(source_url)
    base = settings_for(sandbox, **netsuite)
    settings = make_settings(
        home=home,
        database_url=state_url,
        source=SourceSettings(url=source_url),
        netsuite=base.of(NetSuiteSettings),
        batches=base.batches,
        alerts=alerts or AlertSettings(),
        mapping=shipped("config/mapping.yaml"),
    )
    runtime = Runtime(settings)
    try:
        with (
            connect(state_url) as state,
            open_for_writing(source_url) as source,
            dg.DagsterInstance.ephemeral() as instance,
        ):
            note_proven(state, sandbox.base_url, shipped_mapping().digest, {})  # asking takes half a second
            yield System(runtime, state, source, account, instance)
    finally:
        runtime.of(Source).close()
        runtime.of(NetSuite).client.close()


OTHERS = "TSTDRV7654321"
"""Another company's account."""


def pointed(system: System, **changes: Any) -> System:
    """The same system as another machine sees it, on which something is set otherwise; `netsuite` is a section."""
    settings = system.runtime.settings
    netsuite = settings.of(NetSuiteSettings).model_copy(update=changes.pop("netsuite", {}))
    changed: Settings = settings.model_copy(update={"netsuite": netsuite, **changes})
    return System(Runtime(changed), system.state, system.source, system.account, system.instance)


def at(sandbox: RunningSandbox, account: str = OTHERS) -> dict[str, Any]:
    """The settings of a sandbox, as that of an account."""
    found = sandbox.credentials
    return {
        "account": account,
        "base_url": sandbox.base_url,
        "client_id": SecretStr(found.client_id),
        "certificate_id": found.certificate_id,
        "private_key_file": found.private_key_file,
    }


@contextmanager
def losing_answers(system: System, *external_ids: str) -> Iterator[None]:
    """In this block NetSuite commits these documents without an answer, and shows nothing that is new to queries."""
    faults = [{"fault": "commit_then_drop", "external_ids": [*external_ids]}]
    system.account.switch(suiteql_lag_seconds=3600, faults=faults)
    try:
        yield
    finally:
        system.account.switch(suiteql_lag_seconds=0, faults=[])


def why(result: dg.ExecuteInProcessResult) -> str:
    """What a run failed of."""
    return " ".join(str(event) for event in result.all_events if event.is_failure)


def metadata(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    """The values of an asset's materialization in a run, by name."""
    (found,) = result.asset_materializations_for_node(asset)
    assert isinstance(found, dg.AssetMaterialization)
    return {name: value.value for name, value in found.metadata.items()}


def rows(value: Any) -> list[dict[str, Any]]:
    """The rows of a table in metadata."""
    return [dict(record.data) for record in value]


def checks(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    """What the asset checks of a run said, by name."""
    return {one.check_name: one.passed for one in result.get_asset_check_evaluations()}


def exact(value: str) -> Decimal:
    """An exact total of metadata."""
    assert isinstance(value, str)
    return Decimal(value)


def failure(result: dg.ExecuteInProcessResult, step: str) -> Any:
    """How a step of a run failed."""
    for event in result.get_step_failure_events():
        if event.step_key == step:
            return event.step_failure_data
    raise AssertionError(f"{step} did not fail: {[event.event_type_value for event in result.all_events]}")


def unknown_transaction(account: Account, external_id: str) -> None:
    """Somebody creates an invoice over 10.00 in NetSuite by hand, under a number that looks like ours."""
    body = {
        "externalId": external_id,
        "entity": {"id": "1001"},
        "subsidiary": {"id": "1"},
        "tranDate": "2010-11-20",
        "item": {"items": [{"item": {"id": "101"}, "quantity": 1, "rate": 10}]},
    }
    answer = account.create(body)
    assert answer.status_code == 204, answer.text
