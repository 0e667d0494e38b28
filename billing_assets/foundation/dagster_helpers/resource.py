"""What Dagster hands out as `billing`: to sensors and schedules the process's runtime, to every run one of its own.

A process may carry out many runs (a Celery worker's does): each reads the mapping again, and closes what it opened.
"""

from collections.abc import Iterator
from dataclasses import replace

import dagster as dg

from billing_assets.foundation.database.presence import present
from billing_assets.foundation.runtime import Runtime


def billing_resource(runtime: Runtime) -> dg.ResourceDefinition:
    """The resource `billing` on a runtime. A run shows that it lives for as long as it has it."""

    @dg.resource(description="Database, billing system, mapping and NetSuite, as the settings name them.")
    def billing(context: dg.InitResourceContext) -> Iterator[Runtime]:
        if context.run is None:
            yield runtime
            return
        with (
            replace(runtime).opened() as own,
            present(own.database_url, context.run.run_id, own.settings.batches.lease_seconds),
        ):
            with own.state() as connection:
                own.compare(connection)
            yield own

    return billing
