"""Invoices that are voided after they were posted: a credit memo is proposed, and made only if somebody confirms it."""

import threading
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import psycopg
import pytest

from billing_assets.erp.staging.corrections.store import Correction, corrections, corrections_of_month
from billing_assets.erp.staging.corrections.voids import NothingProposedError, confirm, decline, judge_held, reversal
from billing_assets.foundation.calendar.business_days import Zones
from billing_assets.foundation.database.connection import connect
from billing_assets_tests.rooms.erp.staging.conftest import Bench
from proving.world import builders
from proving.world.builders import (
    change_document,
    close_document,
    credit_memo,
    document,
    insert_document,
    line,
    validation,
    void_document,
)

NOW = datetime(2010, 12, 3, 23, 30, tzinfo=UTC)


@pytest.fixture
def voided(bench: Bench) -> str:
    """The id of invoice 1, posted and then voided."""
    document_id = insert_document(bench.source, "1", lines=[("10002", "3", "2.50", "7.50"), ("10080", "1", "1", "1")])
    bench.stage()
    bench.advance("1", "posted")
    void_document(bench.source, document_id)
    bench.stage()
    return document_id


def confirmed(bench: Bench, number: str = "1", by: str = "an auditor") -> Correction:
    agreed = "agreed with the customer"
    return confirm(bench.state, number, by=by, why=agreed, validation=validation(), now=NOW, zones=Zones())


def test_a_void_after_posting_proposes_the_exact_reversal_and_sends_nothing(bench: Bench, voided: str) -> None:
    for _ in range(2):
        bench.stage()
        (one,) = corrections(bench.state, undecided_only=True)
        assert (one.number, one.period, one.total, one.decision) == ("1", "2010-11", Decimal("-8.50"), "proposed")
    assert bench.row("1")["drift"]["source_status"] == "void"
    assert bench.states() == {"1": "posted"}


def test_a_confirmed_correction_is_a_credit_memo_of_its_own_and_confirming_again_changes_nothing(
    bench: Bench, voided: str
) -> None:
    first = confirmed(bench)
    assert first == confirmed(bench, by="somebody else")
    row = bench.row("VOID-1")
    assert (row["source"], row["kind"], row["state"]) == ("billing/corrections", "credit_memo", "ready")
    assert (row["document_date"].isoformat(), row["period"], row["total"]) == (
        "2010-12-03",
        "2010-12",
        Decimal("-8.50"),
    )
    assert (row["applications"], row["external_id"]) == ([["1", None]], "CM-VOID-1")
    assert [(one[1], one[3], one[4], one[5]) for one in row["lines"]] == [
        ("10002", "-3", "2.5", "-7.5"),
        ("10080", "-1", "1", "-1"),
    ]
    assert (first.decision, first.decided_by, first.correction) == ("confirmed", "an auditor", "VOID-1")
    bench.stage()
    bench.stage()
    assert bench.states() == {"1": "posted", "VOID-1": "ready"}
    assert corrections(bench.state, undecided_only=True) == []


def test_people_who_confirm_at_once_make_one_credit_memo(bench: Bench, voided: str) -> None:
    failures: list[Exception] = []

    def person() -> None:
        try:
            with connect(bench.state_url) as connection:
                confirm(connection, "1", by="one of us", why="x", validation=validation(), now=NOW, zones=Zones())
        except (psycopg.Error, NothingProposedError) as error:
            failures.append(error)

    people = [threading.Thread(target=person) for _ in range(4)]
    for one in people:
        one.start()
    for one in people:
        one.join()
    assert failures == []
    assert len([one for one in corrections(bench.state) if one.decision == "confirmed"]) == 1
    assert bench.states() == {"1": "posted", "VOID-1": "ready"}


def test_what_is_declined_stays_declined_until_somebody_confirms_after_all(bench: Bench, voided: str) -> None:
    for _ in range(2):
        decline(bench.state, "1", by="an auditor", why="credited by hand")
        bench.stage()
    assert [(one.decision, one.why) for one in corrections(bench.state)] == [("declined", "credited by hand")]
    assert bench.states() == {"1": "posted"}
    confirmed(bench)
    assert [one.decision for one in corrections(bench.state)] == ["declined", "confirmed"]
    with pytest.raises(NothingProposedError, match="cannot be declined"):
        decline(bench.state, "1", by="an auditor", why="no")


def test_a_void_that_is_taken_back_withdraws_the_proposal_and_a_new_void_proposes_anew(
    bench: Bench, voided: str
) -> None:
    close_document(bench.source, voided)
    bench.stage()
    assert [one.decision for one in corrections(bench.state)] == ["withdrawn"]
    assert bench.row("1")["drift"] is None
    with pytest.raises(NothingProposedError, match="not void any more"):
        confirmed(bench)
    void_document(bench.source, voided)
    bench.stage()
    assert [one.decision for one in corrections(bench.state)] == ["withdrawn", "proposed"]


