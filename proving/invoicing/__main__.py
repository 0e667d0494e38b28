"""`python -m proving.invoicing`: 5,000 customers under ten SIGKILLs, and 2,000 on Celery workers; some minutes."""

import argparse
import sys
import tempfile
from pathlib import Path

from proving.invoicing import killing, on_celery
from proving.world import servers


def main() -> int:
    """Plays both, prints what came of them. Ends with 1 when an invoice is not as in peace."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=5_000, help="of the world that is killed, two periods each")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--worker-customers", type=int, default=2_000, help="of the world on Celery workers")
    parser.add_argument("--seed", type=int, help="of the moments at which processes are killed")
    options = parser.parse_args()
    if servers.redis_program() is None:
        sys.exit("This needs redis-server: apt-get install redis-server")
    with tempfile.TemporaryDirectory(prefix="billing-invoicing-") as folder:
        killed = killing.play(Path(folder) / "kills", options.customers, options.kills, seed=options.seed)
        print(killed, flush=True)
        worked = on_celery.play(Path(folder) / "workers", options.worker_customers)
        print(worked, flush=True)
    return 0 if killed.whole and killed.kills == options.kills and worked.whole else 1


if __name__ == "__main__":
    sys.exit(main())
