"""What Dagster shows of files that come in."""

import dagster as dg

from billing_assets.foundation.settings import Settings
from billing_assets.metering.assets import (
    every_folder_gets_files,
    files_are_in_their_messages,
    market_messages,
    meter_readings,
    raw_files,
)
from billing_assets.metering.automation import IMPORT_JOB, watch_input_folders_sensor
from billing_assets.metering.usage.assets import billable_usage, utility_charges


def build(settings: Settings) -> dg.Definitions:
    """Assets, checks, job and sensor."""
    assets = [raw_files, market_messages, meter_readings]
    job = dg.define_asset_job(
        IMPORT_JOB,
        # Their checks are of every night: what waits is not late at each file.
        selection=dg.AssetSelection.assets(*assets)
        | dg.AssetSelection.assets(billable_usage, utility_charges).without_checks(),
        description="Take in the files of the input folders: store them, read them, move them; no file is taken twice. "
        "Usage and charges are settled.",
    )
    return dg.Definitions(
        assets=assets,
        asset_checks=[files_are_in_their_messages, every_folder_gets_files],
        jobs=[job],
        sensors=[watch_input_folders_sensor(settings)],
    )
