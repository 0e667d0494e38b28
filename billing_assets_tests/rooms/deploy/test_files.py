"""The example files of `deploy/`: they say what the project's own dagster.yaml says, and name what exists."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from sqlalchemy import make_url

from billing_assets.foundation.database.connection import storage_url
from billing_assets.foundation.settings import is_secret, load_settings, setting_names, variable
from billing_assets.foundation.shipped import shipped
from proving.celery.machines import DEPLOY, Machine
from proving.world.command import environment
from proving.world.waiting import PATIENCE_SECONDS

UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
EXAMPLES = [DEPLOY / "billing.env.example", DEPLOY / "secrets.env.example"]


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def assignments(path: Path) -> dict[str, str]:
    return dict(re.findall(r"^([A-Z_]+)=(.*)$", path.read_text(encoding="utf-8"), re.MULTILINE))


def test_celerys_dagster_yaml_is_ours_but_for_what_celery_needs() -> None:
    ours, celerys = read(shipped("dagster.yaml")), read(DEPLOY / "dagster.yaml")
    assert celerys.pop("run_launcher")["class"] == "CeleryRunLauncher"
    assert celerys.pop("compute_logs")["class"] == "NoOpComputeLogManager"
    assert celerys["run_monitoring"].pop("cancel_timeout_seconds") < 60
    assert celerys == ours


def test_dagster_takes_celerys_dagster_yaml(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", database.replace("+psycopg", "+psycopg2"))
    for name in ("BROKER", "BACKEND"):
        monkeypatch.setenv(f"DAGSTER_CELERY_{name}_URL", "redis://127.0.0.1:1/0")
    (tmp_path / "dagster.yaml").write_bytes((DEPLOY / "dagster.yaml").read_bytes())
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert type(instance.run_launcher).__name__ == "CeleryRunLauncher"
        assert type(instance.compute_log_manager).__name__ == "NoOpComputeLogManager"
        assert type(instance.run_coordinator).__name__ == "QueuedRunCoordinator"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_environment_example_names_only_settings_that_exist(path: Path) -> None:
    known = {variable(name) for name in setting_names()}
    assert {name for name in assignments(path) if name.startswith("BILLING_")} <= known


def test_dagsters_database_url_of_the_examples_says_which_isolation_it_needs() -> None:
    """As `billing init` writes it for one machine."""
    (ours,) = re.findall(r"-c default_\S+? \S+", str(make_url(storage_url("postgresql://x/y")).query["options"]))
    assert make_url(assignments(EXAMPLES[1])["DAGSTER_POSTGRES_URL"]).query["options"] == ours
    assert read(DEPLOY.parent / "kubernetes" / "values.yaml")["postgresql"]["postgresqlParams"]["options"] == ours


def test_secrets_stand_in_the_secret_file_only() -> None:
    secret = {variable(name) for name, field in setting_names().items() if is_secret(field)}
    assert not secret & assignments(EXAMPLES[0]).keys()
    assert all("CHANGE-ME" in value for value in assignments(EXAMPLES[1]).values())


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_starts_a_program_that_the_installation_has(path: Path, tmp_path: Path) -> None:
    command, _ = Machine(tmp_path, {}, 4266).service(path.stem)
    assert Path(command[0]).is_file()
    assert not [word for word in command if "%i" in word or "/opt/billing" in word]


def test_a_worker_without_our_databases_address_refuses_to_start(tmp_path: Path) -> None:
    variables = {
        "BILLING_HOME": str(tmp_path / "home"),
        "DAGSTER_CELERY_BROKER_URL": "redis://127.0.0.1:1/0",
        "DAGSTER_CELERY_BACKEND_URL": "redis://127.0.0.1:1/0",
        "PYTHONPATH": str(DEPLOY),
    }
    started = subprocess.run(
        [sys.executable, "-m", "celery", "-A", "dagster_celery.app", "worker", "--concurrency", "1"],
        env=environment(variables),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    assert started.returncode != 0
    assert "BILLING_DATABASE_URL is not set" in started.stdout + started.stderr
    assert not (tmp_path / "home").exists()


def test_the_example_environment_is_a_valid_set_of_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for path in EXAMPLES:
        for name, value in assignments(path).items():
            if name not in ("BILLING_CONFIG",):
                monkeypatch.setenv(name, value)
    settings = load_settings()
    assert not settings.embedded
