"""Validations at their limits, on a real database: first bills, groups, estimates, parameters."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.invoicing.batches import reports
from billing_assets.invoicing.batches.selections import Selection, Wanted
from billing_assets.invoicing.batches.settings import Parameters
from billing_assets.invoicing.batches.validating import lock, validate
from billing_assets_tests.rooms.invoicing.batches.making import APRIL, MAY, Making, intervals
from billing_assets_tests.rooms.invoicing.customers import CUT_OFF, JULY, JUNE, customers, metered
from proving.world.databases import _database

LONG = datetime(2026, 7, 21, tzinfo=UTC)


def _accounts(made: Making) -> None:
    state = made.state
    made.customer(1, since=date(2020, 1, 1), valid_from="2026-07-02")
    made.comes(1)
    made.customer(2, since=JUNE[0])
    made.comes(2, JUNE)
    made.comes(2)
    made.customer(4, APRIL, MAY, JUNE)  # the one who moved out
    made.customer(5, since=date(2026, 7, 10))
    made.agreements[4]["valid_until"] = "2026-07-02"
    made.moves_in(5, 4, date(2026, 7, 10))
    made.comes(4, (date(2026, 7, 10), date(2026, 8, 8)), amount=9000)
    made.customer(6, since=APRIL[0])
    for period in (APRIL, MAY, JUNE):
        made.was(6, period, estimated=True)
    made.comes(6, estimated=True)
    made.customer(7)
    made.comes(7, paired=False, arrived_at=LONG)
    made.customer(8, address_fault="no postcode", delivery="email", email_bounces=3)
    made.comes(8)
    made.groups["FREE"] = {"without_charges": "yes"}
    made.customer(9, bill_group="FREE")
    made.comes(9, paired=False)
    made.customer(10, billing_model="dual")
    made.comes(10, paired=False)
    made.groups["OFF"] = {"checks_off": "ZERO_USAGE PERIOD_FUTURE", "severities": "PERIOD_LENGTH:error"}
    made.customer(11, bill_group="OFF")
    made.comes(11, (JULY[0], date(2026, 8, 20)), amount=0)
    made.customer(12)
    made.comes(12, paired=False, codes=("MISSING_INTERVALS",))
    comes = made.came.pop()
    made.came.append(lambda: intervals(state, int(str(comes())), 12, Decimal(1150), missing=5))


@pytest.fixture(scope="module")
def found(server_url: str, _migrated: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, list[str]]]:
    """Severity and code of what is found, by account and first day of the period."""
    folder: Path = tmp_path_factory.mktemp("accounts")
    with _database(server_url, template=_migrated) as url, connect(url) as state:
        made = Making(state, url, folder)
        _accounts(made)
        made.make()
        every: dict[str, list[str]] = {}
        for batch in reports.batches(state):
            for row in reports.findings(state, batch.batch):
                every.setdefault(f"{row.account} {row.period_start}", []).append(f"{row.severity} {row.code}")
        yield every


def test_the_first_bill_of_a_customer_taken_over_has_no_gap_before_account_and_agreement(
    found: dict[str, list[str]],
) -> None:
    assert "A1 2026-07-02" not in found


def test_a_period_that_is_being_billed_in_the_same_batch_is_no_gap(found: dict[str, list[str]]) -> None:
    assert found["A2 2026-07-02"] == ["warning CONSUMPTION_MULTIPLE"]
    assert found["A2 2026-06-03"] == ["warning CONSUMPTION_MULTIPLE"]


def test_who_moves_in_is_not_compared_with_who_lived_there_nor_asked_for_the_days_between(
    found: dict[str, list[str]],
) -> None:
    assert "A5 2026-07-10" not in found


def test_the_fourth_estimate_in_a_row_is_an_error(found: dict[str, list[str]]) -> None:
    assert found["A6 2026-07-02"] == ["error CONSECUTIVE_ESTIMATES"]


def test_usage_that_waits_for_charges_until_the_bill_is_nearly_due_is_an_error(found: dict[str, list[str]]) -> None:
    assert found["A7 2026-07-02"] == ["error TDSP_MISSING", "error USAGE_ORPHAN_AGED"]


def test_a_bill_that_is_paper_because_mail_bounced_needs_its_address(found: dict[str, list[str]]) -> None:
    assert found["A8 2026-07-02"] == ["error ADDRESS_INCOMPLETE", "warning EMAIL_BOUNCED"]


@pytest.mark.parametrize("account", ["A9", "A10"], ids=["group without charges", "dual billing"])
def test_usage_that_metering_keeps_is_held_also_where_the_bill_needs_no_charges(
    found: dict[str, list[str]], account: str
) -> None:
    assert found[f"{account} 2026-07-02"] == ["error USAGE_HELD"]


def test_a_group_switches_codes_off_and_says_how_severe_they_are_but_not_of_what_cannot_be_billed(
    found: dict[str, list[str]],
) -> None:
    assert found["A11 2026-07-02"] == ["error PERIOD_FUTURE", "error PERIOD_LENGTH"]


def test_usage_that_metering_holds_for_missing_intervals_says_how_many(found: dict[str, list[str]]) -> None:
    assert found["A12 2026-07-02"] == ["error INTERVALS_MISSING", "error TDSP_MISSING"]


@pytest.fixture
def state(state_url: str) -> Iterator[Connection]:
    with connect(state_url) as connection:
        yield connection


def test_a_customer_without_usage_is_told_so_by_the_request(state: Connection, tmp_path: Path) -> None:
    customers(state, tmp_path, 1)
    assert lock(state, Wanted(Selection.CUSTOMER, CUT_OFF, ("A1",)), "Mara", "Asked") == []
    row = state.execute("select why from billing.invoice_requests").fetchone()
    assert row == {"why": "CONSUMPTION_MISSING: There is no billable usage up to 2026-08-10."}


def test_a_parameter_that_is_set_moves_the_limit(state: Connection, tmp_path: Path) -> None:
    customers(state, tmp_path, 1)
    metered(state, 1, amount=0)
    ((batch, _, _),) = lock(state, Wanted(Selection.CUSTOMER, CUT_OFF, ("A1",)), "Mara", "Asked")

    def codes(**given: object) -> set[str]:
        validate(state, batch, Parameters.model_validate(given), today=CUT_OFF)
        return {one.code for one in reports.findings(state, batch)}

    assert codes() == {"ZERO_USAGE", "BILL_DEADLINE"}
    assert codes(zero_periods=2, deadline_day=60) == set()
    assert codes(least_days=30, deadline_day=60, zero_periods=2) == {"PERIOD_LENGTH"}
    assert codes(back_bill_months={"*": 12, "TX": 1}) == {"ZERO_USAGE", "BILL_DEADLINE", "BACK_BILL_LIMIT"}
