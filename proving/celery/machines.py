"""A machine of a Celery deployment: what deploy/celery/README.md says to put on it, started as its units say.

All machines are this one, so each gets folders of its own; and where we may mount, its processes do not see those of
the others nor of the servers: whatever passes from one to the other goes through database, broker or NetSuite.
"""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from billing_assets.foundation.shipped import shipped
from proving.world.command import environment

DEPLOY = Path(__file__).resolve().parents[2] / "deploy" / "celery"
_PROGRAMS = Path(sys.executable).parent


@dataclass
class Machine:
    """One machine. `folder` is all that it has on disk; `hidden` is what it must not see of this machine's disk.
    `instance` stands for %i in units, as workers of one host name need names of their own."""

    folder: Path
    variables: Mapping[str, str]
    code_server_port: int
    hidden: Sequence[Path] = ()
    instance: str = "1"
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """Of every process on it."""
        home = self.folder / "home"
        own = {"BILLING_HOME": str(home), "DAGSTER_HOME": str(home / "dagster"), "TMPDIR": str(self.folder / "tmp")}
        etc = {"BILLING_MAPPING": str(self.folder / "etc" / "mapping.yaml")}
        return environment({**self.variables, **own, **etc})

    def set_up(self, private_key: Path | None = None) -> None:
        """Copies what a real one has in /etc/billing. `private_key`: of NetSuite, where it is used."""
        etc, dagster = self.folder / "etc", self.folder / "home" / "dagster"
        for folder in (etc, dagster, self.folder / "tmp"):
            folder.mkdir(parents=True)
        for name in ("workspace.yaml", "dagster_celery_config.py"):
            text = (DEPLOY / name).read_text(encoding="utf-8")
            (etc / name).write_text(text.replace("4266", str(self.code_server_port)), encoding="utf-8")
        shutil.copyfile(DEPLOY / "dagster.yaml", dagster / "dagster.yaml")
        shutil.copyfile(shipped("config/mapping.yaml"), etc / "mapping.yaml")
        shutil.copytree(shipped("config/sample"), etc / "sample")
        if private_key is None:
            return
        shutil.copyfile(private_key, etc / "private_key.pem")
        (etc / "private_key.pem").chmod(0o600)
        self.variables = {**self.variables, "BILLING_NETSUITE__PRIVATE_KEY_FILE": str(etc / "private_key.pem")}

    def run(self, *command: str, program: str = "billing", seconds: float = 120) -> str:
        """One command on it; returns what it printed. Raises CalledProcessError."""
        done = subprocess.run(
            self._alone([str(_PROGRAMS / program), *command]),
            env=self.environment,
            cwd=self.folder / "home",
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )
        if done.returncode:
            raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
        return done.stdout

    def start(self, unit: str) -> None:
        """Starts a service as its unit file says."""
        command, variables = self.service(unit)
        with (self.folder / f"{unit}.log").open("ab") as log:
            self.processes[unit] = subprocess.Popen(
                self._alone(command),
                env={**self.environment, **variables},
                cwd=self.folder / "home",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def service(self, unit: str) -> tuple[list[str], dict[str, str]]:
        """Command and further variables of a unit file, with this machine's folders in them."""
        text = (DEPLOY / "systemd" / f"{unit}.service").read_text(encoding="utf-8")
        places = {"/opt/billing/bin": str(_PROGRAMS), "/etc/billing": str(self.folder / "etc")}
        places |= {"%i": self.instance, "%%": "%", "4266": str(self.code_server_port)}

        def here(value: str) -> str:
            return re.sub("|".join(map(re.escape, places)), lambda found: places[found[0]], value)

        (line,) = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)
        pairs = (pair.split("=", 1) for pair in re.findall(r"^Environment=(.*)$", text, re.MULTILINE))
        return [here(word) for word in shlex.split(line)], {name: here(value) for name, value in pairs}

    def pids(self) -> set[int]:
        """Everything that runs on it."""
        found: set[int] = set()
        for process in self.processes.values():
            with suppress(psutil.NoSuchProcess):
                tree = psutil.Process(process.pid)
                found |= {tree.pid, *(child.pid for child in tree.children(recursive=True))}
        return found

    def die(self) -> None:
        """As by a power cut: SIGKILL for everything at once."""
        for pid in self.pids():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for process in self.processes.values():
            process.wait()
        self.processes.clear()

    def said(self) -> str:
        """The ends of its logs."""
        logs = sorted(self.folder.glob("*.log"))
        return "\n".join(f"--- {log.name}\n{log.read_text(errors='replace')[-2000:]}" for log in logs)

    def _alone(self, command: Sequence[str]) -> list[str]:
        if not self.hidden:
            return list(command)
        mounts = " && ".join(f"mount -t tmpfs -o size=1m tmpfs {shlex.quote(str(path))}" for path in self.hidden)
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c", f'{mounts} && exec "$@"', "sh", *command]
