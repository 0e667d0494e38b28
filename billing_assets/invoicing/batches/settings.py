"""What can be set of the validations before an invoice: tolerances, days, factors, limits."""

from decimal import Decimal
from typing import ClassVar

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from billing_assets.foundation.sections import Section


class Parameters(Section):
    """The parameters of the validations. Which of them run, and how severe they are, says each bill group."""

    section: ClassVar[str] = "invoice_validation"

    approval_tariffs: frozenset[str] = Field(
        frozenset(), description="Tariffs whose usage a person approves, besides the agreements that ask for it"
    )
    adjustment_types: frozenset[str] = Field(
        frozenset({"AJ", "RO"}), description="Report types of an 867 (BPT04) that are no normal read"
    )
    read_tolerance: Decimal = Field(
        Decimal(0), ge=0, description="How far the begin read may be from the last end read"
    )
    date_days: NonNegativeInt = Field(0, description="Days by which a period may begin off the end of the last one")
    gap_days: NonNegativeInt = Field(0, description="Days before a period that may stay unbilled")
    charges_days: NonNegativeInt = Field(2, description="Days by which the utility's charges may be off the usage")
    most_unbilled: PositiveInt = Field(1, description="Unbilled periods that a meter may have")
    least_days: PositiveInt = Field(25, description="Days of the shortest usual period")
    most_days: PositiveInt = Field(35, description="Days of the longest usual period")
    orphan_days: PositiveInt = Field(3, description="Days that usage and charges may wait for each other")
    orphan_error_days: PositiveInt = Field(
        20, description="Days of waiting for charges that are an error: the bill is due in 30"
    )
    missing_intervals: NonNegativeInt = Field(0, description="Intervals of a period that may be missing")
    sum_kwh: Decimal = Field(
        Decimal(2), ge=0, description="kWh by which intervals and register may differ, where the percentage is less"
    )
    sum_percent: Decimal = Field(Decimal(1), ge=0, description="See `sum_kwh`; of the register")
    zero_periods: PositiveInt = Field(1, description="Periods of zero that are reported")
    high: Decimal = Field(Decimal("2.0"), gt=1, description="Usage a day above so many times the usage before is high")
    low: Decimal = Field(
        Decimal("0.5"), ge=0, lt=1, description="Usage a day below so many times the usage before is low"
    )
    least_history: PositiveInt = Field(2, description="Bills that usage is compared with, at least")
    estimates_warning: PositiveInt = Field(2, description="Estimates in a row that are a warning")
    estimates_error: PositiveInt = Field(4, description="Estimates in a row that are an error")
    exemption_days: NonNegativeInt = Field(30, description="Days before the end of an exemption that are reported")
    email_bounces: PositiveInt = Field(3, description="Bounces after which a bill is paper")
    back_bill_months: dict[str, NonNegativeInt] = Field(
        {"*": 12},
        description="Months that may be billed back, by customer class, place (tax code) or `class/place`; `*`: all "
        'others. In the environment as JSON: {"residential": 12, "residential/TX": 6, "*": 36}',
    )
    deadline_day: PositiveInt = Field(20, description="Day of the 30 for a bill from which it is reported")

    @model_validator(mode="after")
    def _in_order(self) -> "Parameters":
        if self.most_days < self.least_days:
            raise ValueError("most_days is less than least_days")
        if self.estimates_error < self.estimates_warning:
            raise ValueError("estimates_error is less than estimates_warning")
        if self.orphan_error_days < self.orphan_days:
            raise ValueError("orphan_error_days is less than orphan_days")
        return self

    def months_back(self, customer_class: str, places: list[str]) -> int | None:
        """Months that may be billed back for a class at these places, the fewest; None: there is no limit."""
        of_both = [f"{customer_class}/{place}" for place in places]
        for names in (of_both, [customer_class], places, ["*"]):
            if found := [self.back_bill_months[name] for name in names if name in self.back_bill_months]:
                return min(found)
        return None
