"""The rules of late fees, foremost 16 TAC §25.480."""

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_assets.foundation.shipped import shipped
from billing_assets.receivables.balances.late_fee_rules import (
    LateFeeError,
    LateFeeRules,
    Rule,
    fee_on,
    load_rules,
    pay_by,
    penalised_balance,
)

TEXAS = load_rules(shipped("config/late_fees.yaml")).rules[0]


def rule(**changes: Any) -> Rule:
    values = {"name": "R", "branches": ["USA"], "effective_from": "2010-01-01", "percent": "5"}
    return Rule.model_validate(values | changes)


@pytest.mark.parametrize(
    ("issued", "due", "by"),
    [
        ("2010-11-01", "2010-11-05", "2010-11-17"),  # never less than 16 days after issuance
        ("2010-11-01", "2010-12-01", "2010-12-01"),  # the date on the bill where that is later
        ("2010-11-04", "2010-11-10", "2010-11-22"),  # the 16th day is a Saturday: Monday
        ("2010-11-05", "2010-11-10", "2010-11-22"),  # … a Sunday: Monday
        (
            "2010-11-09",
            "2010-11-10",
            "2010-11-29",
        ),  # … Thanksgiving, then the Friday after it, which Texas keeps: Monday
        ("2010-12-08", "2010-12-10", "2010-12-27"),  # … Friday 24 December, a holiday of Texas: Monday
        ("2010-06-18", "2010-06-20", "2010-07-06"),  # … Sunday 4 July, kept on the Monday: Tuesday
    ],
)
def test_a_bill_in_texas_is_late_after_16_days_and_a_business_day(issued: str, due: str, by: str) -> None:
    assert pay_by(TEXAS, date.fromisoformat(issued), date.fromisoformat(due)).isoformat() == by


def test_the_issue_is_the_postmark_where_letters_leave_later() -> None:
    posted = rule(minimum_days=16, mailing_days=2)
    assert pay_by(posted, date(2010, 11, 1), date(2010, 11, 5)) == date(2010, 11, 19)


@given(
    issued=st.dates(date(2009, 1, 1), date(2030, 12, 31)),
    days=st.integers(0, 60),
    mailing=st.integers(0, 5),
)
def test_nobody_is_late_before_the_date_on_the_bill_or_on_a_weekend(issued: date, days: int, mailing: int) -> None:
    due = issued + timedelta(days=days)
    by = pay_by(TEXAS.model_copy(update={"mailing_days": mailing}), issued, due)
    assert by >= max(due, issued + timedelta(days=16 + mailing))
    assert by.weekday() < 5


@given(balance=st.decimals("0.01", "99999999.99", places=2), digits=st.sampled_from([0, 2, 3]))
def test_the_texan_penalty_never_exceeds_five_percent_and_is_less_by_under_a_minor_unit(
    balance: Decimal, digits: int
) -> None:
    fee = fee_on(TEXAS, balance, digits)
    assert 0 <= balance * 5 / 100 - fee < Decimal(1).scaleb(-digits)
    assert -int(fee.as_tuple().exponent) == digits


@given(
    balance=st.decimals("0.01", "99999999.99", places=2),
    percent=st.decimals("0.001", "100", places=3),
    digits=st.sampled_from([0, 2, 3]),
)
def test_a_fee_is_rounded_half_up_to_the_minor_unit_by_default(balance: Decimal, percent: Decimal, digits: int) -> None:
    fee = fee_on(rule(percent=percent), balance, digits)
    unit = Decimal(1).scaleb(-digits)
    assert -unit / 2 < fee - balance * percent / 100 <= unit / 2


@pytest.mark.parametrize(
    ("balance", "half_up", "down"), [("10.10", "0.51", "0.50"), ("0.10", "0.01", "0.00"), ("200", "10.00", "10.00")]
)
def test_half_a_cent(balance: str, half_up: str, down: str) -> None:
    assert fee_on(rule(), Decimal(balance), 2) == Decimal(half_up)
    assert fee_on(rule(rounding="down"), Decimal(balance), 2) == Decimal(down)


def test_late_fees_and_balances_carried_forward_bear_no_fee_again() -> None:
    lines = [("LATE-FEE", Decimal("5.00")), ("BALANCE-FORWARD", Decimal("40.00")), ("ENERGY", Decimal("55.00"))]
    assert penalised_balance(TEXAS, Decimal(100), lines) == 55
    assert penalised_balance(TEXAS, Decimal(50), lines) == 5, "a part payment counts for what bears the fee"
    assert penalised_balance(TEXAS, Decimal(45), lines) == 0


def test_the_rule_in_force_on_the_document_s_date_holds_and_a_named_branch_goes_before_all_others() -> None:
    rules = LateFeeRules(
        rules=(
            rule(name="old", effective_to="2010-12-31"),
            rule(name="new", effective_from="2011-01-01"),
            rule(name="others", branches=["*"], effective_from="2010-06-01"),
        )
    )

    def name(branch: str, day: str) -> str | None:
        found = rules.rule_for(branch, date.fromisoformat(day))
        return found.name if found else None

    assert (name("USA", "2010-12-31"), name("USA", "2011-01-01")) == ("old", "new")
    assert (name("France", "2010-06-01"), name("France", "2010-05-31")) == ("others", None)
    assert name("USA", "2009-12-31") is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("rules: [{name: A, branches: [USA], effective_from: 2010-01-01}]", "percent"),
        ("rules: [{name: A, branches: [USA], effective_from: 2010-01-01, percent: 5, holidays: {country: ZZ}}]", "ZZ"),
        ("rules: [{name: A, branches: [], effective_from: 2010-01-01, percent: 5}]", "branches"),
        ("rules: [{name: A, branches: [USA], effective_from: 2010-01-01, percent: 5, fine: 1}]", "fine"),
        (
            "rules: [{name: A, branches: [USA], effective_from: 2010-01-01, percent: 5},"
            " {name: B, branches: [USA], effective_from: 2012-01-01, percent: 4}]",
            "'A' and 'B' hold at once for USA",
        ),
        (
            "rules: [{name: A, branches: [USA], effective_from: 2010-01-01, effective_to: 2009-01-01, percent: 5}]",
            "effective_to lies before",
        ),
        ("rules: [", "not valid YAML"),
    ],
)
def test_a_fault_in_the_file_is_named(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "late_fees.yaml"
    path.write_text(text)
    with pytest.raises(LateFeeError, match=says):
        load_rules(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(LateFeeError, match="cannot be read"):
        load_rules(tmp_path / "none.yaml")
