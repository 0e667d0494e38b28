"""The utility sample ends in NetSuite's sandbox: what was issued is staged and posted, and its months are compared."""

import json
import os
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import dagster as dg

from billing_assets.erp import bindings
from billing_assets.erp.batches.automation import POST_JOB
from billing_assets.erp.batches.partitions import batches
from billing_assets.erp.batches.planning import plan, runs_wanted
from billing_assets.erp.close.comparing import compared
from billing_assets.erp.close.reconciliation import MonthClose
from billing_assets.erp.close.verdict import verdict
from billing_assets.foundation.commands.machine import prepared_runtime
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.errors import BillingError
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import SettingsError, load_settings, variable
from billing_assets.invoicing.billing_source import source
from billing_assets.operations import sample, utility_billing_store
from billing_assets.operations.utility import AREAS
from billing_assets.operations.utility_ledger import Difference
from billing_assets.sandbox.netsuite.process import running_sandbox, start_sandbox
from billing_assets.sandbox.samples.utility.world import NETSUITE

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
_PATIENCE = 300.0
"""Seconds after which what could not be posted is left to the comparison to show. A run that was killed leaves a lease,
and documents of which it must be proven that NetSuite does not have them."""
_LOOK_SECONDS = 0.5


class NotStagedError(BillingError):
    """The bills could not be staged."""


def check_home(connection: Connection) -> None:
    """Raises SettingsError where our database was staged from another source: its ledger is not this sample's."""
    others = sorted(
        {one.name for one in bindings.entries(connection) if one.subject is bindings.Subject.SOURCE} - {source().name}
    )
    if others:
        raise SettingsError(
            f"This system was staged from {', '.join(others)}: the utility sample is for a home of its own. Name an "
            f"empty one in {variable('home')}."
        )


@contextmanager
def with_netsuite(home: Path, world: Path) -> Iterator[Runtime]:
    """A runtime with the areas of the ledger and with the sandbox, which runs for the block; one that a killed run left
    is used. Inside a prepared one: our database's server goes on."""
    folder = world / NETSUITE
    references = json.loads((folder / "references.json").read_text(encoding="utf-8"))
    place = home / "utility_netsuite"
    with running_sandbox(place) or start_sandbox(place, references=references) as sandbox:
        values = {"areas": f"erp,receivables,{AREAS}", "mapping": str(folder / "mapping.yaml")}
        for name, value in (values | sample.sandbox_settings(sandbox) | sample.SANDBOX_PATIENCE).items():
            os.environ[variable(name)] = value
        sample.follow_sandbox(Runtime(load_settings()), sandbox)
        with prepared_runtime() as runtime:
            yield runtime


def post_bills(runtime: Runtime) -> int:
    """Stages what was issued and posts all of it. How many batches were posted. Safe to repeat."""
    from billing_assets.definitions import build_defs  # noqa: PLC0415  loads Dagster's whole code location

    defs, posted = build_defs(runtime), 0
    with dg.DagsterInstance.ephemeral() as instance, runtime.state() as connection:
        staged = defs.resolve_job_def("stage_invoices").execute_in_process(
            instance=instance, run_config=_QUIET, raise_on_error=False
        )
        if not staged.success:
            raise NotStagedError("The bills were not staged: `billing doctor` says what is wrong with the source.")
        until = time.monotonic() + _PATIENCE
        while utility_billing_store.unposted(connection) and time.monotonic() < until:
            plan(connection, runtime.settings.batches)
            wanted = [one.partition_key for one in runs_wanted(connection, {})]
            instance.add_dynamic_partitions(batches.name or "", wanted)
            for key in wanted:
                found = defs.resolve_job_def(POST_JOB).execute_in_process(
                    instance=instance, partition_key=key, run_config=_QUIET, raise_on_error=False
                )
                posted += found.success
            if not wanted:
                time.sleep(_LOOK_SECONDS)
    return posted


def closes(runtime: Runtime) -> list[MonthClose]:
    """Every month of the bills: our invoices, staging and NetSuite side by side."""
    with runtime.state() as connection:
        return [compared(runtime, connection, period) for period in utility_billing_store.months(connection)]


def differences(each: Iterable[MonthClose], issued: Mapping[str, tuple[int, Decimal]]) -> Iterator[Difference]:
    """Months that do not agree between our invoices, staging and NetSuite, and sums that are not what was issued."""
    documents: Counter[str] = Counter()
    totals: defaultdict[str, Decimal] = defaultdict(Decimal)
    for close in each:
        found = verdict(close)
        if not found.done:
            yield Difference(close.period, "agrees to the cent", found.words)
        for row in close.rows:
            documents[row.currency] += row.netsuite.documents
            totals[row.currency] += row.netsuite.total
    for currency, wanted in issued.items():
        has = documents[currency], totals[currency]
        if has != wanted:
            yield Difference(f"{currency} in NetSuite", "{} bills, {}".format(*wanted), "{} bills, {}".format(*has))
