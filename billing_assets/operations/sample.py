"""The sample's stand-ins for the outside world, where no real one is set: a billing database and a NetSuite sandbox."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import requests
from sqlalchemy.engine import make_url

from billing_assets.operations.environment import set_default
from billing_assets.operations.processes import note_process
from billing_assets.runtime import Runtime
from billing_assets.sandbox.netsuite.process import RunningSandbox, start_sandbox
from billing_assets.sandbox.sample.loader import create_sample_schema, load_contracts, load_customers
from billing_assets.sandbox.sample.tables import netsuite_references
from billing_assets.settings import variable
from billing_assets.state import embedded

SAMPLE_DATABASE = "sample_billing_system"
_QUICK = {"staging.detect_seconds": "2", "batches.sensor_seconds": "2", "alerts.check_seconds": "30"}
"""Sensors look every two seconds in the sample, so that one sees something happen."""

_SANDBOX_PATIENCE = {"netsuite.max_request_seconds": "20", "netsuite.read_back_seconds": "10"}
"""The sandbox works on a request for seconds, not for a quarter of an hour: a lost answer is settled sooner."""


def sample_source(found: Runtime) -> str | None:
    """Makes the sample billing system beside our database and sets it as the source; None where a source is set."""
    if variable("source.url") in os.environ or found.settings.source.url is not None:
        return None
    server = found.database_url
    embedded.create_database(server, SAMPLE_DATABASE)
    url = make_url(server).set(database=SAMPLE_DATABASE).render_as_string(hide_password=False)
    create_sample_schema(url)
    load_customers(url)
    load_contracts(url)
    set_default("source.url", url)
    return url


def quick_sensors() -> None:
    """Shortens the sensors' intervals where nobody set them."""
    for setting, value in _QUICK.items():
        set_default(setting, value)


@contextmanager
def sample_netsuite(home: Path) -> Iterator[RunningSandbox | None]:
    """Runs the NetSuite sandbox for the block and points the settings at it; nothing where a base URL is set."""
    if variable("netsuite.base_url") in os.environ:
        yield None
        return
    with seeded_sandbox(home / "netsuite_sandbox") as sandbox:
        note_process(home, sandbox.pid)
        for setting, value in (sandbox_settings(sandbox) | _SANDBOX_PATIENCE).items():
            set_default(setting, value)
        yield sandbox


@contextmanager
def seeded_sandbox(
    folder: Path, port: int = 0, switches: Mapping[str, object] | None = None
) -> Iterator[RunningSandbox]:
    """A running sandbox that knows the sample's customers, items and the rest."""
    with start_sandbox(folder, port=port, switches=switches) as sandbox:
        answer = requests.post(f"{sandbox.base_url}/sandbox/references", json=netsuite_references(), timeout=60)
        answer.raise_for_status()
        yield sandbox


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
