"""From drafts to issued invoices: checks before release, a person's word, and the numbers, in one transaction."""

from collections.abc import Sequence
from datetime import date
from itertools import groupby
from typing import Any, NamedTuple

from billing_assets.decisions.store import Subject, record
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.errors import BillingError
from billing_assets.invoicing.batches import store as batches
from billing_assets.invoicing.batches.states import WORDS, Batch, Member
from billing_assets.invoicing.invoices import quality, reports, store
from billing_assets.invoicing.invoices.due_dates import due_on
from billing_assets.invoicing.invoices.errors import told
from billing_assets.invoicing.invoices.settings import Thresholds
from billing_assets.invoicing.invoices.states import Invoice
from billing_assets.invoicing.invoices.store import Issuing, number_of
from billing_assets.metering.contract import lock_ready, note_all_billed


class ReleaseError(BillingError):
    """What was asked does not fit the invoice or the batch; the message says in which state it is."""


class Checked(NamedTuple):
    """Drafts after the checks before release."""

    batch: int
    approved: int
    held: int


class Issued(NamedTuple):
    """What was issued. `stale`: drafts whose usage changed since: they were discarded, and it is billed again."""

    batch: int
    numbers: tuple[str, ...]
    stale: int
    held: int


def check_quality(connection: Connection, batch: int, invoice_date: date, given: Thresholds | None = None) -> Checked:
    """Runs the checks over the drafts of a batch: one with an error waits for a person, the others are approved. Safe
    to repeat. `invoice_date`: when they are to be issued."""
    given = given or Thresholds()
    with connection.transaction():
        group = batches.batch(connection, batch).bill_group
        rows = reports.quality_facts(connection, batch)
        known = quality.of_batch(rows, given)
        issued = reports.issued_of(connection, group, given.sample_first)
        for place, row in enumerate(rows, issued + 1):
            store.write_quality(connection, row["invoice"], quality.check(row, given, known, place, invoice_date))
        every = [row["invoice"] for row in rows]
        held = reports.open_errors(connection, every)
        store.move(connection, sorted(held), Invoice.QA_HOLD)
        store.move(connection, [one for one in every if one not in held], Invoice.APPROVED)
    return Checked(batch, len(every) - len(held), len(held))


def approve(connection: Connection, invoice: int, by: str, why: str) -> None:
    """A person lets go what the checks found in a draft. Raises ReleaseError."""
    with connection.transaction():
        _need(connection, invoice, Invoice.QA_HOLD)
        decision = record(connection, Subject.INVOICING, f"invoice {invoice}", "approve", by, why)
        store.let_go(connection, invoice, decision.id)
        store.move(connection, [invoice], Invoice.DRAFTED)
        store.move(connection, [invoice], Invoice.APPROVED)


def approve_batch(connection: Connection, batch: int, by: str, why: str) -> int:
    """A person lets a batch go that is off its customers' last bills. How many drafts are approved now: those that are
    held for more stay so. Raises ReleaseError."""
    with connection.transaction():
        batches.batch(connection, batch)
        held = [one["id"] for one in reports.drafts(connection, batch, Invoice.QA_HOLD)]
        decision = record(connection, Subject.INVOICING, f"batch {batch}", "approve QA_BATCH_SUM", by, why)
        if not store.let_go_of(connection, held, "QA_BATCH_SUM", decision.id):
            raise ReleaseError(f"No draft of batch {batch} is held for QA_BATCH_SUM.")
        still = reports.open_errors(connection, held)
        free = [one for one in held if one not in still]
        store.move(connection, free, Invoice.DRAFTED)
        store.move(connection, free, Invoice.APPROVED)
    return len(free)


def review(connection: Connection, batch: int, invoices: Sequence[int], by: str, why: str) -> int:
    """A person has looked at drafts of a batch that were drawn (`QA_SAMPLE`, and each warning draws); with none named,
    at all of them. How many. Raises ReleaseError where one was not drawn, or was reviewed before."""
    with connection.transaction():
        batches.batch(connection, batch)
        drawn = reports.drawn(connection, batch)
        chosen = list(invoices) or drawn
        if other := sorted(set(chosen) - set(drawn)):
            raise ReleaseError(f"Invoice {other[0]} is not drawn for review in batch {batch}, or was reviewed before.")
        if not chosen:
            raise ReleaseError(f"Nothing of batch {batch} is left to be reviewed.")
        decision = record(connection, Subject.INVOICING, f"batch {batch}", "review the sample", by, why)
        store.reviewed(connection, chosen, decision.id)
    return len(chosen)


