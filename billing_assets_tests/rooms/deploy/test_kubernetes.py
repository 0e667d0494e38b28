"""The Kubernetes examples, as far as they can be looked at without a cluster."""

import copy
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster_k8s.container_context import K8sContainerContext
from dagster_k8s.job import DagsterK8sJobConfig, construct_dagster_k8s_job
from dagster_k8s.models import k8s_snake_case_dict
from kubernetes.client import ApiClient, models
from sqlalchemy import make_url

from billing_assets.foundation.settings import is_secret, setting_names, variable
from billing_assets.foundation.shipped import shipped
from billing_assets_tests.rooms.deploy import strict

DEPLOY = Path(__file__).resolve().parents[3] / "deploy" / "kubernetes"
VALUES: dict[str, Any] = yaml.safe_load((DEPLOY / "values.yaml").read_text(encoding="utf-8"))
CODE = VALUES["dagster-user-deployments"]["deployments"][0]
LAUNCHER = VALUES["runLauncher"]["config"]["k8sRunLauncher"]


def manifests(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((DEPLOY / name).read_text(encoding="utf-8")))


def pod_spec(manifest: dict[str, Any]) -> dict[str, Any]:
    """Of a Job or a CronJob."""
    found: dict[str, Any] = manifest["spec"].get("jobTemplate", manifest)["spec"]["template"]["spec"]
    return found


def container(manifest: dict[str, Any]) -> dict[str, Any]:
    (found,) = pod_spec(manifest)["containers"]
    return dict(found)


def instance_config() -> dict[str, Any]:
    """dagster.yaml as the chart writes it of these values (templates/configmap-instance.yaml)."""
    database = VALUES["postgresql"]
    storage = {
        "postgres_db": {
            "username": database["postgresqlUsername"],
            "password": {"env": "DAGSTER_PG_PASSWORD"},
            "hostname": database["postgresqlHost"],
            "db_name": database["postgresqlDatabase"],
            "port": 5432,
            "params": database["postgresqlParams"],
            "scheme": database["postgresqlScheme"],
        }
    }
    custom = VALUES["dagsterDaemon"]["runCoordinator"]["config"]["customRunCoordinator"]
    run = LAUNCHER["runK8sConfig"]
    parts = {"schedule_storage": "ScheduleStorage", "run_storage": "RunStorage", "event_log_storage": "EventLogStorage"}
    modules = {"event_log_storage": "dagster_postgres.event_log"}
    return {
        **{
            name: {
                "module": modules.get(name, f"dagster_postgres.{name}"),
                "class": f"Postgres{kind}",
                "config": storage,
            }
            for name, kind in parts.items()
        },
        "run_launcher": {
            "module": "dagster_k8s",
            "class": "K8sRunLauncher",
            "config": {
                "load_incluster_config": LAUNCHER["loadInclusterConfig"],
                "job_namespace": "billing",
                "image_pull_policy": LAUNCHER["imagePullPolicy"],
                "service_account_name": "billing-dagster",
                "dagster_home": "/opt/dagster/dagster_home",
                "instance_config_map": "billing-dagster-instance",
                "postgres_password_secret": VALUES["global"]["postgresqlSecretName"],
                "security_context": LAUNCHER["securityContext"],
                "run_k8s_config": {
                    "pod_spec_config": run["podSpecConfig"],
                    "job_spec_config": run["jobSpecConfig"],
                },
            },
        },
        "run_coordinator": custom,
        "compute_logs": {
            "module": "dagster._core.storage.noop_compute_log_manager",
            "class": VALUES["computeLogManager"]["type"],
        },
        "telemetry": VALUES["telemetry"],
        **VALUES["additionalInstanceConfig"],
    }


@pytest.mark.parametrize("name", ["journal.yaml", "jobs.yaml", "network-policy.yaml", "files.yaml"])
def test_the_manifests_beside_the_chart_are_what_kubernetes_takes(name: str) -> None:
    for manifest in manifests(name):
        assert strict.faults(manifest) == [], manifest["metadata"]["name"]


def test_a_misspelt_field_would_be_found() -> None:
    job = copy.deepcopy(manifests("jobs.yaml")[0])
    (only,) = pod_spec(job)["containers"]
    only["volumeMount"] = only.pop("volumeMounts")
    only["resources"]["limits"] = ["512Mi"]
    del only["name"]
    found = strict.faults(job)
    assert len(found) == 3, found


@pytest.mark.parametrize(
    ("key", "model"),
    [
        ("env", "list[V1EnvVar]"),
        ("envConfigMaps", "list[V1ConfigMapEnvSource]"),
        ("envSecrets", "list[V1SecretEnvSource]"),
        ("volumes", "list[V1Volume]"),
        ("volumeMounts", "list[V1VolumeMount]"),
        ("podSecurityContext", "V1PodSecurityContext"),
        ("securityContext", "V1SecurityContext"),
        ("resources", "V1ResourceRequirements"),
        ("readinessProbe", "V1Probe"),
        ("livenessProbe", "V1Probe"),
        ("startupProbe", "V1Probe"),
    ],
)
def test_what_the_chart_hands_to_kubernetes_is_what_it_takes(key: str, model: str) -> None:
    seen = 0
    for part in (CODE, VALUES["dagsterWebserver"], VALUES["dagsterDaemon"]):
        value = part.get(key)
        if isinstance(value, dict):
            value = {name: one for name, one in value.items() if name != "enabled"}  # the chart's own
        assert strict.fragment_faults(value, model) == []
        seen += value is not None
    assert seen


