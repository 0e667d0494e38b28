"""`make celery`: PERIOD=all on Celery workers, one dying half-way; its table in deploy/celery/README.md."""

import argparse
import re
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from proving.celery import proof
from proving.celery.machines import DEPLOY
from proving.measured import machine, table, write
from proving.scenarios.world import can_mount
from proving.world import servers


def main() -> int:
    """Proves it at full size, prints and writes the table. Ends with 1 when anything is lost, doubled or off."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--period", default=proof.FULL.period, help="a month of the sample instead of all")
    parser.add_argument("--keep", action="store_true", help="leave the table of the README as it is")
    options = parser.parse_args()
    if servers.redis_program() is None or servers.debian_postgres() is None:
        sys.exit("This needs redis-server and PostgreSQL: apt-get install redis-server postgresql")
    began = datetime.now(UTC)
    with tempfile.TemporaryDirectory(prefix="billing-celery-") as folder:
        scale = proof.FULL._replace(period=options.period)
        with proof.system(Path(folder) / "machines", scale) as system:
            result = proof.prove(system)
    print(result, flush=True)
    if not options.keep:
        write("celery", f"{_table(result)}\n\n{_where_and_when(began)}", DEPLOY / "README.md")
    return 0 if result.whole else 1


def _table(result: proof.Result) -> str:
    seconds = "-" if result.stood_seconds is None else f"{result.stood_seconds:.1f} s"
    slots = "-" if result.slots_seconds is None else f"{result.slots_seconds:.1f} s"
    rows = [
        ("documents in the billing system", f"{result.documents:,}"),
        ("posted", f"{result.posted:,}"),
        ("kept back, each with its reason", f"{result.kept_back:,}"),
        ("lost", result.lost),
        ("doubled", result.doubled),
        ("cents off", result.cents_off),
        ("months that reconcile", f"{result.months - result.months_off} of {result.months}"),
        ("second POSTs of a document that NetSuite had", result.sent_twice),
        ("batches at work on the machine that died", result.batches_killed),
        ("until another run had each of them, at most", seconds),
        ("until its places in the queue were free", slots),
        ("seconds, from the start of the processes", f"{result.seconds:.0f}"),
    ]
    return table(["what", "measured"], rows)


def _where_and_when(began: datetime) -> str:
    redis, postgres = servers.redis_program() or "", servers.debian_postgres() or Path()
    separate = "separate mount namespaces" if can_mount() else "separate folders"
    return (
        f"{began:%Y-%m-%d %H:%M} UTC, {machine()}. 2 workers of 4 processes each, in {separate}; "
        f"Redis {_version(redis)}, PostgreSQL {_version(postgres / 'postgres')}, Celery {version('celery')}, "
        f"Dagster {version('dagster')}."
    )


def _version(program: str | Path) -> str:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"\d+\.\d+(\.\d+)?", said)
    return found[0] if found else said.strip()


if __name__ == "__main__":
    sys.exit(main())
