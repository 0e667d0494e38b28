"""`make bench`: speed and memory as ratios, on a quiet machine; writes the table and the picture of docs/performance.md.

Each measure is written when it is through, so that one can be played anew: `python -m benchmarks --only staging_first`.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import page
from benchmarks.measure import Measure, Place, result
from benchmarks.registry import MEASURES
from benchmarks.world import place


def main(arguments: Sequence[str] | None = None) -> int:
    """Plays the measures that are named, or all. Ends with 1 when one of them is not at its mark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", choices=MEASURES, metavar="NAME", help="; ".join(MEASURES))
    parser.add_argument("--small", action="store_true", help="only see that it works: prints, writes no page")
    options = parser.parse_args(arguments)
    chosen = [MEASURES[name] for name in options.only or MEASURES]
    if not options.small:
        minutes = sum(one.minutes for one in chosen)
        print(f"{len(chosen)} measures, about {minutes:.0f} minutes. Let nothing else work on this machine.", flush=True)
    well = True
    with tempfile.TemporaryDirectory(prefix="billing-bench-") as folder, place(Path(folder)) as here:
        for measure in chosen:
            well = _play(measure, here, small=options.small) and well
    return 0 if well or options.small else 1


def _play(measure: Measure, here: Place, *, small: bool) -> bool:
    """Plays one measure and writes it down; whether it is at its mark."""
    began, start = datetime.now(UTC), time.monotonic()
    rounds = []
    for one in measure.play(here, small):
        rounds.append(one)
        ratio = measure.mark.ratio(one)
        print(f"  {measure.name}: {one.ours:.4g} against {one.against:.4g} {measure.unit}: {ratio:.3f} {dict(one.detail)}")
    found = result(measure, rounds)
    if not small:
        page.write("table", page.table(page.keep(measure.name, found, began), MEASURES))
    verdict = "reached" if found["reached"] else "NOT REACHED"
    minutes = (time.monotonic() - start) / 60
    print(f"{measure.name}: {found['ratio']['median']:.3f} ({found['mark']}) {verdict}, {minutes:.1f} min", flush=True)
    return bool(found["reached"])


if __name__ == "__main__":
    sys.exit(main())
