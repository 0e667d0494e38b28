"""The partitions of everything that is done by billing month."""

import dagster as dg

from billing_assets.erp.settings import CloseSettings
from billing_assets.foundation.settings import Settings


def month_partitions(settings: Settings) -> dg.MonthlyPartitionsDefinition:
    """Every month since the first one of the settings, the current one included."""
    return dg.MonthlyPartitionsDefinition(settings.of(CloseSettings).first_month, fmt="%Y-%m", end_offset=1)
