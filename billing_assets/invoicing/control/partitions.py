"""The partitions of what is reported day by day."""

import dagster as dg

from billing_assets.foundation.settings import Settings
from billing_assets.invoicing.control.settings import ControlSettings


def billing_days(settings: Settings) -> dg.DailyPartitionsDefinition:
    """Every business day since the first one of the settings, the current one included."""
    return dg.DailyPartitionsDefinition(
        settings.of(ControlSettings).first_day, timezone=settings.calendar.time_zone, end_offset=1
    )
