"""When readings are validated, and the shapes of customer classes."""

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from billing_assets.foundation.sections import Section
from billing_assets.foundation.settings import SettingsError, variable
from billing_assets.metering.validation.profiles import Profile, ProfileError, hourly_profile


class ValidationSettings(Section):
    """Which months are validated, and when; and how estimates are shaped."""

    section: ClassVar[str] = "meter_validation"

    first_month: Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")] = Field(
        "2025-01", description="The first month (YYYY-MM) that has a partition of validated_readings"
    )
    hour: int = Field(4, ge=0, le=23, description="Hour of the day at which the last two months are validated")
    profiles: dict[str, Path] = Field(
        {},
        description="Class profiles for estimates: by customer class a file with 8,760 hours of a year, one number a "
        'line, in standard time; in the environment as JSON: {"home": "/etc/billing/home.dat"}',
    )

    def class_profiles(self) -> dict[str, Profile]:
        """The profiles by customer class. Raises SettingsError."""
        found = {}
        for customer_class, path in self.profiles.items():
            try:
                found[customer_class] = hourly_profile(path.name, path.read_text(encoding="utf-8"))
            except (OSError, UnicodeDecodeError, ProfileError) as error:
                name = variable("meter_validation.profiles")
                raise SettingsError(f"{name}: the profile of {customer_class} cannot be read: {error}") from None
        return found
