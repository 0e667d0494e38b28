"""Settings per environment; the only reader of environment variables.

`config/<env>.yaml` gives the values, an environment variable (`BILLING_` prefix, `__` between levels) wins over it.
Secrets come from the environment or from a file that a `*_file` setting names; a settings file with one is refused.
"""

from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from billing_assets.shipped import shipped


class SettingsError(Exception):
    """A setting is missing or wrong. The message names the setting, its value's place and what to do."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceSettings(_Section):
    """The customer's billing database. It is only ever read."""

    url: SecretStr | None = Field(None, description="SQLAlchemy URL of the billing database")
    name: str = Field("billing", description="Name of the source; part of every document's key, so never change it")
    queries: Path | None = Field(
        None, description="Folder with documents.sql and lines.sql; default: sql/source/<engine of the URL>"
    )


class NetSuiteSettings(_Section):
    """The NetSuite account and how hard we may press on it."""

    account: str = Field("TSTDRV1234567", description="Account id, as NetSuite shows it, e.g. 1234567_SB1")
    base_url: str | None = Field(
        None, description="REST base, e.g. https://1234567-sb1.suitetalk.api.netsuite.com; default: from the account"
    )
    auth: Literal["oauth2", "tba"] = Field("oauth2", description="oauth2 (certificate) or tba (token-based, OAuth 1.0a)")
    client_id: SecretStr | None = Field(None, description="oauth2: client id of the integration record")
    certificate_id: str | None = Field(None, description="oauth2: id of the uploaded certificate (kid)")
    private_key_file: Path | None = Field(None, description="oauth2: PEM file of the private key, readable by its owner only")
    consumer_key: SecretStr | None = Field(None, description="tba: consumer key")
    consumer_secret: SecretStr | None = Field(None, description="tba: consumer secret")
    token_id: SecretStr | None = Field(None, description="tba: token id")
    token_secret: SecretStr | None = Field(None, description="tba: token secret")
    lanes: PositiveInt = Field(15, description="Requests in flight at once, over all runs on all machines")
    timeout_seconds: PositiveFloat = Field(120, description="How long we wait for one answer")
    max_request_seconds: float = Field(
        900,
        ge=0,
        description="How long NetSuite may still work on a request; before that, absence proves nothing",
    )
    read_back_seconds: float = Field(60, ge=0, description="How long to wait until a new record shows in SuiteQL")


class StagingSettings(_Section):
    cron: str = Field("0 6,10,14,18,22 * * *", description="When staging runs (cron, UTC)")
    overlap_minutes: PositiveInt = Field(
        1440, description="How far behind the watermark new documents are looked for again (late commits, clock skew)"
    )
    drift_days: int = Field(45, ge=0, description="How long after posting a document is still compared with the source")
    detect_seconds: int = Field(
        60, ge=0, description="How often the sensor looks for newly closed documents; 0 leaves it to the schedule"
    )


class BatchSettings(_Section):
    max_documents: Annotated[int, Field(ge=1, le=1000)] = Field(1000, description="Largest batch")
    at_once_below: Annotated[int, Field(ge=1, le=1000)] = Field(
        500, description="A backlog under this goes at once as one batch; no larger backlog is split finer"
    )
    parallel_runs: PositiveInt = Field(3, description="Batches posted side by side")
    lease_seconds: PositiveFloat = Field(30, description="How long a lock lives without being renewed by its run")
    stale_lock_minutes: float = Field(
        120, ge=0, description="A lock whose lease ended longer ago than this is given back to the backlog"
    )
    sensor_seconds: PositiveInt = Field(30, description="How often the planner looks for ready documents")


class AlertSettings(_Section):
    urls: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (), description="apprise URLs (mailto://, slack://, msteams://, pagerduty://, json://), separated by spaces"
    )
    window_minutes: PositiveInt = Field(60, description="One message per cause within this time")
    unposted_after_hours: PositiveFloat = Field(24, description="Alert when a closed document waits longer than this")
    watermark_after_hours: PositiveFloat = Field(12, description="Alert when staging has not succeeded for this long")
    check_seconds: PositiveInt = Field(300, description="How often the watch looks")
    ui_url: str = Field("http://127.0.0.1:3000", description="Address of the Dagster web UI, for links in alerts")


class Settings(BaseSettings):
    """All settings. Build with `load_settings()`, which turns every fault into one `SettingsError`."""

    model_config = SettingsConfigDict(
        env_prefix="BILLING_", env_nested_delimiter="__", extra="forbid", frozen=True, nested_model_default_partial_update=True
    )

    env: Literal["dev", "qa", "prod"] = Field("dev", description="Which config/<env>.yaml is read")
    home: Path = Field(Path(".billing"), description="Folder for all state on this machine")
    config: Path | None = Field(None, description="Another settings file instead of config/<env>.yaml")
    database_url: SecretStr | None = Field(
        None, description="PostgreSQL 15 or newer for our state and Dagster's; default: the embedded one under home"
    )
    source: SourceSettings = SourceSettings()
    netsuite: NetSuiteSettings = NetSuiteSettings()
    staging: StagingSettings = StagingSettings()
    batches: BatchSettings = BatchSettings()
    alerts: AlertSettings = AlertSettings()
    mapping: Path | None = Field(None, description="Mapping file; default: mapping.yaml beside the settings file")
    log_format: Literal["console", "json"] = Field("console", description="console for people, json for collectors")

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the settings file, which arrives as init values."""
        return env_settings, init_settings
