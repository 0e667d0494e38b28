"""A real OpenSSH server on loopback, from Debian's package, with keys and settings in a folder of its own.

Between it and its SFTP server is a relay (`sftp_relay.py`) that can lose answers and refuse requests on demand.
"""

import getpass
import os
import shlex
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from billing_assets.foundation.files.sftp import SftpFolder, SftpServer
from proving.world.servers import free_port, wait_for_port

_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin"
_SFTP_SERVER = Path("/usr/lib/openssh/sftp-server")


def sshd_program() -> str | None:
    """Debian's sshd, if it is installed."""
    return shutil.which("sshd", path=_PATH) if _SFTP_SERVER.exists() else None


def new_key(path: Path, passphrase: str = "") -> None:
    """A private key, and its public one beside it."""
    _ssh_keygen("-q", "-t", "ed25519", "-N", passphrase, "-f", str(path))


def _ssh_keygen(*arguments: str) -> str:
    command = [shutil.which("ssh-keygen") or "ssh-keygen", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@dataclass
class Sshd:
    """A server in `folder`. `inbox`: the folder that it serves to its clients."""

    folder: Path
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None

    @classmethod
    def made(cls, folder: Path) -> "Sshd":
        """With new keys; it runs."""
        found = cls(folder)
        for one in (found.inbox, found.faults):
            one.mkdir()
        for name in ("host_key", "client_key"):
            new_key(folder / name)
        found.is_open(to_us=True)
        relay = [sys.executable, "-S", "-E", str(Path(__file__).with_name("sftp_relay.py"))]
        options = {
            "Port": found.port,
            "ListenAddress": "127.0.0.1",
            "HostKey": f'"{folder / "host_key"}"',
            "PidFile": "none",
            "AuthorizedKeysFile": f'"{folder / "authorized_keys"}"',
            "StrictModes": "no",
            "UsePAM": "no",
            "PermitRootLogin": "yes",
            "MaxStartups": 100,
            "Subsystem": "sftp internal-sftp",
            "ForceCommand": shlex.join([*relay, str(_SFTP_SERVER), str(found.faults)]),
        }
        (folder / "sshd_config").write_text("".join(f"{name} {value}\n" for name, value in options.items()))
        found.start()
        return found

    @property
    def inbox(self) -> Path:
        """What clients write to."""
        return self.folder / "in box"

    @property
    def faults(self) -> Path:
        """The faults that wait for a file to be put, as `sftp_relay.py` names them."""
        return self.folder / "faults"

    def server(self, **changes: Any) -> SftpServer:
        """As a client sees it that knows its host key and has a key of its own."""
        known: dict[str, Any] = {
            "host": "127.0.0.1",
            "port": self.port,
            "user": getpass.getuser(),
            "host_keys": (_ssh_keygen("-l", "-f", str(self.folder / "host_key.pub")).split()[1],),
            "key_file": self.folder / "client_key",
            "timeout_seconds": 10.0,
        }
        return SftpServer(**known | changes)

    def opened(self, **changes: Any) -> SftpFolder:
        """Its inbox."""
        return SftpFolder(self.server(**changes), str(self.inbox))

    def fault(self, kind: str, times: int = 1) -> None:
        """Strikes the next files that are put."""
        for _ in range(times):
            (self.faults / f"{time.monotonic_ns()} {kind}").touch()

    def clear(self) -> None:
        """No fault is left, and our key may log in."""
        for one in self.faults.iterdir():
            one.unlink()
        self.is_open(to_us=True)

    def is_open(self, *, to_us: bool) -> None:
        """Whether our key is one of those that may log in."""
        key = (self.folder / "client_key.pub").read_text() if to_us else ""
        (self.folder / "authorized_keys").write_text(key)

    def start(self) -> None:
        """Listens, on the same port as before."""
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # its privilege separation asks for it
        command = [sshd_program() or "sshd", "-D", "-e", "-f", str(self.folder / "sshd_config")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=self.folder)
        wait_for_port(self.port)

    def is_up(self) -> None:
        """Starts it where it was stopped."""
        if self._process is None:
            self.start()

    def hangs(self, hangs: bool) -> None:
        """It and its connections stand still, or go on."""
        for one in self._family():
            one.suspend() if hangs else one.resume()

    def stop(self) -> None:
        """It is gone, with every connection to it."""
        if self._process is not None:
            for one in self._family():
                with suppress(psutil.NoSuchProcess):
                    one.kill()
            self._process.wait()
            self._process = None

    def _family(self) -> list[psutil.Process]:
        """The children first."""
        root = psutil.Process(self._process.pid if self._process else None)
        return [*root.children(recursive=True), root]
