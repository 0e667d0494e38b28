"""The one world that tests, campaigns and benchmarks work in: our database, a billing system, a NetSuite sandbox.

A world opens what is asked for, and closes it with its block. What is done in it makes its kinds: a `Bench` stages, a
`Rig` plans and posts, both without Dagster; a `System` runs Dagster's jobs and sensors.
"""

import copy
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import dagster as dg
from pydantic import SecretStr

from billing_assets.definitions import build_defs
from billing_assets.erp.netsuite.proof_store import note_proven
from billing_assets.erp.settings import NetSuiteSettings, SourceSettings
from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.sections import BatchSettings
from billing_assets.foundation.settings import Settings, make_settings
from billing_assets.foundation.shipped import shipped
from billing_assets.sandbox.netsuite.process import RunningSandbox
from billing_assets.sandbox.samples.tables import netsuite_references
from proving.world.account import Account, log_in
from proving.world.builders import (
    BillingSystem,
    codes,
    create_billing_system,
    open_for_writing,
    shipped_mapping,
    staged,
    states,
)

_CUSTOM_FIELDS = [{"id": "custbody_billing_number"}, {"id": "custcol_billing_line"}]
_OF_SETTINGS = ("runtime", "defs")
"""What follows from the settings, and is made again when they change."""


def seeded(sandbox: RunningSandbox) -> Account:
    """The sandbox's account, with everything that the sample's mapping refers to."""
    account = log_in(sandbox.base_url, sandbox.credentials)
    answer = account.seed(netsuite_references() | {"customField": _CUSTOM_FIELDS})
    assert answer.status_code == 200, answer.text
    return account


def netsuite_settings(sandbox: RunningSandbox, **changes: Any) -> NetSuiteSettings:
    """How a sandbox is reached, with NetSuite's waiting times scaled down."""
    values = {
        "base_url": sandbox.base_url,
        "account": sandbox.credentials.account,
        "client_id": sandbox.credentials.client_id,
        "certificate_id": sandbox.credentials.certificate_id,
        "private_key_file": sandbox.credentials.private_key_file,
        "timeout_seconds": 5,
        "max_request_seconds": 0.3,
        "read_back_seconds": 0.2,
        "outage_seconds": 0,
    }
    return NetSuiteSettings(**(values | changes))


class World:
    """Settings, and what they name. `state` and `source` are open connections for looking and for playing the clerk."""

    def __init__(
        self, settings: Settings, sandbox: RunningSandbox | None = None, account: Account | None = None
    ) -> None:
        self._settings, self._sandbox, self._account = settings, sandbox, account
        self._opened = ExitStack()
        self.cursors: dict[str, str | None] = {}

    @classmethod
    @contextmanager
    def open(
        cls,
        state_url: str,
        source_url: str | None = None,
        sandbox: RunningSandbox | None = None,
        account: Account | None = None,
        *,
        home: Path | None = None,
        netsuite: dict[str, Any] | None = None,
        proven: bool = True,
        **sections: Any,
    ) -> Iterator[Self]:
        """On a database with our schema, an empty one for the billing system, and a sandbox, which is emptied.

        `netsuite` are settings of that section, `sections` are whole other ones. Where it is `proven`, what the mapping
        refers to was looked up in NetSuite already: asking takes half a second.
        """
        values: dict[str, Any] = {"database_url": state_url, "mapping": shipped("config/mapping.yaml")}
        values["batches"] = BatchSettings(lease_seconds=1, stale_lock_minutes=0)
        if home:
            values["home"] = home
        if source_url:
            create_billing_system(source_url)
            values["source"] = SourceSettings(url=source_url)
        if sandbox:
            values["netsuite"] = netsuite_settings(sandbox, **(netsuite or {}))
        if account:
            account.fresh()
        with cls(make_settings(**(values | sections)), sandbox, account) as opened:
            if sandbox and proven:
                note_proven(opened.state, sandbox.base_url, shipped_mapping().digest, {})
            yield opened

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._opened.close()

    def like(
        self,
        settings: Settings | None = None,
        *,
        sandbox: RunningSandbox | None = None,
        account: Account | None = None,
        **parts: Any,
    ) -> Self:
        """The same as another process or machine sees it: with other settings, another NetSuite, another instance."""
        other = copy.copy(self)
        other.cursors = {}
        other._sandbox, other._account = sandbox or self._sandbox, account or self._account
        other.__dict__.update(parts)
        other.settings = settings or self._settings
        return other

    def changed(self, netsuite: dict[str, Any] | None = None, **sections: Any) -> Self:
        """The same with some settings changed; `netsuite` are settings of that section, `sections` whole other ones."""
        if netsuite:
            sections["netsuite"] = self._settings.of(NetSuiteSettings).model_copy(update=netsuite)
        return self.like(self._settings.model_copy(update=sections))

    # What is there

    @property
    def settings(self) -> Settings:
        """Those of its processes."""
        return self._settings

    @settings.setter
    def settings(self, settings: Settings) -> None:
        moved = settings.database_url != self._settings.database_url
        self._settings = settings
        for name in (*_OF_SETTINGS, *(["state"] if moved else [])):
            self.__dict__.pop(name, None)

    @property
    def state_url(self) -> str:
        """Our database."""
        return _text(self._settings.database_url)

    @property
    def source_url(self) -> str:
        """The billing system."""
        return _text(self._settings.of(SourceSettings).url)

    @property
    def sandbox(self) -> RunningSandbox:
        """NetSuite's stand-in."""
        assert self._sandbox, "this world has no NetSuite"
        return self._sandbox

    @property
    def account(self) -> Account:
        """A user of it."""
        assert self._account, "this world has no NetSuite"
        return self._account

    @cached_property
    def state(self) -> Connection:
        """Our database, in autocommit mode."""
        return self._opened.enter_context(connect(self.state_url))

    @cached_property
    def source(self) -> BillingSystem:
        """The billing system, to write to, in autocommit mode."""
        return self._opened.enter_context(open_for_writing(self.source_url))

    @cached_property
    def runtime(self) -> Runtime:
        """What the product makes of the settings."""
        return self._opened.enter_context(Runtime(self._settings).opened())

    @cached_property
    def defs(self) -> dg.Definitions:
        """The code location."""
        return build_defs(self.runtime)

    @cached_property
    def instance(self) -> dg.DagsterInstance:
        """A Dagster that forgets."""
        return self._opened.enter_context(dg.DagsterInstance.ephemeral())

    # What is seen

    def states(self) -> dict[str, str]:
        """State by number of everything staged."""
        return states(self.state)

    def row(self, number: str) -> dict[str, Any]:
        """The staged row of a number."""
        return staged(self.state, number)

    def codes(self, number: str) -> list[str]:
        """Codes of the findings of a staged document."""
        return codes(self.row(number))

    def posts(self) -> int:
        """How many documents the sandbox was asked to create since it was emptied."""
        return int(self.account.admin("summary")["posts"]["received"])

    def records(self) -> dict[str, dict[str, Any]]:
        """What the sandbox holds, by external id; each of them once."""
        found = self.account.records()
        by_id = {record["externalId"]: record for record in found}
        assert len(by_id) == len(found), "a document was doubled"
        return by_id


def _text(secret: SecretStr | str | None) -> str:
    assert secret is not None
    return secret if isinstance(secret, str) else secret.get_secret_value()
