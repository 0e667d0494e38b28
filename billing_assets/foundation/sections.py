"""What every area shares of the settings: how a section is written, and the sections that no room has for itself."""

from datetime import UTC, datetime
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, SecretStr, field_validator
from pydantic_settings import NoDecode

from billing_assets.foundation.calendar.business_days import Days, Zones, parse_zone


class Section(BaseModel):
    """Settings of one subject; a name that it does not know is refused. A room's section is named by `section`: the
    `netsuite` of `netsuite.lanes`.
    """

    section: ClassVar[str]

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class BatchSettings(Section):
    """How what waits is cut into batches, and how a run holds one."""

    max_documents: Annotated[int, Field(ge=1, le=1000)] = Field(1000, description="Largest batch")
    at_once_below: Annotated[int, Field(ge=1, le=1000)] = Field(
        500, description="A backlog under this goes at once as one batch; no larger backlog is split finer"
    )
    parallel_runs: PositiveInt = Field(3, description="Batches posted side by side")
    lease_seconds: PositiveFloat = Field(
        6, description="How long a lock lives without being renewed by its run; a dead run is noticed by it"
    )
    stale_lock_minutes: float = Field(
        120, ge=0, description="A lock whose lease ended longer ago than this is given back to the backlog"
    )
    retry_seconds: float = Field(
        30, ge=0, description="How long a batch rests after a run that could not send all of it (login refused, say)"
    )
    sensor_seconds: PositiveInt = Field(
        5, description="How often the planner looks for ready documents and for batches whose run died"
    )


class CalendarSettings(Section):
    """The business day. It is the day of the branch: fees, stops, approvals, aging and the date of a credit memo go by
    it, and a month is over when it is over in every branch.
    """

    time_zone: str = Field(
        "UTC",
        description="Time zone (IANA name) of every branch that `time_zones` does not name, and of the schedules that "
        "read balances and audit a month",
    )
    time_zones: dict[str, str] = Field(
        {},
        description="Time zones of branches, by their names in the billing system; in the environment as JSON: "
        '{"USA": "America/Los_Angeles"}',
    )

    @field_validator("time_zone")
    @classmethod
    def _known(cls, name: str) -> str:
        parse_zone(name)
        return name

    @field_validator("time_zones")
    @classmethod
    def _all_known(cls, names: dict[str, str]) -> dict[str, str]:
        for branch, name in names.items():
            try:
                parse_zone(name)
            except ValueError as error:
                raise ValueError(f"{name!r} of {branch} {error}") from None
        return names

    @property
    def zones(self) -> Zones:
        """The time zone of each branch: what decides which business day it is."""
        return Zones(parse_zone(self.time_zone), {name: parse_zone(zone) for name, zone in self.time_zones.items()})

    def today(self) -> Days:
        """The business day of each branch now."""
        return self.zones.days(datetime.now(UTC))


class AlertSettings(Section):
    """Who gets which alert, and where people look at it."""

    urls: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (),
        description="apprise URLs (mailto://, slack://, msteams://, pagerduty://, json://), separated by spaces",
    )
    window_minutes: PositiveInt = Field(60, description="One message per cause within this time")
    unposted_after_hours: PositiveFloat = Field(24, description="Alert when a closed document waits longer than this")
    watermark_after_hours: PositiveFloat = Field(12, description="Alert when staging has not succeeded for this long")
    check_seconds: PositiveInt = Field(300, description="How often the watch looks")
    ui_url: str = Field(
        "http://127.0.0.1:3000", description="Address of the Dagster web UI, for links in alerts and in failed steps"
    )
    runbook_url: str | None = Field(
        None, description="Where people read docs/operations.md, for links in failed steps; without it they name it"
    )

    @field_validator("urls", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(value.split()) if isinstance(value, str) else value
