"""What can be set of payment reminders."""

from datetime import date
from pathlib import Path
from typing import ClassVar

from pydantic import Field, PositiveFloat, PositiveInt, SecretStr

from billing_assets.foundation.sections import Section


class ReminderSettings(Section):
    """Payment reminders by e-mail. What is sent, when and in whose name is in the ladder file."""

    section: ClassVar[str] = "reminders"

    enabled: bool = Field(False, description="Whether reminders are sent; without it nothing ever leaves")
    ladder: Path | None = Field(None, description="The ladder file; default: the one that ships, config/reminders.yaml")
    templates: Path | None = Field(None, description="Folder with your own templates, which win over those that ship")
    smtp_url: SecretStr | None = Field(
        None, description="Mail server: smtp://user:password@host:587 (STARTTLS) or smtps://user:password@host:465"
    )
    per_minute: PositiveInt = Field(300, description="Most mails in a minute")
    not_before: date | None = Field(
        None, description="The day on which you begin (YYYY-MM-DD): what fell due for sending earlier is never sent"
    )
    balances_max_age_hours: PositiveFloat = Field(
        26,
        description="No reminder is sent about a balance, and no late fee approved, that was read longer ago than this",
    )