def test_every_container_runs_without_privileges_and_with_limits() -> None:
    for part in (CODE, VALUES["dagsterWebserver"], VALUES["dagsterDaemon"]):
        assert part["podSecurityContext"]["runAsNonRoot"] is True
        assert part["securityContext"]["readOnlyRootFilesystem"] is True
        assert part["resources"]["limits"]["memory"]
        assert part["livenessProbe"]
        assert part["startupProbe"]["enabled"] is True
    for manifest in (*manifests("jobs.yaml"), manifests("files.yaml")[0]):
        spec, only = pod_spec(manifest), container(manifest)
        assert spec["securityContext"] == CODE["podSecurityContext"]
        assert only["securityContext"] == CODE["securityContext"]
        assert only["image"] == f"{CODE['image']['repository']}:{CODE['image']['tag']}"
        assert only["env"] == CODE["env"]
        assert spec["volumes"] == CODE["volumes"]
        assert only["volumeMounts"] == CODE["volumeMounts"]


def test_dagster_takes_the_instance_that_the_chart_writes(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = make_url(database)
    monkeypatch.setenv("DAGSTER_PG_PASSWORD", str(url.password))
    found = instance_config()
    for name in ("schedule_storage", "run_storage", "event_log_storage"):
        found[name]["config"]["postgres_db"] |= {
            "username": url.username,
            "hostname": url.host,
            "db_name": url.database,
            "port": url.port,
            "params": {},
        }
    found["run_launcher"]["config"]["load_incluster_config"] = False  # there is no cluster that this runs in
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(
        yaml.safe_dump(
            {
                "current-context": "none",
                "clusters": [{"name": "none", "cluster": {"server": "http://127.0.0.1:1"}}],
                "users": [{"name": "none", "user": {}}],
                "contexts": [{"name": "none", "context": {"cluster": "none", "user": "none"}}],
            }
        ),
        encoding="utf-8",
    )
    found["run_launcher"]["config"]["kubeconfig_file"] = str(kubeconfig)
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(found), encoding="utf-8")
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert type(instance.run_launcher).__name__ == "K8sRunLauncher"
        assert type(instance.run_coordinator).__name__ == "QueuedRunCoordinator"
        assert instance.run_monitoring_max_runtime_seconds == 7200
        assert instance.get_concurrency_config().run_queue_config is not None


def test_the_instance_is_ours_but_for_what_kubernetes_needs() -> None:
    ours: dict[str, Any] = yaml.safe_load(shipped("dagster.yaml").read_text(encoding="utf-8"))
    found = instance_config()
    assert found["run_coordinator"]["config"] == ours.pop("run_queue")
    assert found["telemetry"] == ours["telemetry"]
    for name in set(ours) - {"storage", "run_monitoring"}:
        assert found[name] == ours[name], name
    slower = {"start_timeout_seconds", "poll_interval_seconds"}
    for name in set(ours["run_monitoring"]) - slower:
        assert found["run_monitoring"][name] == ours["run_monitoring"][name], name


def test_the_pod_of_a_run_is_what_kubernetes_takes_and_has_our_settings() -> None:
    run = LAUNCHER["runK8sConfig"]
    context = K8sContainerContext.create_from_config(
        {
            "k8s": {
                "image_pull_policy": "IfNotPresent",
                "env_config_maps": [one["name"] for one in CODE["envConfigMaps"]],
                "env_secrets": [one["name"] for one in CODE["envSecrets"]],
                "env": CODE["env"],
                "volumes": CODE["volumes"],
                "volume_mounts": CODE["volumeMounts"],
                "resources": CODE["resources"],
                "run_k8s_config": {
                    "pod_spec_config": k8s_snake_case_dict(models.V1PodSpec, run["podSpecConfig"]),
                    "job_spec_config": k8s_snake_case_dict(models.V1JobSpec, run["jobSpecConfig"]),
                },
            }
        }
    )
    job = construct_dagster_k8s_job(
        DagsterK8sJobConfig(
            "registry.example.com/billing:0.1.0", "/opt/dagster/dagster_home", instance_config_map="billing-instance"
        ),
        ["dagster", "api", "execute_run"],
        "dagster-run-1",
        context.run_k8s_config,
    )
    manifest = ApiClient().sanitize_for_serialization(job)
    manifest["kind"] = "Job"
    assert strict.faults(manifest) == []
    pod = manifest["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsUser"] == 10001
    assert {one["secretRef"]["name"] for one in pod["containers"][0]["envFrom"] if "secretRef" in one} == {
        "billing-secrets"
    }
    assert "/etc/billing-key" in {one["mountPath"] for one in pod["containers"][0]["volumeMounts"]}


def test_no_secret_and_no_unknown_setting_stands_in_the_files() -> None:
    known = {variable(name): field for name, field in setting_names().items()}
    named = {one["name"] for one in CODE["env"]}
    assert named <= known.keys()
    assert not [name for name in named if is_secret(known[name])]
    assert "postgresqlPassword" not in VALUES["postgresql"]
    assert VALUES["generatePostgresqlPasswordSecret"] is False


@pytest.mark.parametrize(
    "command",
    [
        ["dagster", "api", "grpc", "-h", "0.0.0.0", "-p", str(CODE["port"]), *CODE["dagsterApiGrpcArgs"]],  # noqa: S104
        CODE["startupProbe"]["exec"]["command"],
        VALUES["dagsterDaemon"]["livenessProbe"]["exec"]["command"],
        *(container(manifest)["args"] for manifest in manifests("jobs.yaml")),
        container(manifests("files.yaml")[0])["args"],
    ],
    ids=" ".join,
)
def test_a_program_that_a_pod_starts_takes_its_options(command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    (program,) = entry_points(group="console_scripts", name=command[0])
    monkeypatch.setattr(sys, "argv", [*command, "--help"])
    with pytest.raises(SystemExit) as ended:
        program.load()()
    assert not ended.value.code
