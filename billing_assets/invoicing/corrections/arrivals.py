"""What the utility sent after a bill: every proposal of metering is answered, each in a transaction of its own.

| of what it replaces | what came | done |
| --- | --- | --- |
| drafted | anything | the draft is discarded, and the account asked to be billed again |
| issued, charges the same | a replacement | noted: the replacement takes its place on the invoice |
| issued, an estimate that was nearly right | an actual | the same, and the difference is on the next bill |
| issued | a replacement, or other intervals of its days | cancel and rebill, issued together |
| issued | a cancel, and no replacement within the days that metering waits | the cancel alone |

Unbilled usage is superseded by metering itself, and a replacement without a cancel waits there: neither comes here. A
run that is killed is made good by the next one: what is answered is `taken`.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from billing_assets.foundation.database.connection import Connection
from billing_assets.invoicing.batches import planning_store
from billing_assets.invoicing.batches.selections import Selection, Wanted
from billing_assets.invoicing.corrections import correcting, reports, store
from billing_assets.invoicing.corrections.answers import answered
from billing_assets.invoicing.corrections.correcting import Again, Corrected, Limits
from billing_assets.invoicing.corrections.reports import Original, Usage
from billing_assets.invoicing.corrections.states import Correction, Outcome
from billing_assets.invoicing.invoices import adjustment_store, mirror_store, releasing
from billing_assets.invoicing.invoices.rating_case import Rate
from billing_assets.metering.contract import Proposal, lock_ready, note_all_billed, proposals, take_candidate

CANCELLED, REPLACED = "The utility cancelled its usage.", "The utility replaced its usage."
RESTATED = "Its intervals changed."


class Answered(NamedTuple):
    """What became of everything that came: corrections by outcome, those that wait, those that a person looks at, and
    drafts that were discarded."""

    outcomes: dict[str, int]
    waiting: int
    kept_back: int
    discarded: int


def answer(
    connection: Connection,
    rate: Rate,
    today: date,
    limits: Limits = Limits(),  # noqa: B008  immutable
) -> Answered:
    """Answers what there is to answer. Safe to repeat."""
    discarded = _discard(connection, today)
    done: list[Corrected] = []
    every = proposals(connection)
    for one in every:
        if one.kind == "credit":
            _open(connection, one)
    for one in every:
        if one.kind == "rebill" and one.state == "due":
            done += _rebill(connection, one, rate, today, limits)
    for one in every:
        if one.kind == "credit" and one.state == "due":
            done += _credit(connection, one, every, today)  # what took its place is billed already, or did not come
    for restated in reports.restated_intervals(connection):
        if restated.is_ready:
            done += _restate(connection, restated.number, rate, today, limits)
    store.withdraw(connection, [one.original for one in proposals(connection)])
    outcomes = Counter(str(one.outcome) for one in done if one.outcome is not None)
    kept_back = sum(one.outcome is None for one in done)
    return Answered(dict(sorted(outcomes.items())), store.waiting(connection), kept_back, discarded)


def _discard(connection: Connection, today: date) -> int:
    """Discards drafts whose usage changed; what is right now is asked for again."""
    discarded = 0
    for batch in reports.stale_batches(connection):
        with connection.transaction():
            accounts = releasing.drop_stale(connection, batch)
            for account in sorted({*accounts}):
                planning_store.request(connection, Wanted(Selection.CUSTOMER, today, (account,)))
        discarded += len(accounts)
    return discarded


def _still(connection: Connection, one: Proposal) -> bool:
    """Whether a proposal is due, its point locked until the transaction ends."""
    lock_ready(connection, [one.message, one.original])
    return any((now.kind, now.state) == (one.kind, "due") for now in proposals(connection, [one.message]))


def _open(connection: Connection, credit: Proposal) -> None:
    """A correction waits from the day on which the cancel came."""
    with connection.transaction():
        for original in reports.with_messages(connection, [credit.original]):
            if original.state == "issued":
                opened = store.open_one(connection, original.id, CANCELLED, cause=credit.cause, due_at=credit.due_at)
                if opened.state is Correction.OPENED:
                    store.move(connection, opened.id, Correction.WAITING)


def _rebill(connection: Connection, proposal: Proposal, rate: Rate, today: date, limits: Limits) -> list[Corrected]:
    with connection.transaction():
        usage = reports.usage_of(connection, proposal.message) if _still(connection, proposal) else None
        first = _corrected_last(reports.with_messages(connection, [proposal.original]))
        if usage is None or first is None:
            return []
        every = reports.of_days(connection, usage.point, usage.period_start, usage.period_end)
        others = [one for one in every if one.id != first.id]
        opened = store.open_one(connection, first.id, REPLACED, cause=proposal.cause, message=usage.message)
        done = _taken(connection, opened.id, others)
        if done is None:
            again = Again(usage.message)
            done = correcting.rebill(connection, opened.id, [first, *others], again, rate, today, limits=limits)
        if done.outcome in (Outcome.NOTED, Outcome.ADJUSTED):
            _exchange(connection, done, first, usage)
        if done.outcome is not None:
            answered(connection, [first, *others], usage.message, opened.id)
    return [done]


def _taken(connection: Connection, correction: int, others: Sequence[Original]) -> Corrected | None:
    """Days on an invoice that the utility did not cancel are not billed again."""
    for one in others:
        usage = reports.usage_of(connection, one.usage) if one.usage is not None else None
        if usage is None or usage.state != "restated":
            days = f"{one.period_start} to {one.period_end}"
            why = f"The days {days} are on invoice {one.number}, which the utility did not cancel."
            store.move(connection, correction, Correction.READY)
            store.keep_back(connection, correction, "PERIOD_TAKEN", why)
            return Corrected(correction, None, (), "PERIOD_TAKEN", why)
    return None


def _corrected_last(found: Sequence[Original]) -> Original | None:
    """Of the invoices that had a message the one to correct: which is issued, or was cancelled alone."""
    open_ones = [one for one in found if one.state in ("issued", "cancelled")]
    return max(open_ones, key=lambda one: (one.state == "issued", one.id), default=None)


def _exchange(connection: Connection, done: Corrected, original: Original, usage: Usage) -> None:
    """The invoice stays: what came takes the place of what was on it, and is billed by its number."""
    messages = [one for one in (usage.message, usage.charges) if one is not None]
    mirror_store.exchange(connection, original.id, messages[0], usage.charges)
    note_all_billed(connection, dict.fromkeys(messages, original.number))
    if done.difference is not None:
        adjustment_store.hold(connection, done.correction, original.id, done.difference)
    if done.outcome is not None:
        store.end(connection, done.correction, done.outcome, None)


def _restate(connection: Connection, number: str, rate: Rate, today: date, limits: Limits) -> list[Corrected]:
    """Intervals that were billed are others now, such as an actual for a substitute."""
    with connection.transaction():
        original = reports.by_number(connection, number)
        found = reports.restated_intervals(connection, number)
        if original is None or not found or not found[0].is_ready:
            return []
        opened = store.open_one(connection, original.id, RESTATED)
        done = correcting.rebill(connection, opened.id, [original], Again(None), rate, today, limits=limits)
        if done.outcome in (Outcome.NOTED, Outcome.ADJUSTED):
            mirror_store.exchange_intervals(connection, original.id, found[0].version, found[0].kwh)
            if done.difference is not None:
                adjustment_store.hold(connection, done.correction, original.id, done.difference)
            store.end(connection, done.correction, done.outcome, None)
    return [done]


def _credit(connection: Connection, proposal: Proposal, every: Sequence[Proposal], today: date) -> list[Corrected]:
    """The replacement did not come in time: the cancel goes out alone. What was corrected meanwhile is answered."""
    with connection.transaction():
        if not _still(connection, proposal):
            return []
        original = _corrected_last(reports.with_messages(connection, [proposal.original]))
        if original is None or original.state == "cancelled":
            _ended(connection, proposal)
            return []
        if any(one.kind == "rebill" and one.state == "due" and one.original in original.messages for one in every):
            return []  # a person looks at the rebill: both are issued together
        opened = store.open_one(connection, original.id, CANCELLED, cause=proposal.cause, due_at=proposal.due_at)
        done = correcting.cancel(connection, opened.id, original, today)
        answered(connection, [original], None, opened.id)
    return [done]


def _ended(connection: Connection, proposal: Proposal) -> None:
    """A credit of what is no longer on an issued invoice of ours: it was corrected before."""
    known = store.last_of(connection, proposal.original)
    if known is not None:
        take_candidate(connection, proposal.kind, proposal.message, f"correction {known}")
