"""What Dagster shows of files that come in."""

import dagster as dg

from billing_assets.foundation.settings import Settings
from billing_assets.metering.assets import files_are_in_their_messages, market_messages, meter_readings, raw_files
from billing_assets.metering.automation import IMPORT_JOB, watch_input_folders_sensor


def build(settings: Settings) -> dg.Definitions:
    """Assets, check, job and sensor."""
    assets = [raw_files, market_messages, meter_readings]
    job = dg.define_asset_job(
        IMPORT_JOB,
        selection=assets,
        description="Take in the files of the input folders: store them, read them, move them; no file is taken twice.",
    )
    return dg.Definitions(
        assets=assets,
        asset_checks=[files_are_in_their_messages],
        jobs=[job],
        sensors=[watch_input_folders_sensor(settings)],
    )
