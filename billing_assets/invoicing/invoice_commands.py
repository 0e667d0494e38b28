"""`billing invoicing invoice`, `retry`, `issue` and others: from a reviewed batch to numbers."""

import os
import socket
from collections.abc import Callable
from datetime import datetime
from typing import Annotated

import typer

from billing_assets.foundation.commands.console import console
from billing_assets.foundation.commands.machine import prepared_runtime
from billing_assets.foundation.commands.options import said
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.runtime import Runtime
from billing_assets.invoicing.batches import planning_store, reports, reviewing
from billing_assets.invoicing.batches.selections import Selection, Wanted
from billing_assets.invoicing.batches.settings import Parameters
from billing_assets.invoicing.batches.states import WORDS, Batch
from billing_assets.invoicing.batches.validating import lock, validate
from billing_assets.invoicing.invoices import releasing
from billing_assets.invoicing.invoices import reports as invoice_reports
from billing_assets.invoicing.invoices.engine import rate_case
from billing_assets.invoicing.invoices.errors import CODES as POST_CODES
from billing_assets.invoicing.invoices.processing import Processed, process
from billing_assets.invoicing.invoices.settings import Thresholds
from billing_assets.invoicing.printing import (
    AsJson,
    By,
    CutOff,
    Day,
    Number,
    Why,
    day_of,
    objects,
    show,
    show_json,
    show_planned,
)

Invoice = Annotated[int, typer.Argument(metavar="INVOICE", help="Number of the draft in our database.")]


def register(invoicing: typer.Typer) -> None:
    """Adds the commands."""
    commands: dict[str, Callable[..., None]] = {
        "invoice": invoice_command,
        "retry": retry_command,
        "issue": issue_command,
        "approve": approve_command,
        "approve-batch": approve_batch_command,
        "review": review_command,
        "quality": quality_command,
        "discard": discard_command,
        "generate": generate_command,
    }
    for name, command in commands.items():
        invoicing.command(name)(command)


def invoice_command(batch: Number, by: By, why: Why, as_json: AsJson = False) -> None:
    """Invoice a batch in review, or go on with one that was cut off. Exits 1 where a member failed."""
    by, why = said(by, why)
    with prepared_runtime() as runtime, runtime.state() as connection:
        status = reports.batches(connection, batch)
        if status and status[0].state == Batch.IN_REVIEW:
            reviewing.proceed(connection, batch, by, why)
        done = _invoiced(runtime, connection, batch)
        failed = reports.failed(connection, batch)
        why_not = "" if done else next((one.why or "" for one in reports.batches(connection, batch)), "")
    if as_json:
        show_json(
            {
                "done": done and done._asdict(),
                "failed": [one | {"to_do": POST_CODES[one["code"]].to_do} for one in failed],
                "why": why_not,
            }
        )
    elif done is None:
        reason = why_not or "It is not pending, or another run has it."
        console.print(f"Batch {batch} was not invoiced. {reason}", markup=False, soft_wrap=True)
    else:
        console.print(f"Batch {batch} is {WORDS[done.state]}: {done.invoiced:,} invoiced, {done.failed:,} failed.")
        for one in failed:
            line = f"{one['account']}  {one['code']}  {one['why']} {POST_CODES[one['code']].to_do}"
            console.print(f"  {line}", markup=False, soft_wrap=True)
    if done is None or done.failed:
        raise typer.Exit(1)


def _invoiced(runtime: Runtime, connection: Connection, batch: int) -> Processed | None:
    worker, today = f"{socket.gethostname()} {os.getpid()}", day_of(None, runtime.settings.calendar)
    done = process(runtime.database_url, connection, rate_case, worker, batch, today=today)
    if done is not None:
        releasing.check_quality(connection, batch, today, runtime.settings.of(Thresholds))
    return done


def retry_command(batch: Number, as_json: AsJson = False) -> None:
    """Put the failed members of a batch into a new batch, linked to it."""
    with prepared_runtime() as runtime, runtime.state() as connection:
        made = planning_store.retry(connection, batch)
    show_planned([made] if made else [], as_json)


