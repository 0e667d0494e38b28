"""What can be set of staging."""

from typing import ClassVar

from pydantic import Field, PositiveInt

from billing_assets.foundation.sections import Section


class StagingSettings(Section):
    """When staging runs and how far back it looks."""

    section: ClassVar[str] = "staging"

    cron: str = Field("0 6,10,14,18,22 * * *", description="When staging runs (cron, UTC)")
    overlap_minutes: PositiveInt = Field(
        1440,
        description="How far behind the watermark new documents are looked for again (late commits, clock skew)",
    )
    drift_days: int = Field(
        45,
        ge=0,
        description="How long after posting a document is compared at every staging; later it is every night, and when "
        "its month's totals differ",
    )
    detect_seconds: int = Field(
        60,
        ge=0,
        description="How often the sensor looks for newly closed documents; 0 leaves it to the schedule",
    )
