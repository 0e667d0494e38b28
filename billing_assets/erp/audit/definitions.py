"""The audit in Dagster."""

import dagster as dg

from billing_assets.erp.audit.assets import audit_assets
from billing_assets.erp.audit.automation import AUDIT_JOB, audit_schedule
from billing_assets.foundation.settings import Settings


def build(settings: Settings) -> dg.Definitions:
    """What is open of a month and what auditors look at, and when both are made."""
    audits = audit_assets(settings)
    audit_job = dg.define_asset_job(AUDIT_JOB, selection=audits, description="Report and audit a billing month.")
    return dg.Definitions(assets=audits, jobs=[audit_job], schedules=[audit_schedule(settings)])
