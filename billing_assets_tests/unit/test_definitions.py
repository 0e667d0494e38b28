"""The code location as Dagster loads it: everything named, owned and described; schedules and sensors on."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from billing_assets.definitions import build_defs
from billing_assets.erp.billing_system.assets import billing_invoices
from billing_assets.erp.staging.settings import StagingSettings
from billing_assets.foundation.dagster_helpers import failing
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.sections import BatchSettings
from billing_assets.foundation.settings import SettingsError, make_settings
from billing_assets.foundation.shipped import shipped

GROUPS = {
    "billing_invoices": "billing_system",
    "staged_invoices": "staging",
    "locked_batches": "batches",
    "netsuite_invoices": "netsuite",
    "netsuite_account": "netsuite",
    "month_close": "close",
    "open_receivables": "balances",
    "aging": "balances",
    "late_fees": "balances",
    "pending_invoices": "audit",
    "audit_queue": "audit",
    "payment_reminders": "reminders",
}


@pytest.fixture
def defs(tmp_path: Path) -> dg.Definitions:
    return build_defs(Runtime(make_settings(home=tmp_path)))


def specs(defs: dg.Definitions) -> dict[str, dg.AssetSpec]:
    return {spec.key.to_user_string(): spec for spec in defs.resolve_all_asset_specs()}


def test_the_code_location_loads_without_a_database_a_source_or_netsuite(defs: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(defs)


def test_a_process_of_dagster_without_our_databases_address_starts_none_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BILLING_HOME", str(tmp_path / "home"))
    with dg.DagsterInstance.ephemeral() as instance:
        job = build_defs().resolve_job_def("unlock_stale_batches")
        with pytest.raises(dg.Failure, match="BILLING_DATABASE_URL is not set") as caught:
            job.execute_in_process(instance=instance)
    assert isinstance(caught.value.__cause__, SettingsError)
    assert not (tmp_path / "home").exists()


def test_every_asset_has_a_group_kinds_owners_and_a_description(defs: dg.Definitions) -> None:
    found = specs(defs)
    assert {name: spec.group_name for name, spec in found.items()} == GROUPS
    for name, spec in found.items():
        assert spec.kinds or any(tag.startswith("dagster/kind/") for tag in spec.tags), name
        assert spec.owners or "owners" in spec.metadata, name
        assert spec.description, name
        assert len(spec.description) > 60, name


def test_every_asset_check_and_button_explains_its_failure(defs: dg.Definitions) -> None:
    ops = {op.name: op for job in defs.get_repository_def().get_all_jobs() for op in job.graph.iterate_op_defs()}
    assert {"staged_invoices", "unlock_stale_locks", "requeue_rejected"} <= ops.keys()
    functions: dict[str, Any] = {name: getattr(op.compute_fn, "decorated_fn", None) for name, op in ops.items()}
    functions["billing_invoices"] = billing_invoices.observe_fn
    assert {name for name, found in functions.items() if found.__code__.co_filename != failing.__file__} == set()


def test_every_check_job_and_sensor_says_what_it_is_for(defs: dg.Definitions) -> None:
    repository = defs.get_repository_def()
    checks = [spec for node in repository.asset_graph.asset_check_keys for spec in [repository.asset_graph.get(node)]]
    assert {check.key.name for check in checks} == {
        "lines_have_a_header",
        "every_stuck_document_has_a_reason",
        "batch_is_whole",
        "netsuite_agrees_to_the_cent",
        "no_batch_left_behind",
        "billing_equals_netsuite",
        "nothing_unknown",
        "nothing_unposted",
        "no_drift",
        "open_balances_equal_their_source",
        "buckets_add_up_to_receivables",
        "nothing_of_last_month_is_open",
        "reminders_arrive",
        "every_reminder_is_known",
        "every_mail_can_be_written",
    }
    for check in checks:
        assert check.description, check.key
    for sensor in repository.sensor_defs:
        assert sensor.description, sensor.name
    for job in repository.get_all_jobs():
        assert job.description or job.name.startswith("__"), job.name


def test_the_lineage_leads_from_the_billing_system_to_the_close(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    parents = {
        key.to_user_string(): {parent.to_user_string() for parent in graph.get(key).parent_keys}
        for key in graph.get_all_asset_keys()
    }
    assert parents == {
        "billing_invoices": set(),
        "staged_invoices": {"billing_invoices"},
        "locked_batches": {"staged_invoices"},
        "netsuite_invoices": {"locked_batches"},
        "netsuite_account": {"netsuite_invoices"},
        "month_close": {"staged_invoices", "netsuite_account"},
        "open_receivables": {"netsuite_account"},
        "aging": {"open_receivables"},
        "late_fees": {"open_receivables"},
        "pending_invoices": {"staged_invoices"},
        "audit_queue": {"staged_invoices"},
        "payment_reminders": {"open_receivables"},
    }


def test_what_reads_netsuite_is_materialized_before_anything_was_posted(defs: dg.Definitions) -> None:
    """The web UI asks "Are you sure?" where a direct upstream asset was never materialized."""
    graph = defs.resolve_asset_graph()
    for name in ("month_close", "open_receivables", "audit_queue", "pending_invoices"):
        upstream = {one for one in graph.get(dg.AssetKey(name)).parent_keys if graph.get(one).is_materializable}
        assert upstream <= {dg.AssetKey("staged_invoices")}, name


def test_what_guards_the_money_is_blocking(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    blocking = {key.name for key in graph.asset_check_keys if graph.get(key).blocking}
    assert blocking == {
        "every_stuck_document_has_a_reason",
        "batch_is_whole",
        "open_balances_equal_their_source",
        "buckets_add_up_to_receivables",
    }


def test_sensors_and_schedules_run_without_anybody_switching_them_on(defs: dg.Definitions) -> None:
    repository = defs.get_repository_def()
    for sensor in repository.sensor_defs:
        assert sensor.default_status is dg.DefaultSensorStatus.RUNNING, sensor.name
    for schedule in repository.schedule_defs:
        assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING, schedule.name
        assert schedule.execution_timezone == "UTC"


def test_settings_decide_how_often_the_sensors_look(tmp_path: Path) -> None:
    settings = make_settings(
        home=tmp_path,
        staging=StagingSettings(cron="7 7 * * *", detect_seconds=0),
        batches=BatchSettings(sensor_seconds=11),
    )
    defs = build_defs(Runtime(settings))
    assert defs.resolve_schedule_def("stage_several_times_a_day").cron_schedule == "7 7 * * *"
    assert defs.resolve_sensor_def("stage_when_closed").default_status is dg.DefaultSensorStatus.STOPPED
    assert defs.resolve_sensor_def("plan_batches").minimum_interval_seconds == 11


def test_a_backfill_makes_one_run_per_partition(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    for name in ("locked_batches", "netsuite_invoices", "month_close", "pending_invoices", "audit_queue"):
        policy = graph.get(dg.AssetKey(name)).backfill_policy
        assert policy is not None
        assert policy.max_partitions_per_run == 1, name


def test_retries_are_for_crashes_only_and_no_run_holds_its_slot_for_ever() -> None:
    instance = yaml.safe_load(shipped("dagster.yaml").read_text(encoding="utf-8"))
    assert instance["run_retries"]["retry_on_asset_or_op_failure"] is False
    assert instance["run_monitoring"]["enabled"] is True
    assert instance["run_monitoring"]["max_runtime_seconds"] > 0
    assert instance["run_monitoring"]["free_slots_after_run_end_seconds"] > 0
    assert instance["concurrency"]["pools"]["granularity"] == "run"
    assert instance["telemetry"]["enabled"] is False
