"""`make faults`: every fault campaign at full size, and its tables in docs/reliability.md. An hour on a quiet machine.

Each part writes its table when it is through, with the machine, the date and the versions beside it.
"""

import argparse
import json
import logging
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from proving.bad_input import campaign as bad_input
from proving.kills import campaign as kills
from proving.life import campaign as life
from proving.measured import machine, postgresql_version, table, write
from proving.mistakes import play as played
from proving.scenarios.causes import SCENARIOS
from proving.scenarios.measure import play
from proving.scenarios.world import FULL, can_mount

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reliability.md"
MEASURED = PAGE.with_suffix(".json")
_KILL_ROUNDS = 2
_LIFE_SECONDS = 200.0
_INPUT_SECONDS = 120.0


def main() -> int:
    """Runs the parts that are named, or all. Ends with 1 when one is below its mark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", action="append", choices=PARTS, help="default: all")
    parser.add_argument("--scenario", action="append", choices=SCENARIOS, help="play only this one anew")
    options = parser.parse_args()
    well = True
    for part in options.part or PARTS:
        began = datetime.now(UTC)
        named = options.scenario if part == "scenarios" else None
        text, is_well = scenarios(named) if named else PARTS[part]()
        well = well and is_well
        write(part, f"{text}\n\n{_where_and_when(began)}", PAGE)
    return 0 if well else 1


def scenarios(names: Iterable[str] = SCENARIOS) -> tuple[str, bool]:
    """The fault scenarios on the real daemon. Of those that are not named, the table keeps what was measured last."""
    found: dict[str, dict[str, Any]] = json.loads(MEASURED.read_text(encoding="utf-8")) if MEASURED.exists() else {}
    for name in names:
        if SCENARIOS[name].volume_megabytes and not can_mount():
            print(f"{name}: left out, it needs to mount a small volume, which only root may", flush=True)
            continue
        began = datetime.now(UTC)
        folder = Path(tempfile.mkdtemp(prefix="billing-faults-"))
        try:
            result = play(name, folder / "world", FULL, dagster=True)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        found[name] = result._asdict() | {"mark": result.at_its_mark, "measured": f"{began:%Y-%m-%d %H:%M} UTC"}
        print(name, found[name], flush=True)
    MEASURED.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    columns = ["scenario", "documents", "lost", "doubled", "cents off", "recovery", "before", "during", "after", "mark"]
    rows = [
        [
            f"`{name}`",
            f"{found[name]['documents']:,}",
            *(found[name][field] for field in ("documents_lost", "documents_doubled", "cents_off")),
            _number(found[name]["recovery_seconds"], " s"),
            *(_number(found[name][field]) for field in ("before", "during", "after")),
            "reached" if found[name]["mark"] else "**below**",
        ]
        for name in SCENARIOS
        if name in found
    ]
    return table(columns, rows), all(one["mark"] for one in found.values())


def kill_points() -> tuple[str, bool]:
    """Real SIGKILLs at named points."""
    rows = kills.run(_KILL_ROUNDS)
    columns = ["killed", "kills", "documents", "lost", "doubled", "cents off", "sent again", "recovery, median", "most"]
    cells = [
        [
            row.point,
            row.kills,
            f"{row.documents:,}",
            row.lost,
            row.doubled,
            row.cents_off + row.unequal,
            row.sent_again,
            _number(row.seconds_to_recover_median, " s"),
            _number(row.seconds_to_recover_max, " s"),
        ]
        for row in rows
    ]
    well = not any(row.lost + row.doubled + row.cents_off + row.unequal + row.sent_again + row.failed for row in rows)
    return table(columns, cells), well


def lives() -> tuple[str, bool]:
    """The model of a document's life. A violated invariant ends it with its example."""
    found = life.run(_LIFE_SECONDS)
    steps = sorted(found.by_step.items(), key=lambda step: -step[1])
    told = ", ".join(f"{name} {count:,}" for name, count in steps)
    return f"{found.examples:,} lives of {found.steps:,} steps, no invariant violated. Steps: {told}.", True


def inputs() -> tuple[str, bool]:
    """Bad input in quantity."""
    rows = bad_input.run(_INPUT_SECONDS)
    columns = ["what", "inputs tried", "crashes", "documents lost", "unknowns misjudged"]
    cells = [[row.what, f"{row.inputs:,}", row.crashes, row.documents_lost, row.unknowns_misjudged] for row in rows]
    return table(columns, cells), not any(row.crashes + row.documents_lost + row.unknowns_misjudged for row in rows)


def mistakes() -> tuple[str, bool]:
    """Operators' mistakes. One that is not refused or told as it should be ends it with what was seen instead."""
    columns = ["mistake", "documents", "lost", "doubled", "cents off", "refused or told"]
    columns += ["what the operator did", "after that: all posted"]
    found = []
    logging.disable()  # Dagster's console
    try:
        for result in played.run():
            print(result, flush=True)
            found.append(result)
    finally:
        logging.disable(logging.NOTSET)
    cells = [
        [
            f"`{one.name}`",
            f"{one.documents:,}",
            one.lost,
            one.doubled,
            one.cents_off + one.unequal,
            one.told,
            "; ".join(one.did) or "nothing",
            "yes" if one.all_posted else "**no**",
        ]
        for one in found
    ]
    return table(columns, cells), all(one.whole for one in found)


PARTS: dict[str, Callable[[], tuple[str, bool]]] = {
    "scenarios": scenarios,
    "kill_points": kill_points,
    "lives": lives,
    "inputs": inputs,
    "mistakes": mistakes,
}


def _number(value: float | None, unit: str = "") -> str:
    return "-" if value is None else f"{value:.1f}{unit}"


def _where_and_when(began: datetime) -> str:
    return (
        f"{began:%Y-%m-%d %H:%M} UTC, {machine()}; Python {platform.python_version()}, "
        f"PostgreSQL {postgresql_version()}, Dagster {version('dagster')}."
    )


if __name__ == "__main__":
    sys.exit(main())
