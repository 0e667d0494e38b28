"""Only this machine reaches what we start, only with its password, and only the owner reads its files."""

import ipaddress
import os
import stat
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
import requests

from billing_assets.erp.netsuite.auth import read_private_key
from billing_assets.erp.netsuite.wire import NetSuiteSettingsError
from billing_assets.foundation.database import embedded
from billing_assets.foundation.settings import SettingsError, is_secret, load_settings, setting_names, variable
from billing_assets.operations.environment import write_environment_file
from billing_assets.operations.processes import webserver_command
from billing_assets.sandbox.netsuite.__main__ import main as sandbox_main
from billing_assets.sandbox.netsuite.process import RunningSandbox
from proving.world.command import environment
from proving.world.raw_server import write_key
from proving.world.waiting import PATIENCE_SECONDS

SECRETS = sorted(name for name, field in setting_names().items() if is_secret(field))


def listening(process: psutil.Process) -> set[str]:
    """The addresses on which a process and its children take connections."""
    family = [process, *process.children(recursive=True)]
    return {one.laddr.ip for each in family for one in each.net_connections("inet") if one.status == psutil.CONN_LISTEN}


def on_loopback(addresses: set[str]) -> bool:
    return bool(addresses) and all(ipaddress.ip_address(address).is_loopback for address in addresses)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> object:
    home = tmp_path_factory.mktemp("a home")
    yield embedded.start(home, durable=False)
    embedded.stop(home, mode="immediate")


def test_the_embedded_database_listens_on_loopback_and_on_no_socket(server: embedded.EmbeddedServer) -> None:
    pid = int((server.folder / "data" / "postmaster.pid").read_text(encoding="utf-8").splitlines()[0])
    process = psutil.Process(pid)
    assert on_loopback(listening(process))
    assert [one.laddr for one in process.net_connections("unix") if one.laddr] == []


@pytest.mark.parametrize("user", ["postgres", "billing", "root"])
@pytest.mark.parametrize("password", [None, "", "postgres", "wrong"])
def test_the_embedded_database_refuses_whoever_has_not_its_password(
    user: str, password: str | None, server: embedded.EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PGPASSWORD", raising=False)
    monkeypatch.setenv("PGPASSFILE", os.devnull)
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(host=server.host, port=server.port, dbname="postgres", user=user, password=password)


def test_every_line_of_its_access_file_asks_for_a_password(server: embedded.EmbeddedServer) -> None:
    text = (server.folder / "data" / "pg_hba.conf").read_text(encoding="utf-8")
    lines = [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    assert lines
    assert {line[-1] for line in lines} == {"scram-sha-256"}
    assert {line[3] for line in lines if line[0] != "local"} <= {"127.0.0.1/32", "::1/128"}


def test_its_password_is_for_its_owner_only(server: embedded.EmbeddedServer) -> None:
    assert stat.S_IMODE(server.password_file.stat().st_mode) & 0o077 == 0
    assert len(server.password_file.read_text(encoding="utf-8").strip()) >= 32


def test_the_sandbox_listens_on_loopback_and_its_secrets_are_for_its_owner(sandbox: RunningSandbox) -> None:
    (process,) = [
        one
        for one in psutil.process_iter(["cmdline"])
        if str(sandbox.credentials.private_key_file.parent) in (one.info["cmdline"] or [])
    ]
    assert on_loopback(listening(process))
    folder = sandbox.credentials.private_key_file.parent
    for name in ("credentials.json", "private_key.pem"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com"])  # noqa: S104  refused
def test_the_sandbox_serves_no_other_machine(host: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        sandbox_main(["--folder", str(tmp_path), "--host", host])
    assert ended.value.code == 2
    assert "loopback" in capsys.readouterr().err


def test_the_web_ui_is_started_on_loopback() -> None:
    command = webserver_command(3000)
    assert command[command.index("-h") + 1] == "127.0.0.1"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o777, 0o620])
@pytest.mark.parametrize("name", SECRETS)
def test_a_file_with_a_secret_that_others_can_open_is_refused_with_the_cure(
    name: str, mode: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "secret"
    path.write_text("postgresql://x:MARKER@127.0.0.1/x", encoding="utf-8")
    path.chmod(mode)
    monkeypatch.setenv(variable(name) + "_FILE", str(path))
    with pytest.raises(SettingsError, match=f"chmod 600 {path}") as refused:
        load_settings()
    assert "MARKER" not in str(refused.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_private_key_that_others_can_open_is_refused_with_the_cure(mode: int, tmp_path: Path) -> None:
    path = write_key(tmp_path / "key.pem")
    path.chmod(mode)
    with pytest.raises(NetSuiteSettingsError, match=f"chmod 600 {path}"):
        read_private_key(path)


def test_the_file_with_the_environment_is_for_its_owner_only(tmp_path: Path) -> None:
    assert stat.S_IMODE(write_environment_file(tmp_path).stat().st_mode) == 0o600


@pytest.mark.parametrize(("options", "allowed"), [(["--read-only"], False), ([], True)], ids=["finance", "operators"])
def test_the_web_server_for_finance_refuses_every_change(options: list[str], allowed: bool, tmp_path: Path) -> None:
    """The command of docs/operations.md, and that it does what is said of it."""
    port = embedded._free_port()
    command = [*webserver_command(port)[:3], "--empty-workspace", "-h", "127.0.0.1", "-p", str(port), *options]
    variables = environment({"DAGSTER_HOME": str(tmp_path)})
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, env=variables, stdout=log, stderr=log)
    try:
        found: Any = None
        deadline = time.monotonic() + PATIENCE_SECONDS
        while found is None:
            assert time.monotonic() < deadline, (tmp_path / "log").read_text(encoding="utf-8")
            with suppress(requests.ConnectionError):
                asked = {"query": "{ permissions { permission value } }"}
                found = requests.post(f"http://127.0.0.1:{port}/graphql", json=asked, timeout=30).json()
            time.sleep(0.2)
        values = {one["permission"]: one["value"] for one in found["data"]["permissions"]}
        assert len(values) > 10
        assert any(values.values()) is allowed
        assert on_loopback(listening(psutil.Process(process.pid)))
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)
