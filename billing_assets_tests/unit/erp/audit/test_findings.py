"""What an audit finds about one service of a contract: each finding, and the nearest case without it."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_assets.erp.audit.findings import CODES, Charged, Month, Term, judge
from billing_assets.erp.audit.queue import month_of, months_before

NOVEMBER = Month(date(2010, 11, 1), date(2010, 11, 30))
MONTHLY = Term(None, None, "monthly", None)
amounts = st.decimals(min_value=-(10**9), max_value=10**9, places=2)
histories = st.lists(st.none() | amounts, min_size=6, max_size=6)


def charged(now: str | None = "10.00", before: Sequence[str | None] = (), **changes: Any) -> Charged:
    """Service S22 of a contract that has it every month."""
    values: dict[str, Any] = {
        "service": "S22",
        "currency": "GBP",
        "now": None if now is None else Decimal(now),
        "before": [None if one is None else Decimal(one) for one in before],
        "terms": [MONTHLY],
        "known": True,
    }
    return Charged(**(values | changes))


def codes(one: Charged, percent: str = "50") -> list[str]:
    return [found.code for found in judge(one, NOVEMBER, Decimal(percent))]


def test_a_charge_as_the_contract_has_it_is_not_worth_a_word() -> None:
    assert codes(charged()) == []
    assert codes(charged("10.00", ["10.00"] * 6)) == []


def test_a_service_that_the_contract_does_not_have_is_named_with_its_amount() -> None:
    (found,) = judge(charged("10.5", terms=[]), NOVEMBER, Decimal(50))
    assert found == ("SERVICE_NOT_IN_CONTRACT", "S22", "S22: GBP 10.50 in the month; the contract does not have it.")
    assert codes(charged(terms=[], known=False)) == [], "of a contract without services that is said once, not for each"


def test_a_charge_outside_the_services_dates_says_when_the_contract_has_it() -> None:
    ended = Term(date(2010, 3, 1), date(2010, 10, 31), "monthly", None)
    (found,) = judge(charged(terms=[ended]), NOVEMBER, Decimal(50))
    assert found.code == "SERVICE_OUTSIDE_DATES"
    assert found.message.endswith("the contract has it from 2010-03-01 until 2010-10-31.")
    assert codes(charged(terms=[ended._replace(ends_on=date(2010, 11, 1))])) == []
    assert codes(charged(terms=[ended, Term(date(2010, 11, 30), None, "usage", None)])) == []


@pytest.mark.parametrize(
    ("starts_on", "ends_on", "expected"),
    [
        (None, None, ["SERVICE_MISSING"]),
        (date(2010, 11, 1), date(2010, 11, 30), ["SERVICE_MISSING"]),
        (date(2010, 11, 2), None, []),
        (None, date(2010, 11, 29), []),
        (None, date(2010, 10, 31), []),
        (date(2010, 12, 1), None, []),
    ],
)
def test_a_monthly_service_must_be_charged_when_the_contract_has_it_the_whole_month(
    starts_on: date | None, ends_on: date | None, expected: list[str]
) -> None:
    assert codes(charged(None, terms=[Term(starts_on, ends_on, "monthly", None)])) == expected


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ([(None, 9), (10, None)], ["SERVICE_MISSING"]),
        ([(10, 30), (1, 9)], ["SERVICE_MISSING"]),
        ([(None, 20), (5, 6), (15, None)], ["SERVICE_MISSING"]),
        ([(None, 8), (10, None)], []),
        ([(1, 9), (10, 29)], []),
    ],
)
def test_a_price_that_changed_within_the_month_leaves_no_gap(
    days: Sequence[tuple[int | None, int | None]], expected: list[str]
) -> None:
    def day(number: int | None) -> date | None:
        return None if number is None else date(2010, 11, number)

    terms = [Term(day(first), day(last), "monthly", None) for first, last in days]
    assert codes(charged(None, terms=terms)) == expected
    assert codes(charged(None, terms=[*terms[1:], terms[0]._replace(charged="usage")])) == []


@pytest.mark.parametrize("kind", ["usage", "one_time"])
def test_what_is_not_charged_monthly_need_not_be_charged(kind: str) -> None:
    assert codes(charged(None, terms=[Term(None, None, kind, None)])) == []


def test_a_charge_of_the_last_three_months_that_stopped_is_named_unless_the_service_ended() -> None:
    usage = [Term(None, None, "usage", None)]
    three = [None, None, None, "10", "12", "9.5"]
    (found,) = judge(charged(None, three, terms=usage), NOVEMBER, Decimal(50))
    assert found.code == "CHARGE_STOPPED"
    assert "GBP 9.50 in the month before" in found.message
    assert codes(charged(None, three, terms=[], known=False)) == ["CHARGE_STOPPED"], "without contracts, too"
    assert codes(charged(None, ["10", "10", "10", "10", None, "10"], terms=usage)) == []
    assert codes(charged(None, three, terms=[Term(None, date(2010, 10, 31), "usage", None)])) == []
    assert codes(charged(None, three)) == ["SERVICE_MISSING"], "said once"


def test_a_one_time_service_that_comes_again_is_named() -> None:
    once = [Term(None, None, "one_time", None)]
    assert codes(charged("10", [None] * 5 + ["10"], terms=once)) == ["ONE_TIME_AGAIN"]
    assert codes(charged("10", [None] * 6, terms=once)) == []


def test_an_amount_far_from_the_median_of_the_months_before_is_named_with_both() -> None:
    before = ["10", "11", None, "9", "10", "500"]
    (found,) = judge(charged("15.01", before), NOVEMBER, Decimal(50))
    assert found.code == "AMOUNT_UNUSUAL"
    assert found.message == "S22: GBP 15.01 in the month; the median of 5 months before is GBP 10.00 (+50.1 %)."
    assert codes(charged("15", before)) == []
    assert codes(charged("4.99", before)) == ["AMOUNT_UNUSUAL"]
    assert codes(charged("100", ["10", "10", None, None, None, None])) == [], "two months say nothing"
    assert codes(charged("0.01", ["0", "0", "0"])) == ["AMOUNT_UNUSUAL"]


def test_what_the_contract_expects_counts_before_the_median() -> None:
    expects = [MONTHLY._replace(expected=Decimal(10))]
    assert codes(charged("100", ["100"] * 6, terms=expects)) == ["AMOUNT_UNUSUAL"]
    assert codes(charged("10", ["100"] * 6, terms=expects)) == []
    (found,) = judge(charged(None, terms=expects), NOVEMBER, Decimal(50))
    assert found.message.endswith("The contract expects GBP 10.00.")


@given(histories, st.none() | amounts, amounts, st.integers(0, 500))
def test_what_is_tolerated_at_some_per_cent_is_tolerated_at_more(
    before: list[Decimal | None], now: Decimal | None, expected: Decimal, percent: int
) -> None:
    one = charged()._replace(before=before, now=now, terms=[MONTHLY._replace(expected=expected)])
    strict, lenient = (list(judge(one, NOVEMBER, Decimal(at))) for at in (percent, percent + 1))
    assert set(lenient) <= set(strict)
    assert all(found.code in CODES and found.message.startswith("S22: ") for found in strict)


@given(histories, st.none() | amounts, st.sampled_from(["monthly", "usage", "one_time"]))
def test_a_charge_and_its_credit_are_judged_alike(before: list[Decimal | None], now: Decimal | None, kind: str) -> None:
    one = charged()._replace(before=before, now=now, terms=[MONTHLY._replace(charged=kind)])
    turned = one._replace(before=[None if a is None else -a for a in before], now=None if now is None else -now)
    assert codes(one) == codes(turned)


@given(st.dates(date(1, 1, 1), date(9999, 11, 30)), st.integers(1, 24))
def test_the_months_before_end_with_the_one_before(day: date, count: int) -> None:
    period = f"{day.year:04d}-{day.month:02d}"
    before = months_before(period, count)
    assert before == sorted(before)
    assert len(before) == min(count, (day.year - 1) * 12 + day.month - 1)
    month = month_of(period)
    assert month.first <= day <= month.last
    assert (month.first.month, month.last.month) == (day.month, day.month)
