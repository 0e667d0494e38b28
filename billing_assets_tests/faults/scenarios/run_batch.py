"""One run of one batch without Dagster: its key and run id from the command line, its settings from the environment."""

import sys

from billing_assets.batches.lease import holding
from billing_assets.netsuite.posting import post_through_outages
from billing_assets.runtime import Runtime
from billing_assets.settings import load_settings


def main(key: str, run_id: str) -> None:
    """Posts what is left of the batch."""
    runtime = Runtime(load_settings())
    with (
        runtime.state() as connection,
        holding(runtime.database_url, connection, key, run_id, runtime.settings, retry_rejected=False) as lease,
        runtime.lanes() as lanes,
    ):
        post_through_outages(
            runtime.database_url,
            runtime.netsuite,
            lanes,
            runtime.mapping,
            lease,
            runtime.settings,
            runtime.recheck(),
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
