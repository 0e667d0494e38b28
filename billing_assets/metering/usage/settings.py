"""What can be set of usage and charges."""

from decimal import Decimal
from typing import ClassVar

from pydantic import Field, NonNegativeInt, PositiveInt, field_validator

from billing_assets.foundation.sections import Section
from billing_assets.metering.usage.facts import Options


class UsageSettings(Section):
    """How usage and charges are paired, cancelled and replaced."""

    section: ClassVar[str] = "usage"

    cron: str = Field(
        "45 3 * * *", description="When usage and charges are settled again (cron, in `calendar.time_zone`)"
    )
    credit_wait_days: NonNegativeInt = Field(
        10, description="Days that a credit waits for the replacement, and for the other half of its cancel"
    )
    ageing_days: tuple[PositiveInt, ...] = Field(
        (3, 5, 10), description="Ages in days at which usage without charges, and charges without usage, are reported"
    )
    overlap_percent: PositiveInt = Field(
        90,
        le=100,
        description="Share of the longer period that usage and charges need in common to be suggested as a pair",
    )
    gap_days: NonNegativeInt = Field(0, description="Days between two periods that are not called a gap")
    restated_kwh: Decimal = Field(
        Decimal("0.5"),
        ge=0,
        description="A change of billed usage below this, and below the percentage, is recorded only",
    )
    restated_percent: Decimal = Field(Decimal("0.5"), ge=0, description="See `restated_kwh`")
    without_charges: frozenset[str] = Field(
        frozenset(),
        description="Utilities (their number in N1*8S) that send no 810: their usage is ready without; where one "
        "comes, it is paired all the same",
    )

    @field_validator("ageing_days")
    @classmethod
    def _in_order(cls, days: tuple[int, ...]) -> tuple[int, ...]:
        if not days:
            raise ValueError("name at least one age")
        return tuple(sorted(set(days)))

    def options(self) -> Options:
        """For the machine."""
        return Options(
            self.credit_wait_days,
            self.ageing_days,
            self.overlap_percent,
            self.gap_days,
            self.restated_kwh,
            self.restated_percent,
            self.without_charges,
        )
