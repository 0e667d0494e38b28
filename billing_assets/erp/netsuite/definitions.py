"""NetSuite in Dagster."""

import dagster as dg

from billing_assets.erp.netsuite.assets import netsuite_account, netsuite_invoices
from billing_assets.erp.netsuite.automation import (
    checks_job,
    checks_schedule,
    post_job,
    preview_batch,
    preview_document,
)
from billing_assets.erp.netsuite.checks import no_batch_left_behind
from billing_assets.foundation.settings import Settings


def build(_: Settings) -> dg.Definitions:
    """Transactions in NetSuite, their account, the job that posts a batch, and the checks over everything."""
    return dg.Definitions(
        assets=[netsuite_invoices, netsuite_account],
        asset_checks=[no_batch_left_behind],
        jobs=[post_job, preview_batch, preview_document, checks_job],
        schedules=[checks_schedule],
    )
