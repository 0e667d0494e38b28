"""What can be set of back-casting, by tariff."""

from datetime import date
from decimal import Decimal
from typing import ClassVar, Literal

from pydantic import Field, NonNegativeInt, field_validator

from billing_assets.foundation.sections import Section

Answer = Literal["adjust_next", "cancel_rebill", "log"]
_ALL = "*"


class BackCastSettings(Section):
    """What follows when newer prices or profiles change an issued bill. `*`: all other tariffs."""

    section: ClassVar[str] = "back_casting"

    first_day: date = Field(date(2026, 1, 1), description="The first day that has a partition of back_casts")
    cron: str = Field("45 5 * * *", description="When bills are rated again (cron, in `calendar.time_zone`)")
    threshold: dict[str, Decimal] = Field(
        {_ALL: Decimal("0.50")},
        description="By tariff (`*`: all others) the difference, in its currency, below which it is only logged. In "
        'the environment as JSON: {"*": 0.50, "SPOT": 2}',
    )
    answer: dict[str, Answer] = Field(
        {_ALL: "adjust_next"},
        description="By tariff: `adjust_next` (a line on the next bill), `cancel_rebill` or `log`",
    )
    days: dict[str, NonNegativeInt] = Field(
        {_ALL: 400}, description="By tariff the days after the end of a bill in which it is rated again"
    )
    final_minimum: Decimal = Field(
        Decimal("5.00"),
        ge=0,
        description="A difference after the final bill below this is written off, and above it a document of its own",
    )

    @field_validator("threshold", "answer", "days")
    @classmethod
    def _for_all(cls, value: dict[str, object]) -> dict[str, object]:
        if _ALL not in value:
            raise ValueError("needs a value for `*`, all other tariffs")
        return value

    def threshold_of(self, tariff: str) -> Decimal:
        """Of a tariff."""
        return self.threshold.get(tariff, self.threshold[_ALL])

    def answer_of(self, tariff: str) -> Answer:
        """Of a tariff."""
        return self.answer.get(tariff, self.answer[_ALL])

    def days_of(self, tariff: str) -> int:
        """Of a tariff."""
        return self.days.get(tariff, self.days[_ALL])

    @property
    def most_days(self) -> int:
        """Of any tariff."""
        return max(self.days.values())