def test_a_declined_void_that_is_taken_back_cannot_be_confirmed_and_a_new_void_proposes_anew(
    bench: Bench, voided: str
) -> None:
    decline(bench.state, "1", by="an auditor", why="credited by hand")
    bench.state.execute("begin")
    bench.state.execute("update billing.staged_invoices set drift = null")
    with pytest.raises(NothingProposedError, match="not void any more"):
        confirmed(bench)
    bench.state.execute("rollback")
    close_document(bench.source, voided)
    for _ in range(2):
        bench.stage()
        with pytest.raises(NothingProposedError, match="not void any more"):
            confirmed(bench)
    void_document(bench.source, voided)
    bench.stage()
    assert [one.decision for one in corrections(bench.state)] == ["declined", "withdrawn", "proposed"]
    assert confirmed(bench).decision == "confirmed"


def test_only_a_void_of_a_posted_invoice_proposes(bench: Bench) -> None:
    changed, credit = insert_document(bench.source, "1"), insert_document(bench.source, "C1", kind="credit_memo")
    never = insert_document(bench.source, "2", status="open")
    bench.stage()
    bench.advance("1", "posted")
    bench.advance("C1", "posted")
    change_document(bench.source, changed, memo="other")
    void_document(bench.source, credit)
    void_document(bench.source, never)
    bench.stage()
    assert corrections(bench.state) == []
    assert bench.row("C1")["drift"]["source_status"] == "void"
    with pytest.raises(NothingProposedError, match="No credit memo is proposed for invoice 1"):
        confirmed(bench)


def test_a_correction_that_cannot_be_sent_is_held_with_the_reason_and_judged_anew(bench: Bench, voided: str) -> None:
    strict = replace(validation(), policy=replace(validation().policy, closed_through=date(2010, 12, 31)))
    one = confirm(bench.state, "1", by="x", why="y", validation=strict, now=NOW, zones=Zones())
    assert one.correction_state == "held"
    assert bench.codes("VOID-1") == ["PERIOD_CLOSED"]
    judge_held(bench.state, "billing", strict)
    assert bench.codes("VOID-1") == ["PERIOD_CLOSED"]
    judge_held(bench.state, "billing", validation())
    assert (bench.row("VOID-1")["state"], bench.codes("VOID-1")) == ("ready", [])


def test_a_correction_whose_number_is_taken_is_held(bench: Bench, voided: str) -> None:
    other = insert_document(bench.source, "VOID-1", kind="credit_memo")
    bench.stage()
    assert confirmed(bench).correction_state == "held"
    mine = bench.by_id(f"void of {voided}")
    assert builders.codes(mine) == ["DUPLICATE_NUMBER"]
    change_document(bench.source, other, number="C9")
    bench.stage()
    judge_held(bench.state, "billing", validation())
    assert bench.by_id(f"void of {voided}")["state"] == "ready"


def test_the_corrections_of_a_month_are_those_of_its_invoices_and_those_dated_in_it(bench: Bench, voided: str) -> None:
    confirmed(bench)
    assert [one.correction for one in corrections_of_month(bench.state, "2010-11")] == ["VOID-1"]
    assert [one.number for one in corrections_of_month(bench.state, "2010-12")] == ["1"]
    assert corrections_of_month(bench.state, "2011-01") == []


def test_what_was_decided_never_changes(bench: Bench, voided: str) -> None:
    confirmed(bench)
    for statement in (
        "update billing.proposed_credit_memos set decision = null, decision_id = null, correction = null",
        "update billing.proposed_credit_memos set decision_id = null",
        "delete from billing.proposed_credit_memos",
    ):
        with pytest.raises(psycopg.errors.CheckViolation):
            bench.state.execute(statement)


@pytest.mark.parametrize(
    ("zone", "day"), [("America/Los_Angeles", date(2010, 12, 3)), ("Europe/Berlin", date(2010, 12, 4))]
)
def test_a_credit_memo_for_a_void_has_the_day_of_its_branch(bench: Bench, voided: str, zone: str, day: date) -> None:
    """At 23:30 UTC on the 3rd."""
    there = Zones(branches={"United Kingdom": ZoneInfo(zone)})
    confirm(bench.state, "1", by="x", why="y", validation=validation(), now=NOW, zones=there)
    assert bench.row("VOID-1")["document_date"] == day


def test_a_reversal_and_its_invoice_add_up_to_nothing_line_by_line() -> None:
    taxed = line(2, "5.00", tax_code="S", tax_rate=Decimal(20), tax_amount=Decimal("1.00"))
    invoice = document("1", line(), taxed, terms="NET30", extra={"contract": "K1"})
    credit = reversal(invoice, NOW, NOW.date())
    assert credit.total + invoice.total == 0
    for ours, theirs in zip(credit.lines, invoice.lines, strict=True):
        assert ours.amount + theirs.amount == ours.quantity + theirs.quantity == 0
        assert (ours.tax_amount or 0) + (theirs.tax_amount or 0) == 0
        assert (ours.item, ours.unit_price) == (theirs.item, theirs.unit_price)
    assert (credit.customer, credit.extra, credit.due_date) == (invoice.customer, invoice.extra, None)
    assert credit_memo().kind == credit.kind
