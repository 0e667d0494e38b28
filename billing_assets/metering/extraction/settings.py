"""The systems that reads, consumption, tariffs and master data are extracted from."""

from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from pydantic import Field, PositiveFloat, PositiveInt, SecretStr, field_validator

from billing_assets.foundation.calendar.business_days import parse_zone
from billing_assets.foundation.sections import Section
from billing_assets.metering.import_engine.extracts.contract import RESOURCES

_NAME = r"^[a-z0-9_-]{1,40}$"


class _Extracted(Section):
    """What is the same for both."""

    resources: frozenset[str] = Field(
        frozenset(RESOURCES), description=f"What is read there, in the environment as JSON: {', '.join(RESOURCES)}"
    )
    overlap_minutes: PositiveInt = Field(
        60, description="What changed up to this long before the newest change is read again: it was committed late"
    )
    time_zone: str = Field("UTC", description="IANA zone of the days of its interval data")
    records_per_file: PositiveInt = Field(100_000, description="Records that a raw file has at most, but whole days")

    @field_validator("resources")
    @classmethod
    def _known(cls, names: frozenset[str]) -> frozenset[str]:
        if unknown := names - RESOURCES.keys():
            raise ValueError(f"there is no {', '.join(sorted(unknown))}; use {', '.join(RESOURCES)}")
        return names

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, name: str) -> str:
        parse_zone(name)
        return name

    @property
    def overlap(self) -> timedelta:
        """How far back is read again."""
        return timedelta(minutes=self.overlap_minutes)


class MeteringSourceSettings(_Extracted):
    """The metering system's database. It is only ever read."""

    section: ClassVar[str] = "metering_source"

    url: SecretStr | None = Field(None, description="SQLAlchemy URL of the metering database; without it none is read")
    name: str = Field(
        "metering", pattern=_NAME, description="Name of the source; part of what is known of it, so never change it"
    )
    queries: Path | None = Field(
        None, description="Folder with the extraction queries; default: sql/source/<engine of the URL>"
    )
    lock_seconds: PositiveInt = Field(30, description="How long a query waits for a lock in the metering database")
    statement_seconds: PositiveInt = Field(900, description="How long one query of the metering database may take")
    window_days: PositiveInt = Field(
        92, description="How far back a query whose updated_at is NULL is compared with what was read before"
    )
    schedule: str = Field("7 * * * *", description="When the systems are read (cron, UTC), where a schedule does it")


class MeteringApiSettings(_Extracted):
    """The HTTP API of a customer system. It is only ever read."""

    section: ClassVar[str] = "metering_api"

    base_url: str | None = Field(
        None, description="Address of the API, to which /meter_readings and so on is added; without it none is read"
    )
    name: str = Field(
        "metering-api", pattern=_NAME, description="Name of the source; part of what is known of it, so never change it"
    )
    token_url: str | None = Field(None, description="Where a token is asked for (OAuth 2.0, client credentials)")
    client_id: SecretStr | None = Field(None, description="Client id")
    client_secret: SecretStr | None = Field(None, description="Client secret")
    timeout_seconds: PositiveFloat = Field(60, description="How long one answer may take in all")
    longest_wait_seconds: PositiveFloat = Field(
        300, description="How long a request waits in all, where the API says to come again later"
    )
    page_size: PositiveInt = Field(1000, description="Records that a page should have")

    @field_validator("base_url", "token_url")
    @classmethod
    def _address(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        if parts.username or parts.password or parts.query or parts.fragment or not parts.hostname:
            raise ValueError("must be an address without user, password, query and fragment")
        if parts.scheme != "https" and not (parts.scheme == "http" and _is_here(parts.hostname)):
            raise ValueError("must begin with https://: a token is sent there")
        return url.rstrip("/")


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
