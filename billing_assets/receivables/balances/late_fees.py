"""Late fees as proposals: worked out from the balances, decided by a person, exported as charges, not posted."""

import io
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import chain
from typing import NamedTuple

from billing_assets.erp.contract import OpenCredits
from billing_assets.foundation.calendar.business_days import Days, Zones
from billing_assets.foundation.cells import write_csv
from billing_assets.foundation.database.connection import Connection
from billing_assets.receivables.balances import fee_store, store
from billing_assets.receivables.balances.fee_store import Candidate, Delinquent, LateFee
from billing_assets.receivables.balances.late_fee_rules import (
    LateFeeError,
    LateFeeRules,
    fee_on,
    pay_by,
    penalised_balance,
)

EXPORT_COLUMNS = ("reference", "customer", "branch", "invoice", "amount", "currency", "rule", "text")


class Proposed(NamedTuple):
    """What came of a proposal run: fees new, changed, withdrawn for want of a ground, and all that wait now."""

    new: int
    changed: int
    withdrawn: int
    waiting: int


class Decided(NamedTuple):
    """What came of a decision: the fees decided, and why others were not, by number."""

    fees: list[LateFee]
    refused: dict[str, str]


def propose(
    connection: Connection, rules: LateFeeRules, as_of: Days, minor_digits: Mapping[str, int], zones: Zones
) -> Proposed:
    """Proposes the fee on every invoice that is delinquent on its branch's day, at most one per invoice for ever.

    An invoice that was voided, with a stop in force, of a branch without a rule, or whose fee was decided before gets
    none, nor one whose lines are not known where the rule spares items. Undecided proposals follow the balances: they
    change, or go when their ground is gone. What the customer paid or was credited and is applied to nothing yet counts
    as paid, the oldest invoice first. It is safe to repeat.
    Raises LateFeeError if balances were read before that day of a branch: a payment may have come since.
    """
    _must_be_read(connection, rules, as_of, zones)
    with connection.transaction():
        fee_store.alone(connection)
        fee_store.begin_proposing(connection)
        credits_left = OpenCredits()
        for page in fee_store.overdue(connection, as_of, rules.not_penalised_items):
            candidates = [_candidate(one, rules, as_of, minor_digits, credits_left) for one in page]
            fee_store.add_candidates(connection, [one for one in candidates if one is not None])
        return Proposed(*fee_store.merge_candidates(connection, as_of))


def approve(
    connection: Connection,
    numbers: Sequence[str] | None,
    by: str,
    why: str,
    now: datetime,
    max_age: timedelta,
    zones: Zones,
) -> Decided:
    """Approves the proposals on these invoices, or all that wait, but those voided, or with a stop in force on their
    branch's day.

    Raises LateFeeError if balances were read since the fees were proposed, or longer ago than `max_age`: a payment may
    have come.
    """
    with connection.transaction():
        fee_store.alone(connection)
        proposed = fee_store.proposed_as_of(connection)
        if proposed is None:
            raise LateFeeError("Balances were read since late fees were proposed. Run `billing late-fees propose`.")
        read_at = store.last_read_at(connection)
        if read_at is None or read_at < now - max_age:
            raise LateFeeError(
                f"Balances were read {_moment(read_at)}: a payment may have come since. Run `billing receivables` and "
                "`billing late-fees propose`, then approve."
            )
        refused = fee_store.not_to_approve(connection, numbers, proposed, zones.days(read_at), zones.days(now))
        fees = fee_store.decide(connection, numbers, "approved", by, why, except_for=list(refused))
    return Decided(fees, refused | _unknown(numbers, fees, refused))


def decline(connection: Connection, numbers: Sequence[str], by: str, why: str) -> Decided:
    """Declines the proposals on these invoices, for ever."""
    fees = fee_store.decide(connection, numbers, "declined", by, why, except_for=[])
    return Decided(fees, _unknown(numbers, fees, {}))


def as_charges(fees: Sequence[LateFee], rules: LateFeeRules) -> str:
    """Approved fees as CSV for the billing system; `reference` is the same whenever a fee is exported again.

    People open it, too, so no text in it is a formula.
    """
    texts = {rule.name: rule.text or rule.name for rule in rules.rules}
    out = io.StringIO()
    write_csv(out, chain([EXPORT_COLUMNS], (_charge(one, texts.get(one.rule, one.rule)) for one in fees)))
    return out.getvalue()


def _charge(one: LateFee, text: str) -> tuple[object, ...]:
    return f"LATE-FEE-{one.invoice}", one.customer, one.branch, one.number, one.fee, one.currency, one.rule, text


def _must_be_read(connection: Connection, rules: LateFeeRules, as_of: Days, zones: Zones) -> None:
    read_at = store.last_read_at(connection)
    read = zones.days(read_at) if read_at else None
    for branch in [one for one in fee_store.branches(connection) if rules.concern(one)] or [""]:
        if read is None or read.of(branch) < as_of.of(branch):
            there = f", on {read.of(branch)} in {branch}" if read and branch else ""
            raise LateFeeError(
                f"Balances were read {_moment(read_at)}{there}; read them first (`billing receivables`), then propose "
                f"{as_of.of(branch)}."
            )


def _moment(read_at: datetime | None) -> str:
    return "never" if read_at is None else f"{read_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _candidate(
    one: Delinquent, rules: LateFeeRules, as_of: Days, minor_digits: Mapping[str, int], credits_left: OpenCredits
) -> Candidate | None:
    rule = rules.rule_for(one.branch, one.document_date)
    if rule is None:
        return None
    due = pay_by(rule, one.document_date, one.due_date)
    if as_of.of(one.branch) <= due or (rule.not_penalised_items and not one.lines):
        return None
    if one.currency not in minor_digits:
        raise LateFeeError(f"Invoice {one.number} is in {one.currency}, which the mapping does not know.")
    lines: list[tuple[str, Decimal]] = list(zip(one.spared_items, one.spared_amounts, strict=True))
    balance = penalised_balance(rule, one.open_amount, lines)
    balance -= credits_left.take(one.customer, one.currency, one.credit, balance)
    fee = fee_on(rule, balance, minor_digits[one.currency])
    if fee <= 0:
        return None
    return Candidate(
        one.invoice,
        one.source,
        one.transaction_id,
        one.number,
        one.customer,
        one.branch,
        one.currency,
        rule.name,
        rule.percent,
        due,
        balance,
        fee,
    )


def _unknown(numbers: Sequence[str] | None, fees: Sequence[LateFee], refused: Mapping[str, str]) -> dict[str, str]:
    known = {one.number for one in fees} | refused.keys()
    return {number: "there is no undecided proposal on it" for number in numbers or () if number not in known}
