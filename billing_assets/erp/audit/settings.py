"""What can be set of the audit."""

from decimal import Decimal
from typing import Annotated, ClassVar

from pydantic import Field

from billing_assets.foundation.sections import Section


class AuditSettings(Section):
    """Reporting and auditing a billing month."""

    section: ClassVar[str] = "audit"

    cron: str = Field(
        "0 4 2 * *", description="When last month is reported and audited (cron, in `calendar.time_zone`)"
    )
    closed: bool = Field(False, description="Audit the month's closed documents too, not only those still open")
    percent: Annotated[Decimal, Field(ge=0)] = Field(
        Decimal(50), description="How far an amount may be from the usual one before it is a finding, in per cent"
    )
    history_months: Annotated[int, Field(ge=3, le=24)] = Field(
        6, description="How many months before an audit compares a month with"
    )
