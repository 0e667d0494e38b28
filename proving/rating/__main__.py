"""`python -m proving.rating --cases 2000 --seed 1`: the rating engine against the oracle, over random cases."""

import argparse
import json
import sys
from pathlib import Path

from proving.rating import compare, engine, generate
from proving.rating.bill import Json


def main() -> int:
    """Prints each difference with the smallest case that shows it. Ends with 1 when there is one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--keep", type=Path, help="folder for the smallest case of each difference")
    parser.add_argument("--shrink", type=int, default=20, help="how many differing cases are made smaller")
    options = parser.parse_args()
    if not engine.there():
        sys.exit("This version has no `billing rate`.")
    shown = 0

    def report(n: int, case: Json, found: list[compare.Difference]) -> None:
        nonlocal shown
        shown += 1
        print(f"case {options.first + n} of seed {options.seed}", *found, sep="\n  ", flush=True)
        if shown > options.shrink:
            return
        small = compare.smallest(case, engine.rate)
        print("  smallest:", *compare.differences(small, engine.rate), sep="\n    ")
        if options.keep:
            options.keep.mkdir(parents=True, exist_ok=True)
            path = options.keep / f"seed{options.seed}-{options.first + n}.json"
            path.write_text(json.dumps(small, indent=1) + "\n", encoding="utf-8")
        else:
            print("   ", json.dumps(small)[:3000])

    make = lambda n: generate.case(options.seed, options.first + n)  # noqa: E731
    differing = compare.campaign(make, options.cases, engine.rate, report)
    print(f"{options.cases} cases, {differing} differ")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
