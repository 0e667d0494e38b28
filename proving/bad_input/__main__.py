"""`python -m proving.bad_input --seconds 300`: tries bad input and prints what came of it."""

import argparse
import sys

from proving.bad_input.campaign import run


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    found = run(parser.parse_args().seconds)
    print(f"{'inputs':>10} {'crashes':>8} {'lost':>6} {'misjudged':>10} {'seconds':>8}  what")
    for row in found:
        counts = f"{row.inputs:>10,} {row.crashes:>8} {row.documents_lost:>6} {row.unknowns_misjudged:>10}"
        print(f"{counts} {row.seconds:>8.1f}  {row.what}")
    return int(any(row.crashes or row.documents_lost or row.unknowns_misjudged for row in found))


if __name__ == "__main__":
    sys.exit(main())
