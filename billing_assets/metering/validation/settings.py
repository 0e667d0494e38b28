"""When readings are validated."""

from typing import Annotated, ClassVar

from pydantic import Field

from billing_assets.foundation.sections import Section


class ValidationSettings(Section):
    """Which months are validated, and when."""

    section: ClassVar[str] = "meter_validation"

    first_month: Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")] = Field(
        "2025-01", description="The first month (YYYY-MM) that has a partition of validated_readings"
    )
    hour: int = Field(4, ge=0, le=23, description="Hour of the day at which the last two months are validated")
