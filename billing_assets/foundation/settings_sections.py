"""What can be set, section by section. `settings.py` puts them together and reads them."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, DirectoryPath, Field, PositiveFloat, PositiveInt, SecretStr, field_validator
from pydantic_settings import NoDecode

from billing_assets.foundation.calendar.business_days import Zones, parse_zone
from billing_assets.foundation.periods import LateDocuments

_SHORTEST_SECRET = 8


class Section(BaseModel):
    """Settings of one subject; a name that it does not know is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class SourceSettings(Section):
    """The customer's billing database. It is only ever read."""

    url: SecretStr | None = Field(None, description="SQLAlchemy URL of the billing database")
    name: str = Field("billing", description="Name of the source; part of every document's key, so never change it")
    queries: Path | None = Field(
        None, description="Folder with the extraction queries; default: sql/source/<engine of the URL>"
    )
    lock_seconds: PositiveInt = Field(30, description="How long a query waits for a lock in the billing database")
    statement_seconds: PositiveInt = Field(900, description="How long one query of the billing database may take")


class NetSuiteSettings(Section):
    """The NetSuite account and how hard we may press on it."""

    account: str | None = Field(
        None, description="Account id, as NetSuite shows it, e.g. 1234567_SB1; there is no default"
    )
    base_url: str | None = Field(
        None,
        description="REST base, e.g. https://1234567-sb1.suitetalk.api.netsuite.com; default: from the account",
    )
    app_url: str | None = Field(
        None,
        description="NetSuite's web pages, e.g. https://1234567-sb1.app.netsuite.com; default: from the account",
    )
    auth: Literal["oauth2", "tba"] = Field(
        "oauth2", description="oauth2 (certificate) or tba (token-based, OAuth 1.0a)"
    )
    client_id: SecretStr | None = Field(None, description="oauth2: client id of the integration record")
    certificate_id: str | None = Field(None, description="oauth2: id of the uploaded certificate (kid)")
    private_key_file: Path | None = Field(
        None, description="oauth2: PEM file of the private key, readable by its owner only"
    )
    consumer_key: SecretStr | None = Field(None, description="tba: consumer key")
    consumer_secret: SecretStr | None = Field(None, description="tba: consumer secret")
    token_id: SecretStr | None = Field(None, description="tba: token id")
    token_secret: SecretStr | None = Field(None, description="tba: token secret")
    lanes: PositiveInt = Field(15, description="Most requests in flight at once, over all runs on all machines")
    timeout_seconds: PositiveFloat = Field(120, description="How long we wait for one answer")
    max_request_seconds: float = Field(
        900,
        ge=0,
        description="How long NetSuite may still work on a request; before that, absence proves nothing",
    )
    read_back_seconds: float = Field(60, ge=0, description="How long to wait until a new record shows in SuiteQL")
    outage_seconds: float = Field(
        120,
        ge=0,
        description="How long a run waits for NetSuite or our database before it ends with what is left",
    )

    @field_validator("client_id", "consumer_key", "consumer_secret", "token_id", "token_secret")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        """Secrets are masked wherever NetSuite repeats them; a short one would take words and numbers with it."""
        if value is not None and 0 < len(value.get_secret_value().strip()) < _SHORTEST_SECRET:
            raise ValueError(
                f"is shorter than {_SHORTEST_SECRET} characters, which none of NetSuite's is: copy it again, whole"
            )
        return value


class StagingSettings(Section):
    cron: str = Field("0 6,10,14,18,22 * * *", description="When staging runs (cron, UTC)")
    overlap_minutes: PositiveInt = Field(
        1440,
        description="How far behind the watermark new documents are looked for again (late commits, clock skew)",
    )
    drift_days: int = Field(
        45,
        ge=0,
        description="How long after posting a document is compared at every staging; later it is every night, and when "
        "its month's totals differ",
    )
    detect_seconds: int = Field(
        60,
        ge=0,
        description="How often the sensor looks for newly closed documents; 0 leaves it to the schedule",
    )


class BatchSettings(Section):
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
        """The time zone of each branch."""
        return Zones(parse_zone(self.time_zone), {name: parse_zone(zone) for name, zone in self.time_zones.items()})


class CloseSettings(Section):
    first_month: Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")] = Field(
        "2009-12", description="The first billing month (YYYY-MM) that has a partition of month_close"
    )
    late_documents: LateDocuments = Field(
        "hold",
        description="What comes after its month was closed for good: `hold` it, or post it in the `next_period` open",
    )
    days_it_used_to_take: PositiveFloat = Field(
        7, description="Days from billed to posted before this pipeline, to hold the days of today against"
    )
    files_url: str = Field(
        "http://127.0.0.1:3010",
        description="Where people reach what `billing files` serves, for links in metadata",
    )
    fonts: DirectoryPath | None = Field(
        None, description="Folder with fonts (.ttf, .otf) for letters of branches that the statement has none for"
    )


class ReceivablesSettings(Section):
    balances_from: Literal["netsuite", "billing_system"] = Field(
        "netsuite", description="Where payments and open balances are read; billing_system needs a receivables.sql"
    )
    cron: str = Field("15 4 * * *", description="When balances are read and aged (cron, in `calendar.time_zone`)")
    late_fees: Path | None = Field(None, description="File with the rules of late fees; without one there are none")


class AuditSettings(Section):
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


class RetentionSettings(Section):
    attempts_days: PositiveInt = Field(
        90, description="How long after posting the log of a document stays in the tables that posting works with"
    )
    runs_days: PositiveInt = Field(
        30, description="How long Dagster keeps a run that is over, unless it is the last one of its asset or batch"
    )
    batches_days: PositiveInt = Field(
        400, description="How long a posted batch stays a partition in the web UI; our own tables keep all of them"
    )


class AlertSettings(Section):
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


class ReminderSettings(Section):
    """Payment reminders by e-mail. What is sent, when and in whose name is in the ladder file."""

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
