"""One run of one batch without Dagster: its key and run id from the command line, its settings from the environment."""

import sys

from billing_assets.erp.batches.ledger import DOCUMENTS, lease_policy
from billing_assets.erp.netsuite.resource import NetSuite
from billing_assets.erp.netsuite.sink import netsuite_sink, run_policy
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import load_settings
from billing_assets.posting.batch_lease import holding
from billing_assets.posting.run import post_through_outages


def main(key: str, run_id: str) -> None:
    """Posts what is left of the batch."""
    runtime = Runtime(load_settings())
    with (
        runtime.state() as connection,
        holding(
            runtime.database_url,
            connection,
            DOCUMENTS,
            key,
            run_id,
            lease_policy(runtime.settings),
            retry_rejected=False,
        ) as lease,
        runtime.of(NetSuite).lanes() as lanes,
    ):
        sink = netsuite_sink(
            runtime.of(NetSuite).client, runtime.of(NetSuite).mapping, runtime.settings, runtime.of(NetSuite).recheck()
        )
        post_through_outages(runtime.database_url, sink, lanes, lease, run_policy(runtime.settings))


if __name__ == "__main__":
    main(*sys.argv[1:])
