"""The NetSuite sandbox, and what it says of its own time: when it began to work on each request, and for how long.

That record is what the limit of posting is made of (the mean of the latencies that were really drawn), and it shows
from NetSuite's side which lanes were idle, over all runs and processes.

`python -m proving.benchmarks.sandbox --folder DIR …` serves it; its arguments are those of the NetSuite sandbox.
"""

import struct
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import ClassVar, NamedTuple

from billing_assets.sandbox.kit import process
from billing_assets.sandbox.kit.process import Kind
from billing_assets.sandbox.netsuite.credentials import make_credentials
from billing_assets.sandbox.netsuite.process import RunningSandbox
from billing_assets.sandbox.netsuite.switches import Switches

_RECORD = "latencies"
_ENTRY = struct.Struct("dd")
_RECORDING = Kind("NetSuite", "proving.benchmarks.sandbox", make_credentials)


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
        self.running.control.reset()

    def created(self) -> int:
        """How many documents it created since it was emptied."""
        return int(self.running.control.get("summary")["posts"]["created"])


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
    from billing_assets.sandbox.samples.tables import netsuite_references  # noqa: PLC0415

    with process.start(_RECORDING, folder, switches=switches, references=netsuite_references()) as running:
        yield Sandbox(running, folder, sandbox_settings(running))


class _Recorded(Switches):
    """The switches, which also write down every latency that they draw."""

    record: ClassVar[FileIO]

    def latency_seconds(self) -> float:
        """One draw of the server's working time."""
        drawn = super().latency_seconds()
        self.record.write(_ENTRY.pack(time.monotonic(), drawn))
        return drawn


if __name__ == "__main__":
    from starlette.applications import Starlette

    from billing_assets.sandbox.kit.command import run
    from billing_assets.sandbox.netsuite.server import open_app

    def _open_app(folder: Path, switches: _Recorded) -> Starlette:
        _Recorded.record = (folder / _RECORD).open("ab", buffering=0)
        return open_app(folder, switches)

    sys.exit(run("proving.benchmarks.sandbox", _Recorded, _open_app))
