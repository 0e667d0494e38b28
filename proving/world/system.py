"""The whole system without a daemon: Dagster's definitions on a sample billing database, our database and a sandbox."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import dagster as dg
from pydantic import SecretStr

from billing_assets.sandbox.netsuite.process import RunningSandbox
from proving.world.account import Account
from proving.world.world import World

PERIOD = "2010-11"
"""The month of documents that are built with defaults."""


class System(World):
    """Runs jobs and evaluates sensors in this process, as Dagster's daemon does in others."""

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


OTHERS = "TSTDRV7654321"
"""Another company's account."""


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
