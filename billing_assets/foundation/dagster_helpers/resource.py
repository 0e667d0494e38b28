"""What Dagster hands out as `billing`: to sensors and schedules the process's runtime, to every run one of its own.

A process may carry out many runs (a Celery worker's does): each reads the mapping again, and closes what it opened.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import dagster as dg

from billing_assets.foundation.database.presence import present
from billing_assets.foundation.errors import BillingError
from billing_assets.foundation.runtime import NotStarted, Runtime


def billing_resource(runtime: Runtime) -> dg.ResourceDefinition:
    """The resource `billing` on a runtime. A run shows that it lives for as long as it has it. Where it cannot start,
    the run's steps say why, and what to do."""

    @dg.resource(description="Database, billing system, mapping and NetSuite, as the settings name them.")
    def billing(context: dg.InitResourceContext) -> Iterator[Runtime]:
        if context.run is None:
            yield runtime
            return
        with replace(runtime).opened() as own, ExitStack() as shown:
            try:
                shown.enter_context(present(own.database_url, context.run.run_id, own.settings.batches.lease_seconds))
                with own.state() as connection:
                    own.compare(connection)
            except Exception as error:
                if _is_tried_again(context, context.run, error):
                    raise
                yield NotStarted(own.settings, own.may_start_server, error=error)
            else:
                yield own

    return billing


def _is_tried_again(context: dg.InitResourceContext, run: dg.DagsterRun, error: Exception) -> bool:
    """Whether Dagster starts the run again. It does so where a resource cannot start, and shows nothing of it but the
    error's bare text; a step can say what to do, and is tried once. So the last failure is left to the step, and what
    no second try can help."""
    if isinstance(error, BillingError) and not error.retryable:
        return False
    instance = context.instance
    if instance is None or not instance.run_retries_enabled:
        return False
    most = int(run.tags.get("dagster/max_retries", instance.run_retries_max_retries))
    return int(run.tags.get("dagster/retry_number", 0)) < most
