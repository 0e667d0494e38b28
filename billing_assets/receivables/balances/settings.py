"""What can be set of balances, aging and late fees."""

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from billing_assets.foundation.sections import Section


class ReceivablesSettings(Section):
    """Where balances are read, and late fees."""

    section: ClassVar[str] = "receivables"

    balances_from: Literal["netsuite", "billing_system"] = Field(
        "netsuite", description="Where payments and open balances are read; billing_system needs a receivables.sql"
    )
    cron: str = Field("15 4 * * *", description="When balances are read and aged (cron, in `calendar.time_zone`)")
    late_fees: Path | None = Field(None, description="File with the rules of late fees; without one there are none")
