"""Why a member is not invoiced, or a batch not issued: each code on a real database, with sentence and what to do."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.invoicing.batches import reports as batch_reports
from billing_assets.invoicing.batches import reviewing
from billing_assets.invoicing.batches.selections import Selection, Wanted
from billing_assets.invoicing.batches.validating import lock, validate
from billing_assets.invoicing.invoices import releasing, reports
from billing_assets.invoicing.invoices.drafting import Bounds
from billing_assets.invoicing.invoices.engine import rate_case
from billing_assets.invoicing.invoices.errors import CODES
from billing_assets.invoicing.invoices.processing import DUE, begin, process, step
from billing_assets.invoicing.invoices.releasing import ReleaseError
from billing_assets.metering.usage import store as usage_store
from billing_assets.work_queue import claims
from billing_assets.work_queue.claims import StaleClaimError
from billing_assets_tests.rooms.invoicing.customers import (
    ACCOUNTS,
    AGREEMENTS,
    CUT_OFF,
    JUNE,
    customers,
    load,
    metered,
    point_of,
)
from billing_assets_tests.rooms.metering.usage.arriving import arrive
from billing_assets_tests.unit.metering.usage.messages import usage


class Company(NamedTuple):
    """Two customers with usage of June. What happens to the first is the test's; the second is always billed."""

    state: Connection
    url: str
    folder: Path

    def load(self, **files: str) -> None:
        load(self.state, self.folder, **files)

    def pending(self) -> int:
        ((batch, _, _),) = lock(self.state, Wanted(Selection.BILL_GROUP, CUT_OFF, ("G1",)), "Mara", "Month end")
        validate(self.state, batch, today=CUT_OFF)
        reviewing.proceed(self.state, batch, "Mara", "Looked at")
        return batch

    def failed(self, between: Callable[["Company"], object] = id, **given: Any) -> list[tuple[str, str, str]]:
        """Account, code and sentence of what failed, where something happens between validation and invoicing."""
        batch = self.pending()
        between(self)
        rate = given.pop("rate", rate_case)
        process(self.url, self.state, rate, "one", batch, **{"today": CUT_OFF, **given})
        return [(one["account"], one["code"], one["why"]) for one in batch_reports.failed(self.state, batch)]


@pytest.fixture
def company(state: Connection, state_url: str, tmp_path: Path) -> Company:
    customers(state, tmp_path, 1, 2)
    metered(state, 2)
    return Company(state, state_url, tmp_path)


def no_agreement(company: Company) -> None:
    company.load(agreements=AGREEMENTS + f"{point_of(1)},A1,NEVER_LOADED,2026-01-01\n")


def part_of_an_agreement(company: Company) -> None:
    company.load(
        agreements=AGREEMENTS.replace("\n", ",valid_until\n") + f"{point_of(1)},A1,FLAT,2026-01-01,2026-06-20\n"
        f"{point_of(1)},A1,FLAT,2026-06-20,\n"
    )


def on_another_invoice(company: Company) -> None:
    """A day of the first customer's period is on an invoice that another writes meanwhile."""
    company.state.execute("insert into billing.invoiced_streams (point, channel) values (%s, 'general')", [point_of(1)])
    company.state.execute(
        """
        insert into billing.invoiced_usage (invoice, version, stream, days, kwh)
        select v.id, 'other', s.id, daterange('2026-06-30', '2026-07-02'), 1
        from billing.utility_invoices as v, billing.invoiced_streams as s where s.point = %s""",
        [point_of(1)],
    )


def cancelled(company: Company) -> None:
    name = f"U1-{JUNE[0]}-1"
    arrive(company.state, [usage(f"C{name}", "01", of=name, period=JUNE, point=point_of(1), day=9)])
    with company.state.transaction():
        usage_store.settle(company.state, [point_of(1)])


@pytest.mark.parametrize(
    ("code", "between", "sentence"),
    [
        ("NO_RATE_INFORMATION", no_agreement, "No active rate covers the billable period."),
        ("CONSUMPTION_NOT_ALL_BILLED", part_of_an_agreement, "The rate covers only part of the period."),
        ("CHANGED_UNDERWAY", cancelled, "Usage changed between validation and invoicing."),
    ],
)
def test_what_happens_between_validation_and_invoicing_keeps_one_customer_from_being_billed(
    company: Company, code: str, between: Callable[[Company], object], sentence: str
) -> None:
    metered(company.state, 1)
    assert company.failed(between) == [("A1", code, sentence)]


