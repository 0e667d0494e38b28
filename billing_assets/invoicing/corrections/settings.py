"""What can be set of corrections."""

from decimal import Decimal
from typing import ClassVar

from pydantic import Field

from billing_assets.foundation.sections import Section
from billing_assets.invoicing.corrections.correcting import Limits
from billing_assets.invoicing.invoices.settings import Thresholds


class CorrectionSettings(Section):
    """When an issued invoice is cancelled and billed again without a person."""

    section: ClassVar[str] = "corrections"

    threshold: Decimal = Field(
        Decimal("1.00"),
        ge=0,
        description="A smaller difference between an estimate and the actual, in the invoice's currency, is on the "
        "next bill; nothing is cancelled for it",
    )
    ask_above: Decimal = Field(
        Decimal(500),
        ge=0,
        description="A rebill by which a customer owes more than this, in the invoice's currency, waits for a person",
    )

    def limits(self, checks: Thresholds) -> Limits:
        """For the corrections. `checks`: of the checks before release."""
        return Limits(self.threshold, self.ask_above, checks)
