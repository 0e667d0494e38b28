"""What ships for the sample works with the sandbox, and is refused with any other NetSuite, unedited copies too."""

import shutil
from pathlib import Path

import pytest

from billing_assets.erp.billing_system.resource import BillingSystem
from billing_assets.erp.netsuite.resource import NetSuite
from billing_assets.erp.netsuite.sample_files import OnlyForTheSampleError, on_this_machine
from billing_assets.erp.settings import NetSuiteSettings
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import load_settings, make_settings
from billing_assets.foundation.shipped import shipped
from billing_assets.receivables.balances.late_fee_rules import late_fee_rules
from billing_assets.receivables.balances.settings import ReceivablesSettings
from billing_assets.receivables.reminders.errors import ExampleLadder
from billing_assets.receivables.reminders.materials import load_materials
from billing_assets.receivables.reminders.policy import load_policy
from billing_assets.receivables.settings import ReminderSettings
from billing_assets_tests.rooms.operations.test_cli import Command, machine
from proving.world.builders import insert_document
from proving.world.command import complete
from proving.world.system import System

__all__ = ["machine"]

REAL = "https://1234567.suitetalk.api.netsuite.com"
SANDBOX = "http://127.0.0.1:8080"


def runtime(mapping: Path, base_url: str | None = REAL, late_fees: Path | None = None) -> Runtime:
    netsuite = NetSuiteSettings(account="1234567", base_url=base_url)
    return Runtime(
        make_settings(mapping=mapping, netsuite=netsuite, receivables=ReceivablesSettings(late_fees=late_fees))
    )


@pytest.mark.parametrize("base_url", [None, REAL, "https://127.0.0.1.example.com", "https://127.example.com"])
def test_the_samples_mapping_is_refused_with_any_netsuite_but_one_here(base_url: str | None) -> None:
    with pytest.raises(OnlyForTheSampleError, match=r"sample/customers\.csv.*Copy config/mapping\.yaml"):
        _ = runtime(shipped("config/mapping.yaml"), base_url).of(NetSuite).mapping


@pytest.mark.parametrize("base_url", [SANDBOX, "http://localhost:1", "http://[::1]:8080"])
def test_the_samples_mapping_serves_any_stand_in_on_this_machine(base_url: str) -> None:
    assert on_this_machine(base_url)
    assert runtime(shipped("config/mapping.yaml"), base_url).of(NetSuite).mapping.file.body


def test_a_copy_is_refused_as_long_as_one_table_of_it_was_not_edited(tmp_path: Path) -> None:
    config = shutil.copytree(shipped("config/mapping.yaml").parent, tmp_path / "config")
    for name in ("customers.csv", "items.csv", "branches.csv"):
        with pytest.raises(OnlyForTheSampleError):
            _ = runtime(config / "mapping.yaml").of(NetSuite).mapping
        with (config / "sample" / name).open("a") as table:
            table.write({"branches.csv": "Nowhere,1,1,1,1\n"}.get(name, "ANOTHER,4711\n"))
    assert runtime(config / "mapping.yaml").of(NetSuite).mapping.file.body, "all of it is somebody's own now"


def test_a_copy_that_a_spreadsheet_saved_was_not_edited(tmp_path: Path) -> None:
    config = shutil.copytree(shipped("config/mapping.yaml").parent, tmp_path / "config")
    for table in (config / "sample").glob("*.csv"):
        table.write_text(table.read_text(encoding="utf-8").replace(",", ";"), encoding="utf-8-sig", newline="\r\n")
    with pytest.raises(OnlyForTheSampleError):
        _ = runtime(config / "mapping.yaml").of(NetSuite).mapping


