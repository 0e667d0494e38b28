"""The utility sample goes on from usage to bills: master data is loaded, and each month is billed group by group."""

import hashlib
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.runtime import Runtime
from billing_assets.invoicing.accounts.loading import load_accounts
from billing_assets.invoicing.batches import planning_store, reports, reviewing
from billing_assets.invoicing.batches import store as batches
from billing_assets.invoicing.batches.selections import Selection, Wanted
from billing_assets.invoicing.batches.states import Batch
from billing_assets.invoicing.batches.validating import plan_next, validate
from billing_assets.invoicing.corrections.arrivals import Answered, answer
from billing_assets.invoicing.invoices import releasing
from billing_assets.invoicing.invoices.engine import rate_case
from billing_assets.invoicing.invoices.processing import process
from billing_assets.invoicing.tariffs import store as tariffs
from billing_assets.invoicing.tariffs.files import read_tariff
from billing_assets.invoicing.tariffs.loading import load_file
from billing_assets.invoicing.tariffs.series_files import read_values
from billing_assets.invoicing.tariffs.store import FileOf
from billing_assets.operations import utility_billing_store
from billing_assets.sandbox.samples.utility.clock import read_day
from billing_assets.sandbox.samples.utility.index_prices import MINUTES
from billing_assets.sandbox.samples.utility.rates import AFTER_BILLS, MONTHS
from billing_assets.sandbox.samples.utility.world import BILLING

MAKER, CHECKER = "Mara (sample)", "Ben (sample)"
"""Who decides in the sample."""

_LAST_CYCLE = 20
_BILLED_AFTER = timedelta(days=7)
_CORRECTED_AFTER = timedelta(days=20)
_PATIENCE = 90.0


class Billed(NamedTuple):
    """A group's month after it was billed, in this run."""

    month: date
    bill_group: str
    issued: int
    taken_out: int
    failed: int


def load_billing(runtime: Runtime, world: Path) -> int:
    """Loads tariffs, approved by another person, prices, and the customers. How many findings there are. Safe
    to repeat."""
    folder = world / BILLING
    with runtime.state() as connection:
        for path in sorted((folder / "tariffs").glob("*.json")):
            with connection.transaction():
                loaded, _ = load_file(connection, read_tariff(path), MAKER, "Prices of the sample")
                if loaded.is_new:
                    tariffs.approve(connection, loaded.tariff, loaded.number, CHECKER, "Compared with the price list")
        for path in sorted((folder / "prices").glob("*.csv")):
            content, values = read_values(path, "price", MINUTES)
            file = FileOf(path.name, "csv", hashlib.sha256(content).digest())
            tariffs.load_series(connection, "price", path.stem, MINUTES, values, file, MAKER, "Prices of the sample")
        return len(load_accounts(connection, folder).findings)


def bill_months(runtime: Runtime) -> Iterator[Billed]:
    """Bills the months of the world in their order, each group of each; what is done is left as it is."""
    with runtime.state() as connection:
        for month, first in enumerate(MONTHS):
            cut_off = read_day(month + 1, _LAST_CYCLE)
            for group in utility_billing_store.groups(connection):
                wanted = Wanted(Selection.BILL_GROUP, cut_off, (group,))
                planning_store.request(connection, wanted, by=MAKER, why=f"The bills of {first:%Y-%m}")
                issued, taken_out, failed = _finish(runtime, connection)
                if issued or taken_out or failed:
                    yield Billed(first, group, issued, taken_out, failed)


def correct(runtime: Runtime) -> Answered:
    """Answers what the utilities sent after the bills: such a bill is cancelled and made again. Safe to repeat."""
    with runtime.state() as connection:
        return answer(connection, rate_case, AFTER_BILLS + _CORRECTED_AFTER)


def _finish(runtime: Runtime, connection: Connection) -> tuple[int, int, int]:
    """Brings everything that is requested to its end: members issued, taken out, failed."""
    while plan_next(connection) is not None:
        pass
    issued = taken_out = failed = 0
    while open_ones := sorted(one.batch for one in reports.batches(connection, only_open=True)):
        for batch in open_ones:
            day = utility_billing_store.cut_off(connection, batch) + _BILLED_AFTER
            taken_out += _review(connection, batch, day)
            failed += _invoice(runtime, connection, batch, day)
    for batch in utility_billing_store.with_drafts(connection):
        issued += _issue(connection, batch, utility_billing_store.cut_off(connection, batch) + _BILLED_AFTER)
    return issued, taken_out, failed


def _review(connection: Connection, batch: int, day: date) -> int:
    """Validates a batch; what has errors is taken out with their codes, the rest may be invoiced."""
    if batches.batch(connection, batch).state in {Batch.PENDING_VALIDATION, Batch.VALIDATING}:
        validate(connection, batch, today=day)
    errors: dict[int, list[str]] = {}
    for one in reports.findings(connection, batch):
        if one.severity == "error" and one.member_state == "held":
            errors.setdefault(one.member, []).append(one.code)
    for member, codes in errors.items():
        reviewing.take_out(connection, member, MAKER, " ".join(sorted(set(codes))))
    if batches.batch(connection, batch).state is Batch.IN_REVIEW:
        reviewing.proceed(connection, batch, MAKER, "No errors are left")
    return len(errors)


def _invoice(runtime: Runtime, connection: Connection, batch: int, day: date) -> int:
    """Invoices a batch; one that a run left behind has a lease, which is waited for. How many members failed."""
    until = time.monotonic() + _PATIENCE
    while batches.batch(connection, batch).state in {Batch.PENDING, Batch.PROCESSING}:
        done = process(runtime.database_url, connection, rate_case, "utility sample", batch, today=day)
        if done is not None:
            return done.failed
        if time.monotonic() > until:
            break
        time.sleep(0.5)
    return 0


def _issue(connection: Connection, batch: int, day: date) -> int:
    """Checks the drafts of a batch and issues them; what the checks hold is let go by a person, with the codes."""
    releasing.check_quality(connection, batch, day)
    for invoice, codes in utility_billing_store.held_drafts(connection, batch):
        releasing.approve(connection, invoice, CHECKER, f"Compared with the usage: {' '.join(codes)}")
    return len(releasing.issue(connection, batch, day).numbers)
