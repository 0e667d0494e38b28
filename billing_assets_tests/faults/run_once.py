"""One run over one batch in a process of its own, to be killed: reads its orders as JSON from standard input.

Writes `locked` when it holds the batch and `done` at the end; exits with 3 when it finds that it lost its hold.
"""

import json
import sys

from billing_assets.batches.lease import holding
from billing_assets.batches.store import StaleLockError
from billing_assets.netsuite.client import NetSuiteClient
from billing_assets.netsuite.lanes import Lanes
from billing_assets.netsuite.posting import post_batch
from billing_assets.settings import BatchSettings, NetSuiteSettings, Settings
from billing_assets.state.database import connect
from billing_assets_tests.builders import shipped_mapping

STALE = 3


def main() -> int:
    orders = json.loads(sys.stdin.read())
    settings = Settings(
        netsuite=NetSuiteSettings(**orders["netsuite"]), batches=BatchSettings(lease_seconds=orders["lease_seconds"])
    )
    url, netsuite = orders["url"], settings.netsuite
    try:
        with (
            connect(url) as connection,
            holding(url, connection, orders["key"], orders["run_id"], settings, retry_rejected=False) as lease,
            Lanes(url, netsuite.account, netsuite.lanes, lease_seconds=orders["lease_seconds"]) as lanes,
        ):
            print("locked", flush=True)
            post_batch(connection, NetSuiteClient(netsuite), lanes, shipped_mapping(), lease, settings)
    except StaleLockError:
        return STALE
    print("done", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
