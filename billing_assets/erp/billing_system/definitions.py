"""The billing system in Dagster."""

import dagster as dg

from billing_assets.erp.billing_system.assets import billing_invoices, lines_have_a_header
from billing_assets.foundation.settings import Settings


def build(_: Settings) -> dg.Definitions:
    """The source's documents and the check over all their lines."""
    return dg.Definitions(assets=[billing_invoices], asset_checks=[lines_have_a_header])
