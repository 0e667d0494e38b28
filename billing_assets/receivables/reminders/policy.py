"""The ladder file: which steps, in whose name, at which hours; per branch where a branch differs."""

from collections.abc import Callable, Sequence
from datetime import time
from decimal import Decimal
from email.errors import MessageError
from email.headerregistry import Address
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, TypeVar
from zoneinfo import ZoneInfo

import yaml
from babel.core import get_global
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from billing_assets.erp.contract import Contact
from billing_assets.foundation.calendar.business_days import Zones, has_calendar, parse_zone
from billing_assets.foundation.settings import yaml_problem
from billing_assets.receivables.reminders.addresses import ascii_address
from billing_assets.receivables.reminders.due import Hours, Place, Step
from billing_assets.receivables.reminders.errors import PolicyError


def parse_mailbox(value: str) -> Address:
    """`Name <address>` or a bare address, as a mail's sender, its domain in ASCII. Raises ValueError."""
    name, _, address = value.rpartition("<") if value.endswith(">") else ("", "", value)
    try:
        return Address(display_name=name.strip().strip('"'), addr_spec=ascii_address(address.rstrip(">")))
    except (MessageError, IndexError, ValueError):
        raise ValueError("is no address; write Name <name@example.com>") from None


def _checked(parse: Callable[[str], object]) -> AfterValidator:
    def check(value: str) -> str:
        parse(value)
        return value

    return AfterValidator(check)


_Model = TypeVar("_Model", bound=BaseModel)


def _minutes(clock: time) -> int:
    return clock.hour * 60 + clock.minute


def _clock(value: object) -> time:
    """`09:00`. Without quotes YAML takes 17:00 for a number to the base of 60, and 09:00 for text."""
    if isinstance(value, time):
        return value
    text = f"{value // 60:02}:{value % 60:02}" if isinstance(value, int) else str(value)
    try:
        hours, minutes = map(int, text.split(":"))
        return time(hours, minutes)
    except ValueError:
        raise ValueError("is no time of day such as 09:00") from None


_Clock = Annotated[time, BeforeValidator(_clock)]
_Mailbox = Annotated[str, _checked(parse_mailbox)]
_Zone = Annotated[str, _checked(parse_zone)]
_Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StepEntry(_Part):
    """A rung of the ladder, as the file has it."""

    name: str = Field(
        pattern=r"^[a-z0-9_]{1,40}$", description="Its key in our tables: a step that is renamed is another step"
    )
    days: int = Field(ge=-60, le=365, description="Days after the due date; negative before it")
    template: str = Field(pattern=r"^[a-z0-9_]+$", description="`<language>/<template>.txt.j2` and `.html.j2`")


class Company(_Part):
    """Who writes."""

    name: str = Field(min_length=1, description="As it signs")
    address: tuple[str, ...] = Field((), description="Lines below the name")
    phone: str | None = Field(None, description="For questions")
    email: _Mailbox | None = Field(None, description="For questions")
    payment: tuple[str, ...] = Field((), description="How to pay, line by line: bank, IBAN, what to quote")


def _in_order(steps: Sequence[StepEntry]) -> Sequence[StepEntry]:
    names = [step.name for step in steps]
    if len(set(names)) < len(names):
        raise ValueError("two steps have the same name")
    if not all(one.days < other.days for one, other in pairwise(steps)):
        raise ValueError("write the steps in the order of their days, one per day")
    return steps


_Steps = Annotated[tuple[StepEntry, ...], Field(min_length=1), AfterValidator(_in_order)]


class Terms(_Part):
    """How reminders go out for a branch."""

    steps: _Steps = Field(description="The ladder")
    sender: _Mailbox = Field(description="`Name <address>`; delivery reports come back to this address")
    reply_to: _Mailbox | None = Field(None, description="Where answers go; default: the sender")
    company: Company = Field(description="Who writes; the templates sign with it")
    language: str = Field("en", pattern=r"^[a-z]{2,3}$", description="For customers whose language has no templates")
    country: _Country | None = Field(None, description="Where customers are of whom we do not know it: ISO 3166 code")
    region: str | None = Field(
        None,
        pattern=r"^[A-Z0-9]{1,6}$",
        description="And the part of it, for holidays (ENG): also of customers there of whom we know the country only",
    )
    time_zone: _Zone | None = Field(
        None,
        description="Where neither the customer nor its country says which; default: the branch's of "
        "`BILLING_CALENDAR__TIME_ZONES`",
    )
    opens: _Clock = Field(time(9), description="Business hours in the customer's local time: from")
    closes: _Clock = Field(time(17), description="and up to")
    minimum_amount: Decimal = Field(
        Decimal(0), ge=0, description="Less than this is not asked for, in whatever currency the invoice has"
    )

    @model_validator(mode="after")
    def _hours(self) -> "Terms":
        if _minutes(self.closes) - _minutes(self.opens) < 60:
            raise ValueError("opens: business hours must be an hour at least, on one day; we look every half hour")
        return self

    @model_validator(mode="after")
    def _place(self) -> "Terms":
        if self.region and not has_calendar(self.country or "", self.region):
            raise ValueError("region: no calendar has this part of `country`")
        return self

    @property
    def hours(self) -> Hours:
        """Business hours as `due` wants them."""
        return Hours(self.opens, self.closes)

    @property
    def ladder(self) -> tuple[Step, ...]:
        """The steps as `due` wants them."""
        return _ladder(self.steps)


@lru_cache(maxsize=64)
def _ladder(steps: tuple[StepEntry, ...]) -> tuple[Step, ...]:
    return tuple(Step(step.name, step.days, step.template) for step in steps)


