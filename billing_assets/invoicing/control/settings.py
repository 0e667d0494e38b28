"""When the billing of a day is reported, and over which months every kWh is explained."""

from typing import Annotated, ClassVar

from pydantic import Field, PositiveInt

from billing_assets.foundation.sections import Section


class ControlSettings(Section):
    """The daily billing report, and the check over every kWh."""

    section: ClassVar[str] = "billing_control"

    first_day: Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$")] = Field(
        "2026-01-01", description="The first day (YYYY-MM-DD) that has a partition of daily_billing_report"
    )
    hour: int = Field(6, ge=0, le=23, description="Hour of the day at which the day before is reported")
    months: PositiveInt = Field(3, description="Months, the current one included, of which every kWh is explained")
    bill_within_days: PositiveInt = Field(
        30, description="Days from complete usage and charges within which the bill is due to the customer"
    )
