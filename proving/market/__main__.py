"""`python -m proving.market`: 10,000 points under ten SIGKILLs, and 2,000 on Celery workers; minutes on two cores."""

import argparse
import sys
import tempfile
from pathlib import Path

from proving.market import kills, workers
from proving.world import servers


def main() -> int:
    """Plays both, prints what came of them. Ends with 1 when a table is not as in peace."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=10_000, help="service points of the world that is killed")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--worker-points", type=int, default=2_000, help="of the world on Celery workers")
    parser.add_argument("--seed", type=int, help="of the moments at which processes are killed")
    options = parser.parse_args()
    if servers.redis_program() is None:
        sys.exit("This needs redis-server: apt-get install redis-server")
    with tempfile.TemporaryDirectory(prefix="billing-market-") as folder:
        killed = kills.play(Path(folder) / "kills", options.points, options.kills, seed=options.seed)
        print(killed, flush=True)
        worked = workers.play(Path(folder) / "workers", options.worker_points)
        print(worked, flush=True)
    return 0 if killed.whole and killed.kills == options.kills and not worked.differing else 1


if __name__ == "__main__":
    sys.exit(main())
