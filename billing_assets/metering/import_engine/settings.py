"""Input folders, and how what is in them is read."""

from dataclasses import replace
from datetime import timedelta
from typing import ClassVar, Self
from zoneinfo import ZoneInfo

from pydantic import Field, PositiveFloat, PositiveInt, field_validator, model_validator

from billing_assets.file_exchange.settings import FolderSettings
from billing_assets.foundation.calendar.business_days import parse_zone
from billing_assets.foundation.sections import Section
from billing_assets.foundation.x12.partners import Partner, Partners, PartnersUnclearError
from billing_assets.metering.import_engine.csv_mapping import MappingError, load_mapping
from billing_assets.metering.import_engine.opening import Limits
from billing_assets.metering.import_engine.options import LENIENT, SETS, ReadOptions
from billing_assets.metering.import_engine.x12_sets.options import EASTERN, SetOptions


class InputFolder(FolderSettings):
    """A folder that files come in, and what its sender is allowed."""

    sender: str = Field("", description="Who sends, where the files do not say it")
    stable_seconds: float = Field(
        10, ge=0, description="A file is complete when its size and time stay the same for this long; 0: senders rename"
    )
    utc_offset_hours: float = Field(10, ge=-14, le=14, description="NEM12 and NEM13: the market's clock against UTC")
    time_zone: str | None = Field(None, description="Green Button: IANA zone of its points")
    lenient: frozenset[str] = Field(
        frozenset(), description=f"What is read although the standard forbids it: {', '.join(LENIENT)}"
    )
    mapping: str | None = Field(
        None,
        description="CSV exports: name of a column mapping that ships, or path of your own; all files are read by it",
    )
    silent_after_hours: PositiveFloat | None = Field(
        None, description="Alert when no file came for this long; default: never"
    )
    newest_stamp_wins: bool = Field(
        False, description="The sender may withdraw an actual value: its newest version counts, whatever its quality"
    )

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str | None) -> str | None:
        if name is not None:
            parse_zone(name)
        return name

    @field_validator("lenient")
    @classmethod
    def _known_leniency(cls, names: frozenset[str]) -> frozenset[str]:
        ReadOptions(lenient=names)
        return names

    @field_validator("mapping")
    @classmethod
    def _known_mapping(cls, name: str | None) -> str | None:
        try:
            if name is not None:
                load_mapping(name)
        except MappingError as error:
            raise ValueError(str(error)) from None
        return name

    def options(self) -> ReadOptions:
        """How its files are read."""
        zone = ZoneInfo(self.time_zone) if self.time_zone else None
        mapping = load_mapping(self.mapping) if self.mapping else None
        return ReadOptions(timedelta(hours=self.utc_offset_hours), self.lenient, zone, mapping)


class MeteringSettings(Section):
    """What comes in, and within which limits."""

    section: ClassVar[str] = "metering"

    folders: dict[str, InputFolder] = Field(
        {},
        description='Input folders by name, in the environment as JSON: {"market": {"path": "/var/billing/in"}}, or '
        "host, user, key_file, host_key, folder; and sender, stable_seconds, utc_offset_hours, time_zone, lenient, "
        "mapping, silent_after_hours, newest_stamp_wins",
    )
    partners: tuple[Partner, ...] = Field(
        (),
        description="Trading partners by X12, in the environment as a JSON list: name, qualifier, identifier, "
        "our_qualifier, our_identifier, group_identifier, our_group_identifier, environment, …; without any, every "
        "sender is read and none gets a 997",
    )
    sets: dict[str, SetOptions] = Field(
        {},
        description="How the X12 sets of a partner are read, where it is not the usual way; by the partner's name, in "
        'the environment as JSON: {"WIRES": {"charge_codes": ["BAS001"], "interval_ends": ["582"]}}',
    )
    max_file_bytes: PositiveInt = Field(500_000_000, description="A file, or what is in a zip, may be this large")
    max_zip_ratio: PositiveInt = Field(200, description="What is in a zip may be this many times as large as the zip")
    look_seconds: PositiveInt = Field(30, description="How often we look into the input folders")
    lease_seconds: PositiveFloat = Field(
        30, description="A file that a process was reading when it died is read by another one after this long"
    )

    @field_validator("partners")
    @classmethod
    def _told_apart(cls, partners: tuple[Partner, ...]) -> tuple[Partner, ...]:
        try:
            Partners(partners)
        except PartnersUnclearError as error:
            raise ValueError(str(error)) from None
        return partners

    @model_validator(mode="after")
    def _sets_of_partners(self) -> Self:
        if unknown := self.sets.keys() - {one.name for one in self.partners}:
            raise ValueError(f"sets: there is no partner {', '.join(sorted(unknown))}")
        return self

    def sets_of(self, partner: Partner | None) -> SetOptions:
        """How the sets of a partner are read: as named for it, else by its profile."""
        if partner is None:
            return SETS
        found = self.sets.get(partner.name, EASTERN if partner.profile == "eastern" else SETS)
        return found if partner.cross_reference == "BIG05" else replace(found, cross_reference=partner.cross_reference)

    @property
    def limits(self) -> Limits:
        """What is refused for its size."""
        return Limits(self.max_file_bytes, self.max_zip_ratio)
