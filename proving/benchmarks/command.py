"""`make bench`: speed and memory as ratios, on a quiet machine, and the tables and the picture of docs/performance.md.

Each measure is written when it is through; one can be played again:
`python -m proving.benchmarks --only staging_first`.
"""

import argparse
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from proving import measured
from proving.benchmarks import page, profile
from proving.benchmarks.measure import Measure, Place, Round, result
from proving.benchmarks.registry import MEASURES
from proving.benchmarks.world import only_warnings, place


def main(arguments: Sequence[str] | None = None) -> int:
    """Plays the measures that are named, or all. Ends with 1 when one fails or is not at its mark."""
    parser = argparse.ArgumentParser(prog="python -m proving.benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", choices=MEASURES, metavar="NAME", help="; ".join(MEASURES))
    parser.add_argument("--small", action="store_true", help="only see that it works: prints, writes no page")
    options = parser.parse_args(arguments)
    only_warnings()
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))  # what was started is stopped first
    groups = grouped(options.only or MEASURES)
    if not options.small:
        minutes = sum(measure.minutes for group in groups for measure in group)
        print(f"About {minutes:.0f} minutes. Let nothing else work on this machine.", flush=True)
    well = True
    with tempfile.TemporaryDirectory(prefix="billing-bench-") as folder, place(Path(folder)) as here:
        for group in groups:
            began, start = datetime.now(UTC), time.monotonic()
            try:
                found = played(group, here, small=options.small)
            except Exception:  # noqa: BLE001  it is told, and the other measures are worth having
                traceback.print_exc()
                well, found = False, {}
            for name, one in found.items():
                if not options.small:
                    measured.write("table", page.table(page.keep(name, one, began), MEASURES), page.PAGE)
                    verdict = "reached" if one["reached"] else "NOT REACHED"
                    print(f"{name}: {one['ratio']['median']:.3f} ({one['mark']}) {verdict}", flush=True)
                    well = well and one["reached"]
            print(f"  {(time.monotonic() - start) / 60:.1f} min", flush=True)
    if not options.only and not options.small:
        profile.main()
    return 0 if well else 1


def grouped(names: Iterable[str]) -> list[list[Measure]]:
    """The measures with these names, and those that are played together with them."""
    plays = dict.fromkeys(MEASURES[name].play for name in names)
    return [[one for one in MEASURES.values() if one.play is play] for play in plays]


def played(group: Sequence[Measure], here: Place, *, small: bool) -> dict[str, dict[str, Any]]:
    """Plays measures that share their play; their results by name."""
    rounds: dict[str, list[Round]] = {one.name: [] for one in group}
    for one in group[0].play(here, small):
        measure = MEASURES[one.measure or group[0].name]
        rounds[measure.name].append(one)
        numbers = f"{one.ours:.4g} against {one.against:.4g} {measure.unit}"
        print(f"  {measure.name}: {numbers}, {measure.mark.ratio(one):.3f} {dict(one.detail)}", flush=True)
    return {one.name: result(one, rounds[one.name]) for one in group}
