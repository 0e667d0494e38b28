"""What a person decides about a finding, on a real database: fix, waive, take out, bill estimated; by whom and why."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from billing_assets.foundation.database.connection import Connection
from billing_assets.invoicing.accounts.store import end_hold, hold
from billing_assets.invoicing.batches import reports, reviewing
from billing_assets.invoicing.batches.codes import CODES
from billing_assets.invoicing.batches.selections import Selection, Wanted
from billing_assets.invoicing.batches.store import BatchStateError
from billing_assets.invoicing.batches.validating import lock, validate
from billing_assets.invoicing.invoices.engine import rate_case
from billing_assets.invoicing.invoices.processing import process
from billing_assets_tests.rooms.invoicing.batches.making import APRIL, MAY, Making
from billing_assets_tests.rooms.invoicing.customers import CUT_OFF, JULY, JUNE, customers, metered


def in_review(state: Connection) -> tuple[int, int]:
    """The batch of account A1, and its member."""
    ((batch, _, _),) = lock(state, Wanted(Selection.CUSTOMER, CUT_OFF, ("A1",)), "Mara", "Asked")
    validate(state, batch, today=CUT_OFF)
    (row,) = state.execute("select id from billing.batch_members where batch = %s", [batch]).fetchall()
    return batch, row["id"]


def errors(state: Connection, batch: int) -> dict[str, str]:
    """Errors by code, with what became of each."""
    found = reports.findings(state, batch, everything=True)
    return {one.code: one.state for one in found if one.severity == "error"}


def decided(state: Connection) -> dict[str, Any] | None:
    """The last decision."""
    return state.execute(
        "select reference, decision, decided_by, why from billing.decisions order by id desc limit 1"
    ).fetchone()


def test_a_finding_is_gone_when_its_cause_is_fixed_and_who_fixed_it_is_kept(state: Connection, tmp_path: Path) -> None:
    customers(state, tmp_path, 1)
    metered(state, 1)
    hold(state, "A1", date(2026, 9, 1), "Mara", "Complaint 7")
    batch, _ = in_review(state)
    assert errors(state, batch) == {"ACCOUNT_HOLD": "open"}
    assert end_hold(state, "A1", "Ben", "Settled")
    assert reviewing.fix(state, batch, today=CUT_OFF).held == 0
    assert errors(state, batch) == {"ACCOUNT_HOLD": "gone"}
    assert decided(state) == {
        "reference": "account A1",
        "decision": "hold ended",
        "decided_by": "Ben",
        "why": "Settled",
    }


def test_a_waiver_lets_the_customer_be_billed_and_keeps_who_and_why(
    state: Connection, state_url: str, tmp_path: Path
) -> None:
    customers(state, tmp_path, 1)
    metered(state, 1, period=JULY)
    batch, member = in_review(state)
    assert errors(state, batch) == {"PERIOD_GAP": "open"}
    assert reviewing.waive(state, member, "PERIOD_GAP", "Ben", "Another supplier until then")
    assert errors(state, batch) == {"PERIOD_GAP": "waived"}
    (kept,) = state.execute(
        """
        select d.decided_by, d.why from billing.invoice_findings as f join billing.decisions as d on d.id = f.decision
        where f.state = 'waived' and f.resolved_at is not null"""
    ).fetchall()
    assert kept == {"decided_by": "Ben", "why": "Another supplier until then"}
    reviewing.proceed(state, batch, "Mara", "Looked at")
    done = process(state_url, state, rate_case, "one", batch, today=CUT_OFF)
    assert done is not None
    assert done.invoiced == 1


def test_every_code_is_waived_if_the_table_says_so_and_refused_if_not(state: Connection, tmp_path: Path) -> None:
    customers(state, tmp_path, 1)
    metered(state, 1)
    _, member = in_review(state)
    for code, one in CODES.items():
        with pytest.raises(BatchStateError) as refused:
            reviewing.waive(state, member, code, "Ben", "Must go out")
        said = f"Member {member} has no open finding {code}." if one.waivable else f"{code} cannot be waived"
        assert str(refused.value).startswith(said)
    assert decided(state) == {
        "reference": "invoice request",
        "decision": "request customer until 2026-08-10",
        "decided_by": "Mara",
        "why": "Asked",
    }, "what is refused leaves no decision"
    with pytest.raises(BatchStateError, match="There is no validation PERIOD_GAB"):
        reviewing.waive(state, member, "PERIOD_GAB", "Ben", "Must go out")


@pytest.mark.parametrize("why", ["", "  "])
def test_a_decision_without_a_reason_is_none(state: Connection, tmp_path: Path, why: str) -> None:
    customers(state, tmp_path, 1)
    metered(state, 1, period=JULY)
    batch, member = in_review(state)
    for decide in (reviewing.take_out, lambda *given: reviewing.waive(given[0], given[1], "PERIOD_GAP", *given[2:])):
        with pytest.raises(Exception, match=r"reason|why|say"):
            decide(state, member, "Ben", why)
    assert errors(state, batch) == {"PERIOD_GAP": "open"}


def test_what_is_taken_out_leaves_the_batch_unbilled_with_its_reason(state: Connection, tmp_path: Path) -> None:
    customers(state, tmp_path, 1)
    metered(state, 1)
    _, member = in_review(state)
    reviewing.take_out(state, member, "Ben", "Disputed")
    (row,) = state.execute(
        """
        select m.state, m.why, d.decided_by from billing.batch_members as m
        join billing.decisions as d on d.id = m.decision"""
    ).fetchall()
    assert row == {"state": "taken_out", "why": "Disputed", "decided_by": "Ben"}
    assert state.execute("select from billing.invoiced_usage").fetchall() == []
    with pytest.raises(BatchStateError, match=rf"Member {member} is taken_out|is Empty"):
        reviewing.take_out(state, member, "Ben", "Again")


def test_too_many_estimates_are_billed_when_a_person_says_so(state: Connection, state_url: str, tmp_path: Path) -> None:
    made = Making(state, state_url, tmp_path)
    made.customer(1, since=APRIL[0])
    for period in (APRIL, MAY, JUNE):
        made.was(1, period, estimated=True)
    made.comes(1, estimated=True)
    (batch,) = made.make()
    assert errors(state, batch) == {"CONSECUTIVE_ESTIMATES": "open"}
    (row,) = state.execute("select id from billing.batch_members where batch = %s", [batch]).fetchall()
    with pytest.raises(BatchStateError, match="CONSECUTIVE_ESTIMATES cannot be waived"):
        reviewing.waive(state, row["id"], "CONSECUTIVE_ESTIMATES", "Ben", "No access")
    assert reviewing.bill_estimated(state, row["id"], "Ben", "No access to the meter")
    assert decided(state) == {
        "reference": f"member {row['id']}",
        "decision": "bill estimated",
        "decided_by": "Ben",
        "why": "No access to the meter",
    }
    reviewing.proceed(state, batch, "Mara", "Looked at")
    assert process(state_url, state, rate_case, "one", batch, today=CUT_OFF) is not None
    (draft,) = state.execute("select is_estimated from billing.utility_invoices where batch = %s", [batch]).fetchall()
    assert draft == {"is_estimated": True}


def test_usage_that_is_not_estimated_once_too_often_is_not_billed_as_if_it_were(
    state: Connection, tmp_path: Path
) -> None:
    customers(state, tmp_path, 1)
    metered(state, 1)
    _, member = in_review(state)
    with pytest.raises(BatchStateError, match="has no open finding CONSECUTIVE_ESTIMATES"):
        reviewing.bill_estimated(state, member, "Ben", "No access")
