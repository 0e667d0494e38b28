"""What people charge and credit without usage: entered, checked above an amount, and what follows from it at once."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from billing_assets.foundation.database.connection import Connection
from billing_assets.invoicing.adjustments import reports as adjustment_reports
from billing_assets.invoicing.adjustments import store as adjustments
from billing_assets.invoicing.adjustments.kinds import (
    DOCUMENTS,
    Adjustment,
    AdjustmentError,
    LineByHand,
    State,
    only_lines,
)
from billing_assets.invoicing.adjustments.store import AdjustmentRow
from billing_assets.invoicing.invoices import releasing, reports, store
from billing_assets.invoicing.invoices.due_dates import due_on
from billing_assets.invoicing.invoices.rating_case import Rate, context_of
from billing_assets.invoicing.invoices.store import DocumentByHand
from billing_assets.invoicing.rating.rounding import half_up, minor_unit
from billing_assets.invoicing.tariffs import reports as tariffs


class Adjusted(NamedTuple):
    """An adjustment after it was entered or checked. `number`: of the document that it was posted as."""

    adjustment: int
    kind: Adjustment
    state: State
    amount: Decimal
    number: str | None = None


class Terms(NamedTuple):
    """Of what adjustments are made: the engine, the day, and above which amount another person checks."""

    rate: Rate
    today: date
    check_above: Decimal


def enter(
    connection: Connection,
    kind: Adjustment,
    account: str,
    lines: Sequence[LineByHand],
    reason: str,
    by: str,
    why: str,
    terms: Terms,
    *,
    taxed: bool,
) -> Adjusted:
    """Enters an adjustment; where no other person must check it, what follows is done in the same transaction: a memo
    and a one-off invoice are issued, a special charge is held until the next bill. Raises AdjustmentError."""
    with connection.transaction():
        payer = _payer(connection, account, terms.today)
        places = minor_unit(payer["currency"])
        amounts = [half_up(one.quantity * one.price, places) for one in lines]
        amount = sum(amounts, Decimal(0))
        _check(kind, amount, reason)
        row = adjustments.enter(
            connection,
            kind,
            account,
            payer["currency"],
            amount,
            [one.as_json() for one in lines],
            reason,
            by,
            why,
            taxed=taxed,
            # What goes out and what comes in on one document do not cancel out.
            needs_check=sum((abs(one) for one in amounts), Decimal(0)) > terms.check_above,
        )
        return _followed(connection, row, payer, terms)


def confirm(connection: Connection, number: int, by: str, why: str, terms: Terms) -> Adjusted:
    """Another person checks an adjustment, and it is done. Raises AdjustmentError, and SamePersonError."""
    with connection.transaction():
        row = adjustments.confirm(connection, number, by, why)
        return _followed(connection, row, _payer(connection, row.account, terms.today), terms)


def supplement(connection: Connection, number: int, day: date, terms: Terms) -> str:
    """Issues what is held as a document of its own, where there is no next bill; in the caller's transaction. Its
    number. `day`: one on which the account was there. Raises AdjustmentError."""
    row = adjustments.adjustment(connection, number)
    document, name = _issued(connection, row, _payer(connection, row.account, day), terms, is_sent=True)
    store.put_by_hand(connection, document, [number])
    return name


def withdraw(connection: Connection, number: int, by: str, why: str) -> None:
    """A person drops what is not posted and on no bill. Raises AdjustmentError."""
    adjustments.withdraw(connection, number, by, why)


def _payer(connection: Connection, account: str, day: date) -> dict[str, Any]:
    found = adjustment_reports.payer(connection, account, day.isoformat())
    if found is None:
        raise AdjustmentError(f"There is no account {account} on {day}, or its bill group is not loaded.")
    return found


def _check(kind: Adjustment, amount: Decimal, reason: str) -> None:
    if not reason.replace("_", "").isalnum() or not reason[:1].isalpha() or reason != reason.upper():
        raise AdjustmentError(f"{reason!r} is no reason code: write one such as GOODWILL or LATE_FEE_WAIVED.")
    if not amount:
        raise AdjustmentError("The lines come to nothing: there is nothing to charge or credit.")
    if (kind is Adjustment.DEBIT_MEMO and amount < 0) or (kind is Adjustment.CREDIT_MEMO and amount > 0):
        raise AdjustmentError(f"A {kind.replace('_', ' ')} is not of {amount}: it has the other sign.")


def _followed(connection: Connection, row: AdjustmentRow, payer: dict[str, Any], terms: Terms) -> Adjusted:
    if row.state is State.OPEN and row.kind in DOCUMENTS:
        is_sent = row.kind is Adjustment.ONE_OFF
        document, number = _issued(connection, row, payer, terms, is_sent=is_sent)
        adjustments.post(connection, row.id, document)
        return Adjusted(row.id, row.kind, State.POSTED, row.amount, number)
    if row.state is State.OPEN and row.kind is Adjustment.AR_ADJUSTMENT:
        adjustments.post(connection, row.id, None)
        return Adjusted(row.id, row.kind, State.POSTED, row.amount)
    return Adjusted(row.id, row.kind, row.state, row.amount)


def _issued(
    connection: Connection, row: AdjustmentRow, payer: dict[str, Any], terms: Terms, *, is_sent: bool
) -> tuple[int, str]:
    """Rates the lines and issues them as a document; a memo is not sent. Raises AdjustmentError."""
    taxed = row.is_taxed and payer["is_taxed"]
    if taxed and payer["tariff_version"] is None:
        raise AdjustmentError(
            f"Account {row.account} has no approved tariff, so its taxes are not known: enter it untaxed."
        )
    tariff: dict[str, Any] = {"code": "BY_HAND", "currency": row.currency, "charges": []}
    if payer["tariff_version"] is not None:
        tariff = tariffs.content(connection, payer["tariff_version"])
    if tariff["currency"] != row.currency:
        raise AdjustmentError(
            f"The tariff {tariff['code']} is in {tariff['currency']}, the account is billed in {row.currency}."
        )
    day = terms.today
    exemptions = reports.exemptions(connection, row.account, day, date.fromordinal(day.toordinal() + 1))
    context = context_of(tariff, payer["zone"], payer["customer_class"], payer["tax_codes"], exemptions, day)
    case = only_lines(tariff, row.lines, day, context, taxed=taxed)
    answer = terms.rate(case)
    if answer["lines"] is None:
        said = "; ".join(
            f"{one['code']}: {one['sentence']}" for one in answer["findings"] if one["severity"] == "error"
        )
        raise AdjustmentError(f"It cannot be rated. {said}")
    document = store.write_document(
        connection,
        DocumentByHand(
            "one_off" if is_sent else "memo",
            row.account,
            payer["bill_group"],
            payer["issuer"],
            row.currency,
            day,
            payer["tariff"] or "",
            payer["tariff_version"],
            {"case": case, "answer": answer},
            is_sent,
        ),
    )
    due = due_on(day, payer["due_days"] if is_sent else 0, payer["calendar"])
    return document, releasing.give_number(connection, document, payer["issuer"], day, due)
