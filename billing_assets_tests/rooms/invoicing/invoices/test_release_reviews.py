"""Checks of a whole batch, what is drawn of it, and who reviewed it before its release; on a real database."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from billing_assets.foundation.database.connection import Connection
from billing_assets.invoicing.batches import reviewing
from billing_assets.invoicing.batches.selections import Selection, Wanted
from billing_assets.invoicing.batches.validating import lock, validate
from billing_assets.invoicing.invoices import releasing, reports
from billing_assets.invoicing.invoices.engine import rate_case
from billing_assets.invoicing.invoices.processing import process
from billing_assets.invoicing.invoices.releasing import ReleaseError
from billing_assets.invoicing.invoices.settings import Thresholds
from billing_assets_tests.rooms.invoicing.customers import CUT_OFF, JULY, JUNE, customers, load, metered

Drafted = Callable[..., int]
FIVE = (1, 2, 3, 4, 5)


@pytest.fixture
def drafted(state: Connection, state_url: str, tmp_path: Path) -> Drafted:
    """Drafts of five customers, with usage of so many kWh each; those named are estimated."""
    customers(state, tmp_path, *FIVE)

    def draft(amount: int = 1000, period: tuple[object, object] = JUNE, estimated: tuple[int, ...] = ()) -> int:
        for number in FIVE:
            metered(state, number, period, amount, estimated=number in estimated)  # type: ignore[arg-type]
        ((batch, _, _),) = lock(state, Wanted(Selection.BILL_GROUP, CUT_OFF, ("G1",)), "Mara", "Month end")
        validate(state, batch, today=CUT_OFF)
        reviewing.proceed(state, batch, "Mara", "Looked at")
        assert process(state_url, state, rate_case, "one", batch, today=CUT_OFF) is not None
        return batch

    return draft


def checked(state: Connection, batch: int, code: str, **given: object) -> list[str]:
    """The accounts in which a code was found."""
    thresholds = Thresholds.model_validate({"batch_least": 5} | given)
    releasing.check_quality(state, batch, CUT_OFF, thresholds)
    return [one.account for one in reports.quality(state, batch) if one.code == code]


def grouped(state: Connection, folder: Path, **given: str) -> None:
    """The group with something else about it."""
    names = ",".join(given)
    text = f"bill_group,issuer,currency,valid_from,{names}\nG1,ACME,USD,2026-01-01,{','.join(given.values())}\n"
    load(state, folder, bill_groups=text)


def test_more_estimates_than_usual_are_found_on_each_of_them(state: Connection, drafted: Drafted) -> None:
    assert checked(state, drafted(estimated=(1, 2)), "QA_ESTIMATED_RUN") == ["A1", "A2"]


def test_as_many_estimates_as_usual_are_not_found(state: Connection, drafted: Drafted) -> None:
    assert checked(state, drafted(estimated=(1,)), "QA_ESTIMATED_RUN") == []


@pytest.mark.parametrize(("amount", "found"), [(1250, 0), (1260, 5), (740, 5)])
def test_a_batch_that_is_off_its_customers_last_bills_is_held_as_a_whole(
    state: Connection, drafted: Drafted, amount: int, found: int
) -> None:
    first = drafted(amount=1000)
    assert checked(state, first, "QA_BATCH_SUM") == [], "there is no last bill to compare with"
    releasing.issue(state, first, CUT_OFF)
    assert len(checked(state, drafted(amount, JULY), "QA_BATCH_SUM")) == found


def test_a_small_batch_is_not_compared(state: Connection, drafted: Drafted) -> None:
    first = drafted(amount=1000)
    checked(state, first, "QA_BATCH_SUM")
    releasing.issue(state, first, CUT_OFF)
    assert checked(state, drafted(5000, JULY), "QA_BATCH_SUM", batch_least=6) == []


def test_a_person_lets_a_batch_go_and_what_is_held_for_more_stays_held(state: Connection, drafted: Drafted) -> None:
    first = drafted(amount=1000)
    checked(state, first, "QA_BATCH_SUM")
    releasing.issue(state, first, CUT_OFF)
    second = drafted(2000, JULY)
    state.execute(
        """
        insert into billing.invoice_quality_findings (invoice, code, severity, sentence)
        select min(id), 'QA_TAX_ZERO', 'error', 'No tax and no exemption on file.' from billing.utility_invoices
        where batch = %s""",
        [second],
    )
    checked(state, second, "QA_BATCH_SUM")
    assert releasing.approve_batch(state, second, "Ben", "A hot July") == 4
    assert (len(releasing.issue(state, second, CUT_OFF).numbers), releasing.issue(state, second, CUT_OFF).held) == (
        4,
        1,
    )
    (said,) = {(one.reviewed_by, one.why) for one in reports.quality(state, second) if one.code == "QA_BATCH_SUM"}
    assert said == ("Ben", "A hot July")
    with pytest.raises(ReleaseError, match="is held for QA_BATCH_SUM"):
        releasing.approve_batch(state, second, "Ben", "Again")


def test_of_a_new_group_the_first_bills_are_all_drawn_and_then_every_so_many(
    state: Connection, drafted: Drafted
) -> None:
    rare = 10**9
    first = drafted()
    assert checked(state, first, "QA_SAMPLE", sample_first=7, sample_every=rare) == ["A1", "A2", "A3", "A4", "A5"]
    releasing.issue(state, first, CUT_OFF)
    second = drafted(1000, JULY)
    assert checked(state, second, "QA_SAMPLE", sample_first=7, sample_every=rare) == ["A1", "A2"]


def test_the_hash_draws_about_one_of_so_many_and_the_same_again(state: Connection, drafted: Drafted) -> None:
    batch = drafted()
    assert checked(state, batch, "QA_SAMPLE", sample_first=0, sample_every=1) == ["A1", "A2", "A3", "A4", "A5"]


def test_a_group_whose_samples_are_reviewed_is_issued_only_then_and_keeps_who_did(
    state: Connection, drafted: Drafted, tmp_path: Path
) -> None:
    grouped(state, tmp_path, review_samples="yes")
    batch = drafted()
    checked(state, batch, "QA_SAMPLE", sample_first=2, sample_every=10**9)
    with pytest.raises(ReleaseError, match="5 drafts of batch 1 were drawn for review"):
        releasing.issue(state, batch, CUT_OFF)
    first, *others = [one["invoice"] for one in reports.invoices(state, batch)]
    assert releasing.review(state, batch, [first], "Ben", "Against the contract") == 1
    with pytest.raises(ReleaseError, match="was reviewed before"):
        releasing.review(state, batch, [first], "Ben", "Again")
    assert releasing.review(state, batch, [], "Cleo", "The rest") == len(others)
    assert len(releasing.issue(state, batch, CUT_OFF).numbers) == 5
    sample = [
        (one.number, one.reviewed_by, one.why) for one in reports.quality(state, batch) if one.code == "QA_SAMPLE"
    ]
    assert sample == [("ACME2600000001", "Ben", "Against the contract"), ("ACME2600000002", "Cleo", "The rest")]


def test_a_review_lets_no_error_go(state: Connection, drafted: Drafted) -> None:
    batch = drafted()
    assert len(checked(state, batch, "QA_VERY_HIGH", very_high=100)) == 5
    releasing.review(state, batch, [], "Ben", "Looked at")
    assert releasing.issue(state, batch, CUT_OFF).held == 5


def test_a_class_has_thresholds_of_its_own(state: Connection, drafted: Drafted, tmp_path: Path) -> None:
    head = "account,bill_group,customer_class,tax_codes,valid_from\n"
    load(state, tmp_path, accounts=head + "A1,G1,industrial,TX,2026-01-01\nA2,G1,residential,TX,2026-01-01\n")
    by_class = {"industrial": {"very_high": 300}}
    assert checked(state, drafted(), "QA_VERY_HIGH", very_high=200, by_class=by_class) == ["A2", "A3", "A4", "A5"]


def test_what_a_customer_has_always_been_billed_is_not_very_high(state: Connection, drafted: Drafted) -> None:
    for period in (JUNE, JULY):
        batch = drafted(1000, period)
        assert checked(state, batch, "QA_VERY_HIGH") == []
        releasing.issue(state, batch, CUT_OFF)
    august = drafted(1000, (date(2026, 8, 3), CUT_OFF))
    assert checked(state, august, "QA_VERY_HIGH", very_high=200) == []


def test_a_group_switches_a_check_off_and_says_how_severe_another_is(
    state: Connection, drafted: Drafted, tmp_path: Path
) -> None:
    grouped(state, tmp_path, checks_off="QA_FIRST_BILL", severities="QA_VERY_HIGH:warning")
    batch = drafted()
    assert checked(state, batch, "QA_FIRST_BILL", very_high=100) == []
    assert {one.severity for one in reports.quality(state, batch) if one.code == "QA_VERY_HIGH"} == {"warning"}
    assert len(releasing.issue(state, batch, CUT_OFF).numbers) == 5


@pytest.mark.parametrize(
    "wrong", [{"by_class": {"x": {"heigh": 1}}}, {"by_class": {"x": {"high": 0}}}, {"least_price": 3}]
)
def test_thresholds_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"heigh|greater than 1|most_price is less"):
        Thresholds.model_validate(wrong)