def issue_command(
    batch: Number,
    invoice_date: Annotated[
        datetime | None, typer.Option("--date", formats=["%Y-%m-%d"], help="Invoice date; default today.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check the drafts of a batch, and give those without an error their numbers: in one transaction, without a gap."""
    with prepared_runtime() as runtime, runtime.state() as connection:
        day = day_of(invoice_date, runtime.settings.calendar)
        releasing.check_quality(connection, batch, day, runtime.settings.of(Thresholds))
        done = releasing.issue(connection, batch, day)
    if as_json:
        show_json(done._asdict())
        return
    span = f", {done.numbers[0]} to {done.numbers[-1]}" if done.numbers else ""
    console.print(f"Batch {batch}: {len(done.numbers):,} issued{span}; {done.held:,} wait for a person.")
    if done.stale:
        console.print(f"{done.stale:,} drafts were discarded: their usage changed. It is billed with the next batch.")


def approve_command(invoice: Invoice, by: By, why: Why, as_json: AsJson = False) -> None:
    """Let go what the checks before release found in a draft."""
    by, why = said(by, why)
    with prepared_runtime() as runtime, runtime.state() as connection:
        releasing.approve(connection, invoice, by, why)
    _show_moved(invoice, "approved", as_json)


def approve_batch_command(batch: Number, by: By, why: Why, as_json: AsJson = False) -> None:
    """Let a batch go that is off its customers' last bills in count or money (QA_BATCH_SUM)."""
    by, why = said(by, why)
    with prepared_runtime() as runtime, runtime.state() as connection:
        approved = releasing.approve_batch(connection, batch, by, why)
    if as_json:
        show_json({"batch": batch, "approved": approved})
        return
    console.print(f"Batch {batch}: {approved:,} drafts are approved.")


def review_command(
    batch: Number,
    invoices: Annotated[
        list[int] | None, typer.Argument(metavar="INVOICE…", help="Drafts by their numbers in our database; all.")
    ] = None,
    *,
    by: By,
    why: Why,
    as_json: AsJson = False,
) -> None:
    """Note that drafts drawn for review, or warned of, were looked at. An error is let go by `approve`."""
    by, why = said(by, why)
    with prepared_runtime() as runtime, runtime.state() as connection:
        reviewed = releasing.review(connection, batch, invoices or (), by, why)
    if as_json:
        show_json({"batch": batch, "reviewed": reviewed})
        return
    console.print(f"Batch {batch}: {reviewed:,} drafts are reviewed.")


def quality_command(batch: Number, as_json: AsJson = False) -> None:
    """Show what the checks before release found in a batch, and who reviewed it; also after its release."""
    with prepared_runtime(only_reads=True) as runtime, runtime.state() as connection:
        found = invoice_reports.quality(connection, batch)
    columns = {"invoice": "Invoice", "account": "Account", "severity": "Severity", "code": "Code"}
    show(found, as_json, f"Checks of batch {batch}", columns | {"sentence": "Sentence", "reviewed_by": "Reviewed by"})


def discard_command(invoice: Invoice, by: By, why: Why, as_json: AsJson = False) -> None:
    """Drop a draft: its usage may be billed again, and it never had a number."""
    by, why = said(by, why)
    with prepared_runtime() as runtime, runtime.state() as connection:
        releasing.discard(connection, invoice, by, why)
    _show_moved(invoice, "discarded", as_json)


def _show_moved(invoice: int, state: str, as_json: bool) -> None:
    if as_json:
        show_json({"invoice": invoice, "state": state})
        return
    console.print(f"Invoice {invoice} is {state}.")


def generate_command(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account.")],
    by: By,
    why: Why,
    since: Day = None,
    until: Day = None,
    cut_off: CutOff = None,
    as_json: AsJson = False,
) -> None:
    """Lock and validate one account's unbilled usage by hand; what is found is waived or fixed as in any batch."""
    by, why = said(by, why)
    first, last = (one.date() if one else None for one in (since, until))
    with prepared_runtime() as runtime, runtime.state() as connection:
        calendar = runtime.settings.calendar
        today = day_of(None, calendar)
        wanted = Wanted(Selection.CUSTOMER, day_of(cut_off, calendar), (account,), first, last)
        made = lock(connection, wanted, by, why)
        given = runtime.settings.of(Parameters)
        found = [
            (validate(connection, one.batch, given, today=today), reports.findings(connection, one.batch))
            for one in made
        ]
    if as_json:
        show_json([{**one._asdict(), "findings": objects(findings)} for one, findings in found])
        return
    show_planned(made, as_json)
    for one, findings in found:
        console.print(f"Batch {one.batch} is {WORDS[one.state]}; `billing invoicing invoice {one.batch}` is next.")
        for finding in findings:
            console.print(f"  {finding.member}  {finding.code}  {finding.sentence}", markup=False, soft_wrap=True)
