"""What grows, and how far: a million documents through all states, and a hundred thousand batches in the web UI.

`python -m proving.benchmarks.growth` writes its tables into docs/operations.md and the figures into docs/growth.json;
`--only` plays one part, `--small` only sees that it works.
"""

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from proving import measured
from proving.benchmarks import page, partitions, passage
from proving.benchmarks.measure import Place
from proving.benchmarks.world import only_warnings, place

RUNBOOK = page.PAGE.with_name("operations.md")
MEASURED = page.PAGE.with_name("growth.json")

Part = tuple[Callable[[Place, bool], dict[str, Any]], Callable[[dict[str, Any]], str]]
PARTS: dict[str, Part] = {
    "passage": (passage.passage, passage.text),
    "partitions": (partitions.partitions, partitions.text),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Plays the parts that are named, or all."""
    parser = argparse.ArgumentParser(prog="python -m proving.benchmarks.growth", description=__doc__)
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--small", action="store_true", help="only see that it works: prints, writes no page")
    options = parser.parse_args(arguments)
    only_warnings()
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))  # what was started is stopped first
    for name in [options.only] if options.only else PARTS:
        play, text = PARTS[name]
        began = datetime.now(UTC)
        with tempfile.TemporaryDirectory(prefix="billing-growth-") as folder, place(Path(folder)) as here:
            found = play(here, options.small)
        found |= {"measured": f"{began:%Y-%m-%d %H:%M} UTC", "machine": measured.machine()}
        print(text(found), flush=True)
        if not options.small:
            kept = json.loads(MEASURED.read_text(encoding="utf-8")) if MEASURED.exists() else {}
            MEASURED.write_text(json.dumps(kept | {name: found}, indent=2) + "\n", encoding="utf-8")
            measured.write(name, text(found), RUNBOOK)
    return 0


if __name__ == "__main__":
    sys.exit(main())
