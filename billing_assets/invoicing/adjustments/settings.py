"""What can be set of memos, charges by hand and adjustments."""

from decimal import Decimal
from typing import ClassVar

from pydantic import Field

from billing_assets.foundation.sections import Section


class AdjustmentSettings(Section):
    """What one person may charge or credit alone."""

    section: ClassVar[str] = "invoice_adjustments"

    check_above: Decimal = Field(
        Decimal(100), ge=0, description="An amount above this, charged or credited, is checked by another person"
    )
