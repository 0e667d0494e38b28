"""Cancel, or cancel and rebill: the documents of one correction, issued together in one transaction or not at all."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

import psycopg

from billing_assets.foundation.database.connection import Connection
from billing_assets.invoicing.batches import planning_store
from billing_assets.invoicing.batches import store as batches
from billing_assets.invoicing.batches.facts_store import facts_of
from billing_assets.invoicing.batches.planning_store import CorrectionBatch
from billing_assets.invoicing.batches.states import Batch, Member
from billing_assets.invoicing.corrections import reports, store
from billing_assets.invoicing.corrections.reports import Drafted, Original
from billing_assets.invoicing.corrections.states import Correction, Outcome
from billing_assets.invoicing.invoices import adjustment_store, mirror_store, releasing
from billing_assets.invoicing.invoices.adjustment_store import Difference
from billing_assets.invoicing.invoices.drafting import Bounds, Rebill, invoice_next
from billing_assets.invoicing.invoices.rating_case import Rate
from billing_assets.invoicing.invoices.settings import Thresholds


class Person(NamedTuple):
    """Who corrects, and why; `decision`: where it is recorded."""

    by: str
    why: str
    decision: int


class Corrected(NamedTuple):
    """A correction after it was tried. `numbers`: of its documents. Without an outcome nothing was written: `code` and
    `why` say what keeps it. `change`: by how much the customer owes more with the rebill, issued or not."""

    correction: int
    outcome: Outcome | None
    numbers: tuple[str, ...] = ()
    code: str | None = None
    why: str | None = None
    change: Decimal | None = None
    difference: Difference | None = None


class Again(NamedTuple):
    """What is billed again: the message of its usage, None for the intervals of the days of the invoice; and by whose
    prices. `original_prices`: those of the invoice that is replaced."""

    usage: int | None
    original_prices: bool = True


class Limits(NamedTuple):
    """Without a person: a smaller change of an estimate goes onto the next bill; one that makes a customer owe more
    than `ask_above` waits for a person. `checks`: thresholds of the checks before release."""

    threshold: Decimal = Decimal("1.00")
    ask_above: Decimal | None = None
    checks: Thresholds | None = None


def cancel(
    connection: Connection, correction: int, original: Original, today: date, person: Person | None = None
) -> Corrected:
    """Cancels an issued invoice alone: the customer gets the cancel. In the caller's transaction."""
    with connection.transaction():
        batch = _batch(connection, correction, original, today, person)
        _mirror(connection, [original], correction, batch.batch, person, deliver=True)
        numbers = _issue(connection, batch.batch, today)
        _take_back_adjustments(connection, correction, [original])
        store.move(connection, correction, Correction.READY)
        store.end(connection, correction, Outcome.CANCELLED, batch.batch)
    return Corrected(correction, Outcome.CANCELLED, numbers, change=-original.total)


def rebill(
    connection: Connection,
    correction: int,
    originals: Sequence[Original],
    again: Again,
    rate: Rate,
    today: date,
    *,
    person: Person | None = None,
    limits: Limits = Limits(),  # noqa: B008  immutable
) -> Corrected:
    """Cancels invoices and bills usage again that has their days, in the caller's transaction. The first one is the one
    that the rebill names; what is cancelled already is not cancelled twice.

    Without a person nothing is issued that the checks before release hold, nor what need not be: outcome `noted` or
    `adjusted`, of which only the change was found.
    """
    first = originals[0]
    store.move(connection, correction, Correction.READY)
    done: Corrected | None = None
    with connection.transaction() as all_or_nothing:
        batch = _batch(connection, correction, first, today, person, again)
        _mirror(connection, originals, correction, batch.batch, person, deliver=False)
        draft = _draft(connection, batch, correction, originals, again, rate, today)
        before = sum((one.total for one in originals if one.state == "issued"), Decimal(0))
        change = None if draft.total is None else draft.total - before
        done = _kept_back(connection, correction, draft, change, limits, person)
        if done is None and person is None:
            done = _not_needed(connection, correction, originals, draft, change, limits)
        if done is None:
            batches.move(connection, batch.batch, Batch.COMPLETED)
            done = _checked(connection, correction, batch.batch, draft, change, person, today, limits.checks)
        if done is not None:
            raise psycopg.Rollback(all_or_nothing)
        numbers = tuple(releasing.issue(connection, batch.batch, today).numbers)
        mirror_store.note_rebilled(connection, [one.id for one in originals])
        _take_back_adjustments(connection, correction, [one for one in originals if one.state == "issued"])
        store.end(connection, correction, Outcome.REBILLED, batch.batch)
        done = Corrected(correction, Outcome.REBILLED, numbers, change=change)
    if done.code is not None and done.why is not None:
        store.keep_back(connection, correction, done.code, done.why)
    return done