@pytest.mark.parametrize("env", ["qa", "prod"])
def test_no_environment_but_dev_names_a_file_of_the_sample(env: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = shipped(f"config/{env}.yaml").read_text(encoding="utf-8")
    assert "mapping.yaml" not in text
    monkeypatch.setenv("BILLING_ENV", env)
    monkeypatch.setenv("BILLING_NETSUITE__ACCOUNT", "1234567_SB1" if env == "qa" else "1234567")
    settings = load_settings()
    assert (settings.of(ReceivablesSettings).late_fees, settings.of(ReminderSettings).ladder) == (None, None)
    with pytest.raises(OnlyForTheSampleError):
        _ = Runtime(settings).of(NetSuite).mapping


def test_the_samples_late_fees_are_refused_until_they_are_edited(tmp_path: Path) -> None:
    mapping, rules = shipped("config/mapping.yaml"), shipped("config/late_fees.yaml")
    assert late_fee_rules(runtime(mapping, SANDBOX, rules).settings).rules
    copy = tmp_path / "late_fees.yaml"
    copy.write_text("# a comment is no edit\n" + rules.read_text())
    for path in (rules, copy):
        with pytest.raises(OnlyForTheSampleError, match="BILLING_RECEIVABLES__LATE_FEES"):
            _ = late_fee_rules(runtime(mapping, REAL, path).settings)
    copy.write_text(rules.read_text().replace("[USA, Texas]", "[Houston]"))
    assert late_fee_rules(runtime(mapping, REAL, copy).settings).rules


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({}, "the address example.com"),
        ({"receivables@example.com": "money@billing.acme.test"}, "the address billing.acme.test"),
        ({"receivables@example.com": "money@acme.com"}, "the example's IBAN"),
        ({"receivables@example.com": "money@acme.com", "IBAN GB33 BUKB 2020 1555 5555 55": "IBAN DE02 1203"}, None),
    ],
)
def test_letters_never_go_out_with_the_example_ladder(
    system: System, tmp_path: Path, change: dict[str, str], named: str | None
) -> None:
    text = shipped("config/reminders.yaml").read_text(encoding="utf-8")
    for old, new in change.items():
        text = text.replace(old, new)
    path = tmp_path / "reminders.yaml"
    path.write_text(text, encoding="utf-8")
    assert load_policy(path).example == named
    found = system.runtime
    settings = found.settings.of(ReminderSettings).model_copy(update={"ladder": path})
    assert load_materials(
        settings,
        found.of(BillingSystem).engine,
        found.of(BillingSystem).queries,
        found.settings.calendar.zones,
        in_sample=True,
    )
    if named is None:
        assert load_materials(
            settings, found.of(BillingSystem).engine, found.of(BillingSystem).queries, found.settings.calendar.zones
        )
    else:
        with pytest.raises(ExampleLadder, match="BILLING_REMINDERS__LADDER"):
            load_materials(
                settings, found.of(BillingSystem).engine, found.of(BillingSystem).queries, found.settings.calendar.zones
            )


def test_every_command_and_doctor_refuse_the_samples_files_elsewhere(machine: Command, system: System) -> None:
    insert_document(system.source, "500001")
    assert system.stage().success
    elsewhere = {"BILLING_NETSUITE__BASE_URL": "https://127.0.0.1.invalid", "BILLING_NETSUITE__TIMEOUT_SECONDS": "0.3"}
    said = machine("preview", "--number", "500001", **elsewhere)
    complete(said, 2, ["a table of the sample", "BILLING_MAPPING"])
    found = machine(
        "doctor", BILLING_REMINDERS__ENABLED="true", BILLING_REMINDERS__SMTP_URL="smtp://127.0.0.1:9", **elsewhere
    )
    complete(found, 1, ["FAIL Mapping: ", "a table of the sample", "FAIL Reminders: ", "would be asked to pay"])
    complete(found, 1, ["FAIL Receivables: ", "has the rules of the sample", "ok Billing system: "])
    for command in (("run", "--sample"), ("load-sample",)):
        complete(machine(*command, **elsewhere), 2, ["is for the sample", "BILLING_NETSUITE__BASE_URL"])
    assert system.posts() == 0


def test_a_run_stages_and_posts_nothing_with_the_samples_mapping_elsewhere(system: System) -> None:
    insert_document(system.source, "500001")
    assert system.stage().success
    (key,) = system.planned()
    settings = system.runtime.settings
    netsuite = settings.of(NetSuiteSettings).model_copy(update={"base_url": "https://127.0.0.1.invalid"})
    system.settings = settings.model_copy(update={"netsuite": netsuite})
    assert not system.stage().success
    assert not system.post(key).success
    assert system.states() == {"500001": "batched"}
    assert system.posts() == 0
