"""Rates issued invoices again by the newest prices and profiles, and bills what changed. Usage that changed is answered
by `corrections`, before: a difference is billed once.

Each invoice is a transaction of its own: killed in between, the next run goes on. Safe to repeat.
"""

from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

from billing_assets.foundation.database.connection import Connection
from billing_assets.invoicing.adjustments import store as adjustments
from billing_assets.invoicing.back_casting import store
from billing_assets.invoicing.back_casting.amounts import added, amounts_of, true_up_lines
from billing_assets.invoicing.back_casting.settings import BackCastSettings
from billing_assets.invoicing.back_casting.store import Billed
from billing_assets.invoicing.invoices import adjusting
from billing_assets.invoicing.invoices.adjusting import Terms
from billing_assets.invoicing.invoices.drafting import series_of
from billing_assets.invoicing.invoices.rating_case import Rate

REASON = "TRUE_UP"


class Outcome(StrEnum):
    """What becomes of a difference."""

    LOGGED = "logged"  # below the threshold, too late, or the tariff says so
    ADJUSTED = "adjusted"  # held for the next bill
    TO_REBILL = "to_rebill"  # to be cancelled and billed again
    SUPPLEMENTED = "supplemented"  # after the final bill: a document of its own
    WRITTEN_OFF = "written_off"  # after the final bill, and too small for one


class BackCast(NamedTuple):
    """An invoice that was rated again. `change`: without tax, against what was billed last."""

    number: str
    account: str
    currency: str
    change: Decimal
    outcome: Outcome


class Failed(NamedTuple):
    """An invoice that could not be rated again: nothing was written, and the next run tries it."""

    number: str
    sentence: str


class Cast(NamedTuple):
    """What one run did."""

    done: list[BackCast]
    failed: list[Failed]


def back_cast(connection: Connection, rate: Rate, today: date, settings: BackCastSettings) -> Cast:
    """Rates again what newer versions may change."""
    found = Cast([], [])
    for invoice in store.candidates(connection, today - timedelta(days=settings.most_days)):
        with connection.transaction():
            billed = store.billed(connection, invoice)
            one = None if billed is None else _cast(connection, billed, rate, today, settings)
        if isinstance(one, BackCast):
            found.done.append(one)
        elif one is not None:
            found.failed.append(one)
    return found


def _cast(
    connection: Connection, billed: Billed, rate: Rate, today: date, settings: BackCastSettings
) -> BackCast | Failed:
    case = billed.rated["case"]
    answer = rate(_newest(connection, billed, case))
    if answer["lines"] is None:
        said = (f"{one['code']}: {one['sentence']}" for one in answer["findings"] if one["severity"] == "error")
        return Failed(billed.number, "; ".join(said))
    before = added(amounts_of(case["tariff"], billed.rated["answer"]["lines"]), store.trued_up(connection, billed.id))
    after = amounts_of(case["tariff"], answer["lines"])
    change = added(after, before, -1)
    total = sum(change.values(), Decimal(0))
    outcome = _outcome(billed, total, today, settings)
    held = None
    if outcome in (Outcome.ADJUSTED, Outcome.SUPPLEMENTED):
        held = adjustments.hold_for_key(
            connection,
            f"back-cast {billed.id} {billed.versions}",
            billed.account,
            billed.currency,
            total,
            [one.as_json() for one in true_up_lines(change, billed.period_start, billed.period_end)],
            REASON,
        )
    if outcome is Outcome.SUPPLEMENTED and held is not None:
        terms = Terms(rate, today, Decimal(0))
        adjusting.supplement(connection, held, billed.period_end - timedelta(days=1), terms)
    old = sum(before.values(), Decimal(0))
    store.note(connection, billed, old, old + total, outcome, held)
    return BackCast(billed.number, billed.account, billed.currency, total, outcome)


def _newest(connection: Connection, billed: Billed, case: dict[str, Any]) -> dict[str, Any]:
    """The case of an invoice with the newest series."""
    series = series_of(connection, case["tariff"], (billed.period_start, billed.period_end), {})
    return case | {"context": case["context"] | series}


def _outcome(billed: Billed, change: Decimal, today: date, settings: BackCastSettings) -> Outcome:
    answer = settings.answer_of(billed.tariff)
    too_late = (today - billed.period_end).days > settings.days_of(billed.tariff)
    if answer == "log" or too_late or not change or abs(change) < settings.threshold_of(billed.tariff):
        return Outcome.LOGGED
    if billed.is_closed:
        return Outcome.WRITTEN_OFF if abs(change) < settings.final_minimum else Outcome.SUPPLEMENTED
    return Outcome.TO_REBILL if answer == "cancel_rebill" else Outcome.ADJUSTED