def _batch(
    connection: Connection,
    correction: int,
    original: Original,
    today: date,
    person: Person | None,
    again: Again | None = None,
) -> CorrectionBatch:
    by_intervals = again is not None and again.usage is None
    return planning_store.correction_batch(
        connection,
        correction,
        original.account,
        original.bill_group,
        today,
        again.usage if again else None,
        person.decision if person else None,
        (original.point, original.period_start, original.period_end) if by_intervals else None,
    )


def _mirror(
    connection: Connection,
    originals: Sequence[Original],
    correction: int,
    batch: int,
    person: Person | None,
    *,
    deliver: bool,
) -> None:
    source = "manual" if person else "automatic"
    for one in originals:
        if one.state == "issued":
            mirror_store.write_cancel(connection, one.id, correction, batch, source=source, deliver=deliver)


def _take_back_adjustments(connection: Connection, correction: int, originals: Sequence[Original]) -> None:
    """What was adjusted of an invoice that is cancelled now is on the next bill with the opposite sign."""
    for one in originals:
        adjustment_store.hold(connection, correction, one.id, adjustment_store.difference(connection, one.id, None))


def _issue(connection: Connection, batch: int, today: date) -> tuple[str, ...]:
    batches.move(connection, batch, Batch.COMPLETED)
    return tuple(releasing.issue(connection, batch, today).numbers)


def _draft(
    connection: Connection,
    batch: CorrectionBatch,
    correction: int,
    originals: Sequence[Original],
    again: Again,
    rate: Rate,
    today: date,
) -> Drafted:
    """Drafts the rebill by the engine that drafts any invoice."""
    first = originals[0]
    member = batch.member or 0
    for facts in facts_of(connection, batch.batch, today, [member]):
        clear = {"member": facts.member, "state": str(Member.CLEAR), "content": facts.content, "charges": facts.charges}
        batches.write_validated(connection, [clear])
    terms = Rebill(correction, first.id)
    if again.original_prices:
        versions = reports.series_versions(connection, first.id)
        terms = Rebill(correction, first.id, first.tariff, first.tariff_version, versions)
    bounds = Bounds(Bounds().documents + len(originals))  # its cancels are documents of the day, too
    invoice_next(connection, batch.batch, rate, today, bounds, terms)
    return reports.drafted(connection, member)


def _kept_back(
    connection: Connection,
    correction: int,
    draft: Drafted,
    change: Decimal | None,
    limits: Limits,
    person: Person | None,
) -> Corrected | None:
    if draft.invoice is None:
        return Corrected(correction, None, (), draft.code, draft.why)
    if person is None and change is not None and limits.ask_above is not None and change > limits.ask_above:
        why = f"The customer would owe {change} more, above {limits.ask_above}: offer instalments, then rebill it."
        return Corrected(correction, None, (), "CORRECTION_TOO_LARGE", why, change)
    return None


def _not_needed(
    connection: Connection,
    correction: int,
    originals: Sequence[Original],
    draft: Drafted,
    change: Decimal | None,
    limits: Limits,
) -> Corrected | None:
    """Whether the invoice may stay as it is: it charges the same, or an estimate was nearly right."""
    first = originals[0]
    same_days = (draft.period_start, draft.period_end) == (first.period_start, first.period_end)
    if len(originals) > 1 or not same_days or first.state != "issued" or draft.invoice is None or change is None:
        return None
    difference = adjustment_store.difference(connection, first.id, draft.invoice)
    same = reports.amounts(connection, draft.invoice) == reports.amounts(connection, first.id)
    if adjustment_store.was_adjusted(connection, first.id):
        same = not difference.amount and not difference.taxes
    if same:
        return Corrected(correction, Outcome.NOTED, change=Decimal(0))
    if first.is_estimated and not draft.is_estimated and abs(difference.total) < limits.threshold:
        return Corrected(correction, Outcome.ADJUSTED, change=difference.total, difference=difference)
    return None


def _checked(
    connection: Connection,
    correction: int,
    batch: int,
    draft: Drafted,
    change: Decimal | None,
    person: Person | None,
    today: date,
    checks: Thresholds | None,
) -> Corrected | None:
    """Runs the checks before release; a person lets go what they hold by asking for the rebill."""
    if not releasing.check_quality(connection, batch, today, checks).held or draft.invoice is None:
        return None
    if person is not None:
        releasing.approve(connection, draft.invoice, person.by, person.why)
        return None
    code, why = reports.held_by_checks(connection, draft.invoice) or ("", "")
    return Corrected(correction, None, (), code, why, change)
