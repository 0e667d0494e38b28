"""What can be set of the quality checks before release: thresholds, for all customers and by class."""

from decimal import Decimal
from typing import ClassVar

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from billing_assets.foundation.sections import Section


class Thresholds(Section):
    """The thresholds of the quality checks. Which of them run, and how severe they are, says each bill group."""

    section: ClassVar[str] = "invoice_quality"

    high: Decimal = Field(Decimal(2), gt=1, description="A total above so many times the mean of earlier bills is high")
    low: Decimal = Field(Decimal("0.5"), ge=0, lt=1, description="A total below so many times that mean is low")
    least_bills: PositiveInt = Field(2, description="Earlier bills that a total is compared with, at least")
    very_high: Decimal = Field(Decimal(5000), gt=0, description="Ceiling of a total, in the bill's currency")
    least_price: Decimal = Field(Decimal("0.02"), ge=0, description="Lowest plausible net amount a kWh")
    most_price: Decimal = Field(Decimal(2), gt=0, description="Highest plausible net amount a kWh")
    passthrough_percent: PositiveInt = Field(80, description="Usual share of the utility's charges, at most")
    estimated_percent: NonNegativeInt = Field(20, description="Share of a batch that may be estimated")
    batch_percent: PositiveInt = Field(
        25, description="How far a batch may be off the last bills of its customers, in count or money"
    )
    batch_least: PositiveInt = Field(20, description="Bills of a batch that are compared with the last ones, at least")
    least_due_days: NonNegativeInt = Field(16, description="Days from issue to the due date that the law asks for")
    languages: frozenset[str] = Field(frozenset({"en"}), description="Languages that there are templates in")
    sample_first: NonNegativeInt = Field(10, description="Bills of a new group that are all drawn for review")
    sample_every: PositiveInt = Field(50, description="Then one of so many is drawn, by a hash of its number")
    tax_expected: bool = Field(True, description="Whether a bill of a customer without exemption has tax")
    by_class: dict[str, dict[str, Decimal]] = Field(
        {},
        description="Other thresholds by customer class; in the environment as JSON: "
        '{"industrial": {"very_high": 250000}}',
    )

    @model_validator(mode="after")
    def _known(self) -> "Thresholds":
        if self.most_price < self.least_price:
            raise ValueError("most_price is less than least_price")
        for name, own in self.by_class.items():
            if unknown := sorted(own.keys() - type(self).model_fields.keys() | own.keys() & {"by_class", "languages"}):
                raise ValueError(f"by_class.{name} has {unknown[0]}, which is no threshold")
            self.of_class(name)
        return self

    def of_class(self, name: str) -> "Thresholds":
        """The thresholds of a customer class."""
        if name not in self.by_class:
            return self
        return Thresholds.model_validate(self.model_dump(exclude={"by_class"}) | self.by_class[name])