_MAIN_ZONES = {
    "AR": "America/Argentina/Buenos_Aires",
    "AU": "Australia/Sydney",
    "BR": "America/Sao_Paulo",
    "CA": "America/Toronto",
    "CL": "America/Santiago",
    "CN": "Asia/Shanghai",
    "CY": "Asia/Nicosia",
    "DE": "Europe/Berlin",
    "EC": "America/Guayaquil",
    "ES": "Europe/Madrid",
    "ID": "Asia/Jakarta",
    "MX": "America/Mexico_City",
    "MY": "Asia/Kuala_Lumpur",
    "NZ": "Pacific/Auckland",
    "PT": "Europe/Lisbon",
    "UA": "Europe/Kyiv",
    "US": "America/Chicago",
}
"""Of countries with several time zones the one where most people are, or, in the United States, the middle."""


class LadderFile(Terms):
    """The whole file: everybody's terms, and what differs."""

    time_zones: dict[_Country, _Zone] = Field(
        {}, description="Of countries with several time zones: the one in which we think of a customer there"
    )
    branches: dict[str, dict[str, Any]] = Field(
        {}, description="Per branch of the billing system: any of the keys above, where it differs"
    )


_RESERVED = (".example", ".example.com", ".example.net", ".example.org", ".test", ".invalid")
"""Domains reserved for examples (RFC 2606)."""
_EXAMPLE_ACCOUNT = "GB33BUKB20201555555555"


class Policy:
    """The ladder file, read and checked. Build with `load_policy`."""

    def __init__(self, file: LadderFile, branches: dict[str, Terms], zones: Zones) -> None:
        self._file = file
        self._branches = branches
        self.zones = zones
        self._placed: dict[str, Terms] = {}

    def terms(self, branch: str) -> Terms:
        """How reminders go out for a branch, in its time zone."""
        if branch not in self._placed:
            found = self._branches.get(branch, self._file)
            zone = found.time_zone or self.zones.of(branch).key
            self._placed[branch] = found.model_copy(update={"time_zone": zone})
        return self._placed[branch]

    @property
    def all_terms(self) -> tuple[Terms, ...]:
        """Everybody's terms and those of each branch that differs."""
        return (self._file, *self._branches.values())

    @property
    def domain(self) -> str:
        """The domain that writes, as we introduce ourselves to the mail server."""
        return parse_mailbox(self._file.sender).domain

    @property
    def example(self) -> str | None:
        """What of the ladder is only an example: a domain that is reserved for examples, or the bank
        account of the ladder that ships; None where nothing is."""
        for terms in self.all_terms:
            for address in (terms.sender, terms.reply_to, terms.company.email):
                domain = parse_mailbox(address).domain.lower() if address else ""
                if domain.endswith(_RESERVED) or f".{domain}".endswith(_RESERVED):
                    return f"the address {domain}"
            if any(_EXAMPLE_ACCOUNT in "".join(line.split()).upper() for line in terms.company.payment):
                return "the example's IBAN"
        return None

    def place(self, contact: Contact, terms: Terms) -> Place:
        """Where a customer is: as it says, else as its country says, else as the branch says.

        A time zone, country or region that does not exist counts as not given.
        """
        country = _country(contact.country) or terms.country
        region = (contact.region or "").strip().upper().removeprefix(f"{country}-") or None
        if country is None or region is None or not has_calendar(country, region):
            region = terms.region if country == terms.country else None
        zone = _zone(contact.timezone) or self._zone_of_country(country) or _zone(terms.time_zone)
        return Place(zone or self.zones.default, country, region)

    def _zone_of_country(self, country: str | None) -> ZoneInfo | None:
        if named := self._file.time_zones.get(country or "") or _MAIN_ZONES.get(country or ""):
            return parse_zone(named)
        zones = get_global("territory_zones").get(country or "", [])
        return _zone(zones[0]) if len(zones) == 1 else None


def load_policy(path: Path, zones: Zones | None = None) -> Policy:
    """Reads the ladder file; `zones` are those of the branches. Raises PolicyError with one line per fault."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PolicyError(f"{path} cannot be read ({error.strerror}). BILLING_REMINDERS__LADDER names it.") from None
    except UnicodeDecodeError:
        raise PolicyError(f"{path} is not text in UTF-8.") from None
    except yaml.YAMLError as error:
        raise PolicyError(f"{path} is not valid YAML: {yaml_problem(error)}") from None
    file = _validated(LadderFile, values, f"{path}: ")
    shared = file.model_dump(include=set(Terms.model_fields))
    branches = {}
    for name, own in file.branches.items():
        country = {"region": None} if "country" in own else {}  # what is a part of one is none of another
        branches[name] = _validated(Terms, shared | country | own, f"{path}: branches.{name}.")
    return Policy(file, branches, zones or Zones())


def _validated(model: type[_Model], values: object, where: str) -> _Model:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        faults = (f"{where}{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise PolicyError("\n".join(faults)) from None


_OTHER_CODES = {"EL": "GR"}
"""What the European Union calls a country where ISO 3166 does not."""


def _country(said: str | None) -> str | None:
    """The ISO 3166 code of a country as a customer has it: GB, also for GBR, 826 and UK; None for any other word."""
    code = (said or "").strip().upper()
    named = get_global("territory_aliases").get(code, ())
    code = _OTHER_CODES.get(code) or (named[0] if len(named) == 1 else code)
    known = code in get_global("territory_zones") or (len(code) == 2 and has_calendar(code))  # Kosovo, XK, has no zone
    return code if known else None


def _zone(name: str | None) -> ZoneInfo | None:
    try:
        return parse_zone(name.strip()) if name and name.strip() else None
    except ValueError:
        return None