def discard(connection: Connection, invoice: int, by: str, why: str) -> None:
    """A person drops a draft: its usage is free, and it never had a number. Raises ReleaseError."""
    with connection.transaction():
        row = _need(connection, invoice, Invoice.DRAFTED, Invoice.QA_HOLD, Invoice.APPROVED)
        record(connection, Subject.INVOICING, f"invoice {invoice}", "discard", by, why)
        _drop(connection, [(invoice, int(row["member"]))], why)


def _drop(connection: Connection, each: Sequence[tuple[int, int]], why: str) -> None:
    """Drops drafts, by invoice and member."""
    invoices = [invoice for invoice, _ in each]
    store.move(connection, invoices, Invoice.DISCARDED)
    store.free(connection, invoices)
    for _, member in each:
        batches.end_member(connection, member, Member.DISCARDED, why=why)


def _need(connection: Connection, invoice: int, *states: Invoice) -> dict[str, Any]:
    row = reports.invoice(connection, invoice)
    if row is None:
        raise ReleaseError(f"There is no invoice {invoice}.")
    if row["state"] not in states:
        wanted = " or ".join(states)
        raise ReleaseError(f"Invoice {row['number'] or invoice} is {row['state']}; this needs {wanted}.")
    return row


def drop_stale(connection: Connection, batch: int) -> list[str]:
    """Discards the drafts of a batch whose usage or charges may not be billed any more. Their accounts."""
    with connection.transaction():
        batches.batch(connection, batch)
        drafts = reports.drafts(connection, batch, Invoice.DRAFTED, Invoice.QA_HOLD, Invoice.APPROVED)
        return [one["account"] for one in _drop_stale(connection, drafts)[1]]


def _drop_stale(
    connection: Connection, drafts: Sequence[dict[str, Any]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Drafts that are as they were, which they stay until the transaction ends, and those that were discarded."""
    ready = lock_ready(connection, [message for one in drafts for message in one["messages"]])
    ready |= reports.billed_again(connection, [one["id"] for one in drafts])
    good = [one for one in drafts if one["is_valid"] and ready.issuperset(one["messages"])]
    stale = [one for one in drafts if one not in good]
    if stale:
        _drop(connection, [(one["id"], one["member"]) for one in stale], "Its usage changed before it was issued.")
    return good, stale


def issue(connection: Connection, batch: int, invoice_date: date) -> Issued:
    """Gives the approved drafts of a batch their numbers, in one transaction: all or none, and none is left out.

    A draft whose usage or charges are no longer ready is discarded: what is right now is billed with the next batch.
    Safe to repeat. Raises ReleaseError.
    """
    day = invoice_date
    with connection.transaction():
        row = batches.batch(connection, batch)
        if row.state not in (Batch.COMPLETED, Batch.ERROR_OCCURRED):
            raise ReleaseError(f"Batch {batch} is {WORDS[row.state]}: it is issued when it is invoiced.")
        if reports.needs_review(connection, batch) and (left := reports.drawn(connection, batch)):
            raise ReleaseError(
                f"{len(left)} drafts of batch {batch} were drawn for review, and no one has reviewed them "
                f"(`billing invoicing review {batch}`)."
            )
        drafts = reports.drafts(connection, batch, Invoice.APPROVED)
        held = len(reports.drafts(connection, batch, Invoice.QA_HOLD, Invoice.DRAFTED))
        good, stale = _drop_stale(connection, drafts)
        each: list[Issuing] = []
        for issuer, of_issuer in groupby(good, lambda one: one["issuer"]):
            rows = list(of_issuer)
            first = _numbers(connection, issuer, day, len(rows))
            for sequence, one in enumerate(rows, first):
                number = number_of(issuer, day.year, sequence)
                each.append(
                    Issuing(one["id"], number, day.year, sequence, day, due_on(day, one["due_days"], one["calendar"]))
                )
        if each:
            store.issue(connection, each)
            numbers = {one.invoice: one.number for one in each}
            billed = {message: numbers[one["id"]] for one in good for message in one["messages"]}
            note_all_billed(connection, billed)
    return Issued(batch, tuple(one.number for one in each), len(stale), held)


def give_number(connection: Connection, document: int, issuer: str, day: date, due: date) -> str:
    """Issues one approved document without usage, in the caller's transaction. Its number. Raises ReleaseError."""
    sequence = _numbers(connection, issuer, day, 1)
    number = number_of(issuer, day.year, sequence)
    store.issue(connection, [Issuing(document, number, day.year, sequence, day, due)])
    return number


def _numbers(connection: Connection, issuer: str, day: date, many: int) -> int:
    """The first of a block of numbers. Raises ReleaseError."""
    first = store.take_numbers(connection, issuer, day.year, many)
    if first is None:
        raise ReleaseError(told("NUMBER_RANGE", issuer=issuer, year=day.year))
    return first
