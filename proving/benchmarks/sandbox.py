"""The NetSuite sandbox, and what it says of its own time: when it began to work on each request, and for how long.

That record is what the limit of posting is made of (the mean of the latencies that were really drawn), and it shows
from NetSuite's side which lanes were idle, over all runs and processes.

`python -m proving.benchmarks.sandbox FOLDER SWITCHES` serves it (SWITCHES is JSON).
"""

import json
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import requests

from billing_assets.sandbox.netsuite.credentials import make_credentials
from billing_assets.sandbox.netsuite.process import RunningSandbox
from billing_assets.sandbox.netsuite.switches import Switches

_RECORD = "latencies"
_ENTRY = struct.Struct("dd")
_START_SECONDS = 30.0


class Work(NamedTuple):
    """One request: when NetSuite began to work on it (time.monotonic, the same in all processes) and for how long."""

    began: float
    seconds: float


@dataclass(frozen=True)
class Sandbox:
    """A running sandbox that keeps a record."""

    running: RunningSandbox
    folder: Path
    settings: dict[str, str]

    @property
    def base_url(self) -> str:
        """Its address."""
        return self.running.base_url

    def work(self, since: float = 0.0) -> list[Work]:
        """What it worked on since a moment (time.monotonic)."""
        content = (self.folder / _RECORD).read_bytes()
        whole = content[: len(content) - len(content) % _ENTRY.size]
        return [Work(*entry) for entry in _ENTRY.iter_unpack(whole) if entry[0] >= since]

    def reset(self) -> None:
        """Forgets all transactions."""
        requests.post(f"{self.base_url}/sandbox/reset", timeout=60).raise_for_status()

    def created(self) -> int:
        """How many documents it created since it was emptied."""
        answer = requests.get(f"{self.base_url}/sandbox/summary", timeout=60)
        answer.raise_for_status()
        return int(answer.json()["posts"]["created"])


def mean_seconds(work: Sequence[Work]) -> float:
    """The mean of what was drawn."""
    return sum(one.seconds for one in work) / len(work)


def idle_share(work: Sequence[Work], lanes: int, begin: float, end: float) -> float:
    """The share of the lanes' time between two moments in which NetSuite worked on nothing for us, 0 to 1."""
    busy = sum(max(0.0, min(one.began + one.seconds, end) - max(one.began, begin)) for one in work)
    return 1 - busy / (lanes * (end - begin))


@contextmanager
def sandbox(folder: Path, **switches: object) -> Iterator[Sandbox]:
    """A sandbox that knows what the sample's mapping names. `switches` are those of its README."""
    # They bring Dagster and pyarrow: not into every process that is measured.
    from billing_assets.operations.sample import sandbox_settings  # noqa: PLC0415
    from billing_assets.sandbox.sample.tables import netsuite_references  # noqa: PLC0415

    folder.mkdir(parents=True)
    command = [sys.executable, "-m", "proving.benchmarks.sandbox", str(folder), json.dumps(switches)]
    with (folder / "sandbox.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    running = RunningSandbox("", make_credentials(folder), process.pid, process)
    with running:
        running.base_url = _address(folder / "server.json", process)
        answer = requests.post(f"{running.base_url}/sandbox/references", json=netsuite_references(), timeout=60)
        answer.raise_for_status()
        yield Sandbox(running, folder, sandbox_settings(running))


def _address(file: Path, process: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if file.exists():  # written once it listens
            return str(json.loads(file.read_bytes())["base_url"])
        time.sleep(0.02)
    raise RuntimeError(f"the sandbox did not start; its log: {(file.parent / 'sandbox.log').read_text()}")


class _Recorded(Switches):
    """The switches, which also write down every latency that they draw."""

    def latency_seconds(self) -> float:
        """One draw of the server's working time."""
        drawn = super().latency_seconds()
        _record.write(_ENTRY.pack(time.monotonic(), drawn))
        return drawn


if __name__ == "__main__":
    from billing_assets.sandbox.netsuite.server import serve

    home = Path(sys.argv[1])
    with (home / _RECORD).open("ab", buffering=0) as _record:
        serve(home, "127.0.0.1", 0, _Recorded(**json.loads(sys.argv[2])))
