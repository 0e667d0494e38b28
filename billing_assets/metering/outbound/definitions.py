"""What Dagster shows of interchanges for partners."""

import dagster as dg

from billing_assets.foundation.settings import Settings
from billing_assets.metering.outbound.assets import outbound_interchanges
from billing_assets.metering.outbound.automation import SEND_JOB, resend_outbound_interchange, send_when_due_sensor


def build(settings: Settings) -> dg.Definitions:
    """Asset, jobs and sensor."""
    job = dg.define_asset_job(
        SEND_JOB,
        selection=[outbound_interchanges],
        description="Deliver the interchanges that we made to the folders of their partners. Nothing is sent twice.",
    )
    return dg.Definitions(
        assets=[outbound_interchanges],
        jobs=[job, resend_outbound_interchange],
        sensors=[send_when_due_sensor(settings)],
    )
