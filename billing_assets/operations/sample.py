"""The sample's stand-ins for the outside world, where no real one is set: a billing database and a NetSuite sandbox."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import psycopg
from sqlalchemy.engine import make_url

from billing_assets.decisions.store import Subject, recorder
from billing_assets.erp import bindings
from billing_assets.erp.settings import NetSuiteSettings, SourceSettings
from billing_assets.foundation.commands.machine import set_default
from billing_assets.foundation.database import embedded
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.database.migrations import migrate
from billing_assets.foundation.database.urls import without_secrets
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import load_settings, variable
from billing_assets.foundation.shipped import shipped
from billing_assets.foundation.source_database.errors import CannotConnect, QueryFailed, source_url
from billing_assets.operations.processes import note_process
from billing_assets.sandbox.kit.client import Control
from billing_assets.sandbox.netsuite.process import RunningSandbox, SandboxError, running_sandbox, start_sandbox
from billing_assets.sandbox.samples.loader import create_sample_schema, load_contracts, load_customers
from billing_assets.sandbox.samples.payments import payment_body, payment_of
from billing_assets.sandbox.samples.tables import netsuite_references

SAMPLE_DATABASE = "sample_billing_system"
_QUICK = {"staging.detect_seconds": "2", "batches.sensor_seconds": "2", "alerts.check_seconds": "30"}
"""Sensors look every two seconds in the sample, so that one sees something happen."""

SANDBOX_PATIENCE = {"netsuite.max_request_seconds": "20", "netsuite.read_back_seconds": "10"}
"""The sandbox works on a request for seconds, not for a quarter of an hour: a lost answer is settled sooner."""


class PaymentsLoaded(NamedTuple):
    """Payments that are new in the sandbox, and those that were there."""

    created: int
    known: int


def sample_source(found: Runtime) -> str | None:
    """Makes the sample billing system beside our database and sets it as the source; None where a source is set."""
    if variable("source.url") in os.environ or found.settings.of(SourceSettings).url is not None:
        return None
    server = found.database_url
    embedded.create_database(server, SAMPLE_DATABASE)
    url = make_url(server).set(database=SAMPLE_DATABASE).render_as_string(hide_password=False)
    with filling(url):
        create_sample_schema(url)
        load_customers(url)
        load_contracts(url)
    set_default("source.url", url)
    return url


@contextmanager
def filling(url: str) -> Iterator[None]:
    """Writes the sample into a billing database. Raises SourceError: what fails there is not our database."""
    parsed = source_url(url)
    try:
        yield
    except psycopg.OperationalError as error:
        raise CannotConnect(parsed, " ".join(str(error).split())) from None
    except psycopg.Error as error:
        raise QueryFailed("the sample", without_secrets(" ".join(str(error).split()), parsed)) from None


def quick_sensors() -> None:
    """Shortens the sensors' intervals where they are not set."""
    for setting, value in _QUICK.items():
        set_default(setting, value)


@contextmanager
def sample_netsuite(home: Path) -> Iterator[RunningSandbox | None]:
    """Runs the NetSuite sandbox for the block and points the settings at it; nothing where a base URL is set."""
    if variable("netsuite.base_url") in os.environ:
        yield None
        return
    with seeded_sandbox(home / "netsuite_sandbox") as sandbox:
        note_process(home, sandbox.pid, "NetSuite sandbox")
        _point_at(sandbox)
        yield sandbox


def follow_sandbox(found: Runtime, sandbox: RunningSandbox) -> None:
    """Keeps a database that is bound to the sample's own sandbox with it: it listens on another port at each start."""
    migrate(found.database_url, shipped("sql/state"))
    with found.state() as connection:
        host, why = urlsplit(sandbox.base_url).netloc, "The sample's sandbox listens on another port."
        decide = recorder(connection, Subject.BINDING, "billing --sample", why)
        bindings.follow_sandbox(connection, sandbox.credentials.account, host, decide)


@contextmanager
def reachable_netsuite(home: Path) -> Iterator[str]:
    """Address of the sandbox that the settings name; else the sample's, the running one or one for the block.

    Raises SandboxError where the settings name another machine: that is no sandbox.
    """
    folder = home / "netsuite_sandbox"
    if (address := load_settings().of(NetSuiteSettings).base_url) is not None:
        if urlsplit(address).hostname not in {"127.0.0.1", "::1", "localhost"}:
            raise SandboxError(f"{variable('netsuite.base_url')} is not on this machine: payments are for the sandbox.")
        yield address
        return
    if (running := running_sandbox(folder)) is not None:
        _point_at(running)
        yield running.base_url
        return
    with seeded_sandbox(folder) as sandbox:
        _point_at(sandbox)
        yield sandbox.base_url


def _point_at(sandbox: RunningSandbox) -> None:
    for setting, value in (sandbox_settings(sandbox) | SANDBOX_PATIENCE).items():
        set_default(setting, value)


def seeded_sandbox(folder: Path, port: int = 0, switches: Mapping[str, object] | None = None) -> RunningSandbox:
    """A running sandbox that knows the sample's customers, items and the rest; as a context manager it stops."""
    return start_sandbox(folder, port=port, switches=switches, references=netsuite_references())


def sandbox_settings(sandbox: RunningSandbox) -> dict[str, str]:
    """The settings that point at a sandbox."""
    credentials = sandbox.credentials
    return {
        "netsuite.base_url": sandbox.base_url,
        "netsuite.account": credentials.account,
        "netsuite.client_id": credentials.client_id,
        "netsuite.certificate_id": credentials.certificate_id,
        "netsuite.private_key_file": str(credentials.private_key_file),
        "netsuite.consumer_key": credentials.consumer_key,
        "netsuite.consumer_secret": credentials.consumer_secret,
        "netsuite.token_id": credentials.token_id,
        "netsuite.token_secret": credentials.token_secret,
    }


def load_payments(connection: Connection, sandbox_url: str, as_of: date) -> PaymentsLoaded:
    """Loads the sample's payments up to a day into the sandbox, for every invoice that is posted. Again adds nothing.

    Raises SandboxError when the sandbox refuses one.
    """
    created = known = after = 0
    while page := _posted_invoices(connection, after):
        bodies = [body for one in page if (body := _payment_body(one, as_of)) is not None]
        found = Control(sandbox_url).post("payments", {"payments": bodies})
        created, known, after = created + found["created"], known + found["known"], page[-1]["id"]
    return PaymentsLoaded(created, known)


def _posted_invoices(connection: Connection, after: int) -> list[dict[str, Any]]:
    return connection.execute(
        """
        select id, number, external_id, customer, currency, document_date,
            coalesce(due_date, document_date) as due_date, total
        from billing.staged_invoices
        where state = 'posted' and kind = 'invoice' and total > 0 and id > %s order by id limit 1000""",
        [after],
    ).fetchall()


def _payment_body(one: Mapping[str, Any], as_of: date) -> dict[str, Any] | None:
    payment = payment_of(one["number"], one["document_date"], one["due_date"], one["total"])
    if payment is None or payment.day > as_of:
        return None
    return payment_body(one["number"], one["external_id"], one["customer"], one["currency"], payment)
