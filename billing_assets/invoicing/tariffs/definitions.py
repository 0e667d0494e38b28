"""What Dagster shows of tariffs, prices and profiles."""

import dagster as dg

from billing_assets.foundation.settings import Settings
from billing_assets.invoicing.tariffs.assets import price_series, profiles, tariffs


def build(settings: Settings) -> dg.Definitions:
    """The assets."""
    return dg.Definitions(assets=[tariffs, price_series, profiles])
