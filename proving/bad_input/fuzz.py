"""A fuzzer guided by coverage (atheris) over everything that reads what others wrote, without a socket between.

atheris has wheels for Linux on x86-64 only; elsewhere `AVAILABLE` is false, and whoever asks is told so. The fuzzing
runs in a process of its own (`python -m proving.bad_input.fuzz SECONDS FOLDER TARGET`): libFuzzer ends the
process that it ran in, and what it watches must be imported under its eyes.
"""

import importlib
import importlib.util
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

AVAILABLE = importlib.util.find_spec("atheris") is not None
_MODULE = "proving.bad_input.fuzz"


class Target(NamedTuple):
    """What is fuzzed. `watched`: the packages whose coverage guides it; `module`: has `seeds` and `one_input`."""

    watched: tuple[str, ...]
    module: str


TARGETS = {
    "NetSuite's answers": Target(("billing_assets.erp.netsuite",), "proving.bad_input.fuzz_targets"),
    "X12": Target(("billing_assets.foundation.x12",), "proving.bad_input.x12_targets"),
    "X12 sets": Target(
        ("billing_assets.metering.import_engine.x12_sets", "billing_assets.metering.import_engine.x12_reader"),
        "proving.bad_input.x12_sets_targets",
    ),
    "NEM12, NEM13, zips": Target(("billing_assets.metering.import_engine",), "proving.bad_input.nem_targets"),
    "extracts": Target(("billing_assets.metering.import_engine",), "proving.bad_input.extract_targets"),
    "Green Button, CSV exports": Target(("billing_assets.metering.import_engine",), "proving.bad_input.espi_targets"),
}


class Fuzzed(NamedTuple):
    """What came of it: inputs tried, and what was wrong with the first that was ("" if none)."""

    inputs: int
    fault: str


def run(seconds: float, target: str) -> Fuzzed:
    """Fuzzes a target for about so long, beginning with its seeds. Raises ImportError where there is no atheris."""
    if not AVAILABLE:
        raise ImportError("atheris is not installed: it has wheels for Linux on x86-64 only")
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-m", _MODULE, str(max(1, round(seconds))), folder, target],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=seconds + 120,
        )
    found = re.findall(r"stat::number_of_executed_units:\s*(\d+)", done.stderr)
    fault = "" if done.returncode == 0 and found else (done.stdout + done.stderr)[-3_000:]
    return Fuzzed(int(found[0]) if found else 0, fault)


def main() -> None:
    """Fuzz until the time is over."""
    import atheris  # noqa: PLC0415

    seconds, folder, target = sys.argv[1:]
    watched, name = TARGETS[target]
    with atheris.instrument_imports(include=list(watched), enable_loader_override=False):
        module = importlib.import_module(name)
    for number, seed in enumerate(module.seeds()):
        Path(folder, str(number)).write_bytes(seed)
    options = [f"-max_total_time={seconds}", "-rss_limit_mb=2048", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={folder}/", folder], module.one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