def test_a_model_that_needs_charges_bills_nothing_without_them(company: Company) -> None:
    company.load(accounts=ACCOUNTS + "A1,G1,dual,TX,2026-01-01\n")
    metered(company.state, 1, paired=False, alone=True)
    needs = ACCOUNTS + "A1,G1,supplier_consolidated,TX,2026-01-01\n"
    assert company.failed(lambda one: one.load(accounts=needs)) == [
        ("A1", "TDSP_CHARGES_NOT_FOUND", "The model needs utility charges and there are none.")
    ]


def test_usage_whose_end_lies_in_the_future_of_the_run_is_not_billed(company: Company) -> None:
    metered(company.state, 1)
    assert company.failed(today=JUNE[0]) == [
        (account, "NO_PREMISE_CONSUMPTION", "Nothing is unbilled, or its end lies in the future.")
        for account in ("A1", "A2")
    ]


def test_what_rating_finds_is_said_in_its_words(company: Company) -> None:
    unknown = {"code": "XYZ9", "text": "Wires", "indicator": "C", "amount": "4321"}
    metered(company.state, 1, charged={"total": "4321", "lines": [unknown]})
    assert company.failed() == [
        ("A1", "RATING_ERROR", "PASSTHROUGH_CODE_UNKNOWN: Charge code XYZ9 of the utility is not mapped.")
    ]


def test_an_account_with_more_documents_than_the_bound_is_not_billed_today(company: Company) -> None:
    company.state.execute("alter table billing.utility_invoices alter column rated_at set default '2026-08-10T12:00Z'")
    metered(company.state, 1)
    first = company.pending()
    process(company.url, company.state, rate_case, "one", first, today=CUT_OFF)
    releasing.discard(company.state, reports.invoices(company.state, first)[0]["invoice"], "Mara", "Again")
    assert company.failed(bounds=Bounds(1)) == [
        ("A1", "BOUND_EXCEEDED", "More than 1 documents for the account today.")
    ]


def test_days_that_are_on_another_invoice_are_not_billed_again(company: Company) -> None:
    process(company.url, company.state, rate_case, "one", company.pending(), today=CUT_OFF)
    metered(company.state, 1)
    assert company.failed(on_another_invoice) == [
        ("A1", "PERIOD_TAKEN", "The days 2026-06-03 to 2026-07-02 are on invoice draft 1.")
    ]


def test_what_the_engine_did_not_expect_parks_the_member_and_says_what_kind_of_fault_it_was(company: Company) -> None:
    metered(company.state, 1, amount=7)

    def broken(case: dict[str, Any]) -> dict[str, Any]:
        return {} if case["usage"]["registers"][0]["quantity"] == "7" else rate_case(case)

    assert company.failed(rate=broken) == [("A1", "INTERNAL", "KeyError; the account is parked.")]


def test_a_range_without_numbers_says_what_to_do(company: Company) -> None:
    company.state.execute("insert into billing.number_ranges (issuer, year, next, last) values ('ACME', 2026, 9, 8)")
    assert company.failed() == []
    releasing.check_quality(company.state, 1, CUT_OFF)
    with pytest.raises(ReleaseError, match=r"^No numbers are left in ACME 2026\. Open a new range\.$"):
        releasing.issue(company.state, 1, CUT_OFF)


def test_a_total_above_the_ceiling_waits_for_a_person(company: Company) -> None:
    company.load(bill_groups="bill_group,issuer,currency,ceiling,valid_from\nG1,ACME,USD,274.99,2026-01-01\n")
    assert company.failed() == []
    releasing.check_quality(company.state, 1, CUT_OFF)
    found = [one.sentence for one in reports.quality(company.state, 1) if one.code == "TOTAL_TOO_LARGE"]
    assert found == ["275.00 is above the ceiling 274.99 of the group."]
    assert CODES["TOTAL_TOO_LARGE"].to_do == "A person approves it."
    assert releasing.issue(company.state, 1, CUT_OFF).held == 1


def test_a_run_whose_batch_another_took_over_writes_nothing(company: Company) -> None:
    company.pending()
    old = claims.claim(company.state, DUE, "old", 0.0)
    assert old is not None
    begin(company.state, old)
    with connect(company.url) as other:
        assert claims.claim(other, DUE, "new", 60.0) is not None
    with pytest.raises(StaleClaimError):
        step(company.state, old, rate_case, CUT_OFF)
    assert reports.invoices(company.state, 1) == []
    assert CODES["STALE_EPOCH"].to_do == "Nothing."
