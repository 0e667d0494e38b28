"""Where the time goes: what py-spy sees of posting and of staging, by what the code was doing.

`python -m proving.benchmarks.profile` writes it into docs/performance.json and draws the picture; `make bench` does so
at its end. A sample belongs to the innermost of our own functions on the stack.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from proving import measured
from proving.benchmarks import page, picture
from proving.benchmarks.backlog import backlog, post, warm
from proving.benchmarks.measure import Place
from proving.benchmarks.sandbox import sandbox
from proving.benchmarks.staging import staged
from proving.benchmarks.world import ALL, MONTH, database, place, runtime, source

_RATE = 250
_LEAST = 0.02  # what is less goes to the rest
_SHOWN = "Where the time of a posted and of a staged document goes"
_POSTING = {
    "erp/netsuite/wire.py": "HTTP",
    "erp/netsuite/client.py": "HTTP",
    "erp/netsuite/auth.py": "HTTP",
    "erp/netsuite/errors.py": "HTTP",
    "erp/netsuite/mapping.py": "the request's JSON",
    "erp/documents/validation_rules.py": "checking it again",
    "erp/netsuite/store.py": "our log in PostgreSQL",
    "foundation/database/connection.py": "our log in PostgreSQL",
    "erp/netsuite/look_up.py": "reading it back",
    "erp/netsuite/suiteql.py": "reading it back",
    "erp/netsuite/comparison.py": "reading it back",
    "erp/netsuite/sink.py": "the request's JSON",
    "posting/attempts.py": "our log in PostgreSQL",
    "posting/look_up.py": "reading it back",
    "posting/dispatch.py": "threads and queues",
    "posting/run.py": "threads and queues",
    "posting/lanes.py": "lanes, lock and lease",
    "posting/batch_lease.py": "lanes, lock and lease",
    "posting/batch_lock.py": "lanes, lock and lease",
    "erp/batches": "lanes, lock and lease",
}
_STAGING = {
    "erp/billing_system": "reading the billing system",
    "erp/documents": "checking",
    "erp/netsuite": "checking",
    "erp/staging/content.py": "hash and JSON",
    "erp/staging/staging.py:_copy": "COPY into PostgreSQL",
    "erp/staging/staging.py": "making rows",
    "erp/staging/incoming.py": "making rows",
    "erp/staging/polling.py": "comparing and merging in PostgreSQL",
    "erp/staging/store.py": "comparing and merging in PostgreSQL",
}
_OTHER = "the rest"
_FRAME = re.compile(r"^(?P<function>.*) \((?:.*/)?billing_assets/(?P<file>[^:]*\.py)(?::\d+)?\)$")


class Profile(NamedTuple):
    """Milliseconds per document, in all and by what they went into, the most first."""

    documents: int
    milliseconds: float
    parts: dict[str, float]


def main(*, small: bool = False, target: Path = page.PAGE) -> None:
    """Profiles posting (its CPU) and staging (its wall time) and writes what it finds."""
    began = datetime.now(UTC)
    with tempfile.TemporaryDirectory(prefix="billing-bench-") as folder, place(Path(folder)) as here:
        for name, profile in (("posting", posting), ("staging", staging)):
            found = page.keep_profile(name, profile(here, small=small)._asdict(), began, target)
            measured.write(f"where_{name}", page.profile_table(found[name]), target)
    measured.write("picture", f"![{_SHOWN}](images/{picture.main(target).name})", target)


def posting(here: Place, *, small: bool) -> Profile:
    """CPU time of one run that posts a month into a sandbox without latency."""
    with (
        sandbox(here.folder / "netsuite-profile") as netsuite,
        source(here, MONTH, 60 if small else None) as billing,
        backlog(here, billing, netsuite, {}) as waiting,
    ):
        seconds, stacks = _spied("posting", waiting.keys, idle=False)
        waiting.check(netsuite)
        return _profile(waiting.documents, seconds, stacks, _POSTING)


def staging(here: Place, *, small: bool) -> Profile:
    """Wall time of a first staging, as its main thread spends it."""
    documents = 60 if small else None
    with (
        source(here, MONTH if small else ALL, documents) as billing,
        database(here, migrated=True) as state,
        runtime(here, state, billing) as found,
    ):
        seconds, stacks = _spied("staging", [], idle=True)
        with found.state() as connection:
            row = connection.execute("select count(*) as n from billing.staged_invoices").fetchone()
        return _profile(row["n"] if row else 0, seconds, stacks, _STAGING)


def _profile(documents: int, seconds: float, stacks: Mapping[str, int], labels: Mapping[str, str]) -> Profile:
    counted: Counter[str] = Counter()
    for stack, count in stacks.items():
        if (label := what(stack, labels)) is not None:
            counted[label] += count
    whole = counted.total()
    if whole == 0:
        raise RuntimeError("py-spy saw nothing of our work")
    small = {label for label, count in counted.items() if count < _LEAST * whole}
    counted[_OTHER] += sum(counted.pop(label) for label in small - {_OTHER})
    each = 1000 * seconds / documents
    by_size = sorted(counted.items(), key=lambda part: (part[0] == _OTHER, -part[1]))
    return Profile(documents, each, {label: each * count / whole for label, count in by_size})


def what(stack: str, labels: Mapping[str, str]) -> str | None:
    """What a stack (frames from the outside in, `;` between them) was at; None where it was not at our work."""
    frames = stack.split(";")
    if any("importlib" in frame or frame.startswith(("warm ", "load_settings ")) for frame in frames):
        return None
    ours = [match for frame in frames if (match := _FRAME.match(frame))]
    if not ours:
        return None
    file, function = ours[-1]["file"], ours[-1]["function"]
    for name in (f"{file}:{function}", file, file.rpartition("/")[0]):
        if name in labels:
            return labels[name]
    return _OTHER


def _spied(name: str, keys: Sequence[str], *, idle: bool) -> tuple[float, Counter[str]]:
    """Seconds that the work took, and how often which stack was seen meanwhile."""
    with tempfile.TemporaryDirectory(prefix="billing-spy-") as folder:
        raw, said = Path(folder) / "stacks", Path(folder) / "seconds"
        command = [str(Path(sys.executable).with_name("py-spy")), "record", "--nonblocking", "--format", "raw"]
        command += ["--rate", str(_RATE), "--output", str(raw), *(["--idle", "--threads"] if idle else [])]
        worker = [sys.executable, "-m", "proving.benchmarks.profile", name, str(said), json.dumps(keys)]
        done = subprocess.run([*command, "--", *worker], capture_output=True, text=True, check=False, env=os.environ)
        if done.returncode or not said.exists():
            raise RuntimeError(f"py-spy could not look: {done.stderr[-2000:]}")
        stacks: Counter[str] = Counter()
        for line in raw.read_text(encoding="utf-8").splitlines():
            stack, _, count = line.rpartition(" ")
            if not idle or "MainThread" in stack.partition(";")[0]:
                stacks[stack] += int(count)
        return float(said.read_text()), stacks


def _work(name: str, said: Path, keys: Sequence[str]) -> None:
    """The profiled process."""
    if name == "staging":
        seconds = staged()
    else:
        warm()
        began = time.process_time()
        for key in keys:
            post(key)
        seconds = time.process_time() - began
    said.write_text(str(seconds))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        _work(sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3]))
    else:
        main()
