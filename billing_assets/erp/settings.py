"""What can be set of the two systems that documents come from and go to, and of the close of a month."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal, NamedTuple
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, DirectoryPath, Field, PositiveFloat, PositiveInt, SecretStr, field_validator
from pydantic_core import from_json

from billing_assets.areas import verbs
from billing_assets.erp import accounts
from billing_assets.foundation.periods import LateDocuments
from billing_assets.foundation.sections import Section
from billing_assets.foundation.settings import Settings, SettingsError, variable

_SHORTEST_SECRET = 8


class FurtherSource(BaseModel):
    """A billing database beside the first one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(description="Name of the source; part of every document's key, so never change it")
    url: SecretStr = Field(description="SQLAlchemy URL of its database")
    queries: Path | None = Field(
        None, description="Folder with its extraction queries; default: sql/source/<engine of the URL>"
    )


class BillingSource(NamedTuple):
    """A billing database that documents come from, as the settings name it. `setting`: the variable of its URL.
    `is_ours`: it is our own database, in which an area makes documents; without a URL it is read as we are."""

    name: str
    url: SecretStr | None
    queries: Path | None
    setting: str
    is_ours: bool = False


class SourceSettings(Section):
    """The billing databases. They are only ever read."""

    section: ClassVar[str] = "source"

    url: SecretStr | None = Field(None, description="SQLAlchemy URL of the billing database")
    name: str = Field("billing", description="Name of the source; part of every document's key, so never change it")
    queries: Path | None = Field(
        None, description="Folder with the extraction queries; default: sql/source/<engine of the URL>"
    )
    further: tuple[FurtherSource, ...] = Field(
        (),
        description='Billing databases beside it, as JSON: [{"name": …, "url": …, "queries": …}]. Each is staged and '
        "compared like the first; contracts, contacts and open balances are read from the first alone",
    )
    own_url: SecretStr | None = Field(
        None,
        description="URL of our own database as a role that may only read, for the documents that an area makes itself "
        "(invoicing); default: as we are, in transactions that only read",
    )
    lock_seconds: PositiveInt = Field(30, description="How long a query waits for a lock in the billing database")
    statement_seconds: PositiveInt = Field(900, description="How long one query of the billing database may take")

    @field_validator("further", mode="before")
    @classmethod
    def _of_text(cls, value: object) -> object:
        """A file with secrets has it as text, too."""
        return from_json(value) if isinstance(value, str) else value

    @property
    def outside(self) -> tuple[BillingSource, ...]:
        """The databases that are named, the first one first; it is left out where only further ones are."""
        further = [
            BillingSource(one.name, one.url, one.queries, f"{variable('source.further')} ({one.name})")
            for one in self.further
        ]
        if self.url is None and further:
            return (*further,)
        return (BillingSource(self.name, self.url, self.queries, variable("source.url")), *further)


class NetSuiteSettings(Section):
    """The NetSuite account and how hard we may press on it."""

    section: ClassVar[str] = "netsuite"

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


class CloseSettings(Section):
    """Closing a billing month."""

    section: ClassVar[str] = "close"

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


def absence_counts_after_seconds(settings: Settings) -> float:
    """From when, after an attempt was noted as unknown, its absence from SuiteQL proves that it did not land.

    A run that was unlocked may send until its lease ends; then NetSuite works on the request; then it shows.
    """
    netsuite = settings.of(NetSuiteSettings)
    return settings.batches.lease_seconds + netsuite.max_request_seconds + netsuite.read_back_seconds


def sources(settings: Settings) -> tuple[BillingSource, ...]:
    """Every source, the first one first: the databases that are named, then the areas that make documents themselves.
    Where no database is named and an area makes some, these are all."""
    section = settings.of(SourceSettings)
    own = [one() for one in verbs("billing_source", "source", settings.areas)]
    ours = tuple(
        BillingSource(one.name, section.own_url, one.queries, variable("source.own_url"), is_ours=True) for one in own
    )
    none_named = section.url is None and not section.further
    return ours if none_named and ours else (*section.outside, *ours)


def source_names(settings: Settings) -> tuple[str, ...]:
    """Of every source, the first one first."""
    return tuple(one.name for one in sources(settings))


def check(settings: Settings) -> None:
    """The account, the hosts and the environment must be of one another, and the sources told apart. Raises
    SettingsError.

    A host that is not NetSuite's own (the sandbox, a gateway) may serve any account. Production documents never go to a
    sandbox account; that `dev` and `qa` go to none of production our database sees to, where a person may decide so.
    """
    names = [name.casefold() for name in source_names(settings)]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise SettingsError(
            f"Two sources are called {twice[0]}: the name is part of every document's key. Give each a name of its own "
            f"in {variable('source.name')} and {variable('source.further')}."
        )
    netsuite = settings.of(NetSuiteSettings)
    if netsuite.account is None:
        return
    named = f"{variable('netsuite.account')} is {netsuite.account}"
    for name in ("base_url", "app_url"):
        host = _host(getattr(netsuite, name))
        if host and accounts.is_another_accounts(host, netsuite.account):
            raise SettingsError(
                f"{named}, and {variable(f'netsuite.{name}')} leads to {host}, which is not that account's. Correct "
                f"one of the two; without {variable(f'netsuite.{name}')} the address follows from the account."
            )
    if settings.env == "prod" and accounts.is_sandbox(netsuite.account):
        raise SettingsError(
            f"{variable('env')} is prod, and {named}, which is a sandbox or test account: what is billed would never "
            f"reach production. Name the production account, or set {variable('env')} to qa or dev."
        )


def _host(url: str | None) -> str | None:
    try:
        return urlsplit(url.strip()).hostname if url else None
    except ValueError:
        return None  # the code that uses the address says what is wrong with it
