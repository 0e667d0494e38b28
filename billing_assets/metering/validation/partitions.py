"""The partitions of everything that is validated by month."""

import dagster as dg

from billing_assets.foundation.settings import Settings
from billing_assets.metering.validation.settings import ValidationSettings


def reading_months(settings: Settings) -> dg.MonthlyPartitionsDefinition:
    """Every month since the first one of the settings, the current one included."""
    return dg.MonthlyPartitionsDefinition(settings.of(ValidationSettings).first_month, fmt="%Y-%m", end_offset=1)
