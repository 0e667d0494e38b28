"""A fuzzer guided by coverage (atheris) over everything that reads NetSuite's answers, without a socket between.

atheris has wheels for Linux on x86-64 only; elsewhere `AVAILABLE` is false, and whoever asks is told so. The fuzzing
runs in a process of its own (`python -m proving.bad_input.fuzz SECONDS FOLDER`): libFuzzer ends the
process that it ran in, and what it watches must be imported under its eyes.
"""

import importlib.util
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

AVAILABLE = importlib.util.find_spec("atheris") is not None
_MODULE = "proving.bad_input.fuzz"


class Fuzzed(NamedTuple):
    """What came of it: inputs tried, and what was wrong with the first that was ("" if none)."""

    inputs: int
    fault: str


def run(seconds: float, module: str = _MODULE) -> Fuzzed:
    """Fuzzes for about so long, beginning with the seeds. Raises ImportError where there is no atheris.

    `module`: what is started; another one has other targets.
    """
    if not AVAILABLE:
        raise ImportError("atheris is not installed: it has wheels for Linux on x86-64 only")
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-m", module, str(max(1, round(seconds))), folder],
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

    with atheris.instrument_imports(include=["billing_assets.erp.netsuite"], enable_loader_override=False):
        from proving.bad_input import fuzz_targets  # noqa: PLC0415
    seconds, folder = sys.argv[1:]
    for number, seed in enumerate(fuzz_targets.seeds()):
        Path(folder, str(number)).write_bytes(seed)
    options = [f"-max_total_time={seconds}", "-rss_limit_mb=2048", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={folder}/", folder], fuzz_targets.one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
