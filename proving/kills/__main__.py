"""`python -m proving.kills --rounds N`: prints one row per point; exits with 1 for any miss."""

import argparse
import signal
import sys

from proving.kills.campaign import KillRow, rows


def main() -> int:
    """Runs the campaign."""
    parser = argparse.ArgumentParser(prog="python -m proving.kills", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10, help="backlogs per point (default: %(default)s)")
    parser.add_argument("--seed", type=int, help="for the same draws of points and passings again")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(143))  # so that everything started is stopped
    print(" | ".join(KillRow._fields), flush=True)
    failed = 0
    for row in rows(options.rounds, options.seed):
        print(" | ".join(str(value) for value in row), flush=True)
        failed += row.failed
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
