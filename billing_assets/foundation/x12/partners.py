"""Trading partners: how each is addressed, what it sends, and how an interchange finds its partner."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, field_validator, model_validator

from billing_assets.foundation.errors import BillingError
from billing_assets.foundation.x12.delimiters import Delimiters, Isa
from billing_assets.foundation.x12.envelope import Problem
from billing_assets.foundation.x12.findings import quoted
from billing_assets.foundation.x12.writer import IN_VALUES

_Qualifier = Annotated[str, Field(pattern=r"^[A-Z0-9]{2}$")]
_Identifier = Annotated[str, Field(pattern=r"^[!-~](?:[ -~]{0,13}[!-~])?$")]
_GroupIdentifier = Annotated[str, Field(pattern=r"^[!-~]{2,15}$")]


class Partner(BaseModel):
    """A trading partner in one environment, as the settings name it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, description="What people call it; control numbers belong to this name")
    qualifier: _Qualifier = Field(description="Its ISA qualifier: 01 DUNS, ZZ mutually defined, …")
    identifier: _Identifier = Field(description="Its ISA identifier, without padding")
    our_qualifier: _Qualifier = Field(description="Our ISA qualifier, as the partner knows us")
    our_identifier: _Identifier = Field(description="Our ISA identifier, as the partner knows us")
    group_identifier: _GroupIdentifier = Field(description="Its identifier in GS")
    our_group_identifier: _GroupIdentifier = Field(description="Ours in GS")
    environment: Literal["T", "P"] = Field("P", description="ISA15 in both directions: T test, P production")
    element_separator: str = Field("*", min_length=1, max_length=1, description="In what we write")
    component_separator: str = Field(">", min_length=1, max_length=1, description="In what we write")
    segment_terminator: str = Field("~", min_length=1, max_length=1, description="In what we write")
    profile: Literal["texas", "eastern"] = Field("texas", description="Which guides its sets follow")
    cross_reference: Literal["BIG05", "BIG06"] = Field(
        "BIG05", description="Which element of an 810 names the 867 that it bills"
    )
    ta1: bool = Field(False, description="Whether each interchange is answered by a TA1")
    acknowledge_within_hours: PositiveFloat = Field(
        24, description="A group of ours without a 997 after this long is an alert"
    )
    advice_codes: dict[str, str] = Field(
        {}, description="Reason code of an 824 for each finding of ours, where it is not the usual one"
    )

    @model_validator(mode="after")
    def _delimiters_differ(self) -> "Partner":
        if not self.delimiters.usable or set(self.delimiters) & set(IN_VALUES):
            raise ValueError(
                "the delimiters must be three different characters, and none that numbers, dates and names have"
            )
        return self

    @field_validator("advice_codes")
    @classmethod
    def _short(cls, codes: dict[str, str]) -> dict[str, str]:
        for ours, theirs in codes.items():
            if not (1 <= len(theirs) <= 3 and theirs.isalnum()):
                raise ValueError(f"{theirs!r} for {ours} is not a code of one to three letters and digits")
        return codes

    @property
    def delimiters(self) -> Delimiters:
        """What we write for it."""
        return Delimiters(self.element_separator, self.component_separator, self.segment_terminator)


class PartnersUnclearError(BillingError):
    """Two partners of the settings cannot be told apart."""

    to_do = "Correct the partners in the settings."


class _Address(NamedTuple):
    qualifier: str
    identifier: str
    our_qualifier: str
    our_identifier: str
    environment: str


class Partners:
    """All partners. Raises PartnersUnclearError when two have one name, or all of their addresses in common."""

    def __init__(self, partners: Iterable[Partner]) -> None:
        self._by_name: dict[str, Partner] = {}
        self._by_address: dict[_Address, Partner] = {}
        for one in partners:
            address = _address(one)
            if one.name in self._by_name:
                raise PartnersUnclearError(f"Two trading partners have the name {one.name}.")
            if address in self._by_address:
                other = self._by_address[address].name
                raise PartnersUnclearError(f"The trading partners {other} and {one.name} have the same addresses.")
            self._by_name[one.name] = self._by_address[address] = one

    def __iter__(self) -> Iterator[Partner]:
        return iter(self._by_name.values())

    def named(self, name: str) -> Partner | None:
        """The partner of a name."""
        return self._by_name.get(name)

    def of(self, isa: Isa) -> Partner | None:
        """The partner that an interchange comes from, if it is addressed to us and of its environment."""
        address = _Address(isa.sender_qualifier, isa.sender, isa.receiver_qualifier, isa.receiver, isa.usage)
        return self._by_address.get(address)

    def admit(self, isa: Isa) -> list[Problem]:
        """What is wrong with where an interchange comes from and goes to: for `Checks.admit`."""
        if self.of(isa):
            return []
        from_sender = [one for one in self if (one.qualifier, one.identifier) == (isa.sender_qualifier, isa.sender)]
        if not from_sender:
            who = f"{quoted(isa.sender_qualifier)} {quoted(isa.sender)}"
            return [Problem("R-SENDER", f"the sender {who} is not a partner of ours.")]
        to_us = [
            one
            for one in from_sender
            if (one.our_qualifier, one.our_identifier) == (isa.receiver_qualifier, isa.receiver)
        ]
        if not to_us:
            who = f"{quoted(isa.receiver_qualifier)} {quoted(isa.receiver)}"
            return [Problem("R-RECEIVER", f"the receiver {who} is not us.")]
        wanted = " or ".join(sorted({one.environment for one in to_us}))
        return [Problem("R-ENVIRONMENT", f"ISA15 is {quoted(isa.usage)}, and {to_us[0].name} exchanges {wanted} here.")]


def _address(one: Partner) -> _Address:
    return _Address(one.qualifier, one.identifier, one.our_qualifier, one.our_identifier, one.environment)
