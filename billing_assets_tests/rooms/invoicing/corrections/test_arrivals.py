"""Each thing that a utility may send after a bill, and what becomes of the bill."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from billing_assets.foundation.database.connection import Connection
from billing_assets.invoicing.corrections import asking
from billing_assets.invoicing.corrections.arrivals import Answered
from billing_assets.invoicing.corrections.states import Outcome
from billing_assets.invoicing.invoices import releasing
from billing_assets.invoicing.invoices.engine import rate_case
from billing_assets_tests.rooms.invoicing.corrections.arriving import (
    TOO_LATE,
    answering,
    cancelled,
    live,
    name_of,
    proposed,
    replaced,
    settled,
)
from billing_assets_tests.rooms.invoicing.corrections.test_asked import another_price, documents, left
from billing_assets_tests.rooms.invoicing.customers import CUT_OFF, JULY, JUNE, customers, metered, point_of
from billing_assets_tests.rooms.invoicing.invoices.test_invoices import billed, counts, invoiced, pending
from billing_assets_tests.rooms.metering.usage.arriving import arrive
from billing_assets_tests.unit.metering.usage.messages import usage

NOTHING = Answered({}, 0, 0, 0)


@pytest.fixture
def june(state: Connection, tmp_path: Path) -> int:
    """A customer's usage of June, not billed: 1,000 kWh. Its message."""
    customers(state, tmp_path, 1)
    return metered(state, 1, amount=1000)


@pytest.fixture
def number(state: Connection, state_url: str, june: int) -> str:
    """The invoice of it."""
    (issued,) = billed(state, state_url)[1]
    return issued


def test_unbilled_usage_is_superseded_and_only_the_new_one_is_billed(
    state: Connection, state_url: str, june: int
) -> None:
    cancelled(state)
    new = replaced(state, amount=900)
    assert answering(state) == NOTHING
    assert len(billed(state, state_url)[1]) == 1
    assert live(state) == [(new, Decimal(900))]


def test_a_draft_is_discarded_and_its_account_billed_again_from_what_came(
    state: Connection, state_url: str, june: int
) -> None:
    batch = pending(state)
    invoiced(state, state_url, batch)
    releasing.check_quality(state, batch, CUT_OFF)
    assert answering(state) == NOTHING
    cancelled(state)
    new = replaced(state, amount=900)
    assert answering(state) == Answered({}, 0, 0, discarded=1)
    assert counts(state, batch) == {"discarded": 1}
    assert answering(state) == NOTHING
    (row,) = state.execute("select parameters from billing.invoice_requests where state = 'pending'").fetchall()
    assert row["parameters"]["names"] == ["A1"]
    assert billed(state, state_url)[1] == ("ACME2600000001",)
    assert live(state) == [(new, Decimal(900))]


def test_a_replacement_that_is_billed_alike_is_noted_and_takes_the_place_of_the_old_usage(
    state: Connection, number: str
) -> None:
    cancelled(state)
    new = replaced(state, amount=1000)
    assert answering(state).outcomes == {"noted": 1}
    assert [one[:3] for one in documents(state)] == [(number, "invoice", "issued")]
    assert live(state) == [(new, Decimal(1000))]
    assert proposed(state) == {"credit": "taken", "rebill": "taken", "restatement": "recorded"}
    assert answering(state) == NOTHING


def test_what_took_the_place_of_noted_usage_can_be_corrected_in_its_turn(state: Connection, number: str) -> None:
    cancelled(state)
    replaced(state, amount=1000)
    answering(state)
    cancelled(state, version=2)
    new = replaced(state, amount=700, version=3)
    assert answering(state).outcomes == {"rebilled": 1}
    assert [one[2:] for one in documents(state)] == [
        ("rebilled", Decimal("275.00")),
        ("issued", Decimal("-275.00")),
        ("issued", Decimal("192.50")),
    ]
    assert live(state) == [(new, Decimal(700))]


def test_a_replacement_is_billed_by_a_pair_that_shares_one_correction(state: Connection, number: str) -> None:
    cancelled(state)
    assert answering(state) == Answered({}, 1, 0, 0)
    new = replaced(state, amount=900)
    another_price(state, "0.30")
    assert answering(state) == Answered({"rebilled": 1}, 0, 0, 0)
    assert documents(state) == [
        (number, "invoice", "rebilled", Decimal("275.00")),
        ("ACME2600000002", "cancel", "issued", Decimal("-275.00")),
        ("ACME2600000003", "invoice", "issued", Decimal("247.50")),
    ], "on the price of the original"
    assert left(state) == []
    assert live(state) == [(new, Decimal(900))]
    assert proposed(state) == {"credit": "taken", "rebill": "taken", "restatement": "taken"}
    (row,) = state.execute(
        "select count(distinct correction) as shared, count(correction) as both from billing.utility_invoices"
    ).fetchall()
    assert tuple(row.values()) == (1, 2)
    assert answering(state) == NOTHING


def test_the_replacement_of_what_is_billed_is_in_no_batch_of_its_group(
    state: Connection, state_url: str, number: str
) -> None:
    cancelled(state)
    replaced(state, amount=900)
    metered(state, 1, period=JULY)
    (second,) = billed(state, state_url)[1]
    assert [one[0] for one in documents(state)] == [number, second]
    assert answering(state).outcomes == {"rebilled": 1}


@pytest.fixture
def estimated(state: Connection, state_url: str, tmp_path: Path) -> str:
    """The invoice of an estimate of 1,000 kWh."""
    customers(state, tmp_path, 1)
    metered(state, 1, amount=1000, estimated=True)
    (issued,) = billed(state, state_url)[1]
    return issued


def test_an_estimate_that_was_nearly_right_is_not_rebilled_and_the_difference_is_on_the_next_bill(
    state: Connection, state_url: str, estimated: str
) -> None:
    cancelled(state)
    new = replaced(state, amount=1003)
    assert answering(state).outcomes == {"adjusted": 1}
    assert [one[:3] for one in documents(state)] == [(estimated, "invoice", "issued")]
    assert live(state) == [(new, Decimal(1003))]
    assert answering(state) == NOTHING
    metered(state, 1, period=JULY, amount=1000)
    (second,) = billed(state, state_url)[1]
    lines = state.execute(
        """
        select l.code, l.amount, l.bill_text from billing.utility_invoice_lines as l
        join billing.utility_invoices as i on i.id = l.invoice where i.number = %s order by position""",
        [second],
    ).fetchall()
    assert [(row["code"], row["amount"]) for row in lines] == [
        ("energy", Decimal("250.00")),
        ("ADJUSTMENT", Decimal("0.75")),
    ]
    assert lines[1]["bill_text"] == f"Adjustment for 2026-06-03 to 2026-07-02, invoice {estimated}"
    assert documents(state)[1][3] == Decimal("275.83"), "with 10 % tax on it, rounded as on the whole bill"
    metered(state, 1, period=(JULY[1], date(2026, 8, 9)), amount=100)
    (third,) = billed(state, state_url)[1]
    assert documents(state)[2][::3] == (third, Decimal("27.50")), "once"


def test_what_was_adjusted_is_compared_with_what_was_billed_last_and_taken_back_when_it_is_rebilled(
    state: Connection, state_url: str, estimated: str
) -> None:
    cancelled(state)
    replaced(state, amount=1003)
    answering(state)
    cancelled(state, version=2)
    replaced(state, amount=1002, version=3)
    assert answering(state).outcomes == {"adjusted": 1}
    cancelled(state, version=3)
    replaced(state, amount=1100, version=4)
    assert answering(state).outcomes == {"rebilled": 1}
    metered(state, 1, period=JULY, amount=1000)
    billed(state, state_url)
    assert sum(one[3] for one in documents(state)) == Decimal("302.50") + Decimal("275.00"), "as if known at once"


def test_an_adjustment_on_a_bill_that_is_cancelled_is_on_its_rebill(
    state: Connection, state_url: str, estimated: str
) -> None:
    cancelled(state)
    replaced(state, amount=1003)
    answering(state)
    metered(state, 1, period=JULY, amount=1000)
    (second,) = billed(state, state_url)[1]
    done = asking.rebill(state, second, "Mara", "Wrong address", rate_case, CUT_OFF)
    assert done.change == 0
    assert left(state) == []
    assert [one[3] for one in documents(state)] == [Decimal(one) for one in ("275.00", "275.83", "-275.83", "275.83")]


def test_a_small_change_of_an_actual_is_rebilled(state: Connection, number: str) -> None:
    cancelled(state)
    replaced(state, amount=1003)
    assert answering(state).outcomes == {"rebilled": 1}


def test_a_cancel_waits_for_its_replacement_and_then_goes_out_alone(state: Connection, number: str) -> None:
    cancelled(state)
    assert answering(state) == Answered({}, 1, 0, 0)
    assert answering(state) == Answered({}, 1, 0, 0)
    assert [one[2] for one in documents(state)] == ["issued"]
    settled(state, now=TOO_LATE)
    assert answering(state) == Answered({"cancelled": 1}, 0, 0, 0)
    assert [one[1:3] for one in documents(state)] == [("invoice", "cancelled"), ("cancel", "issued")]
    assert live(state) == []
    assert answering(state) == NOTHING


def test_a_replacement_that_comes_after_the_cancel_went_out_is_billed_alone(state: Connection, number: str) -> None:
    cancelled(state, now=TOO_LATE)
    answering(state)
    replaced(state, amount=900, now=TOO_LATE)
    assert answering(state).outcomes == {"rebilled": 1}
    assert documents(state)[0][2] == "rebilled"
    assert documents(state)[2] == ("ACME2600000003", "invoice", "issued", Decimal("247.50"))
    (row,) = state.execute(
        "select p.number from billing.utility_invoices as i join billing.utility_invoices as p on p.id = i.replaces"
    ).fetchall()
    assert row["number"] == number


def test_a_replacement_without_a_cancel_changes_nothing(state: Connection, number: str) -> None:
    replaced(state, amount=900)
    assert answering(state) == NOTHING
    assert [one[2] for one in documents(state)] == ["issued"]


def test_half_a_cancel_waits_and_then_goes_out_alone(state: Connection, number: str) -> None:
    name = name_of(1)
    arrive(state, [usage(f"C{name}", "01", of=name, period=JUNE, point=point_of(1), day=9)])
    settled(state)
    assert answering(state) == Answered({}, 1, 0, 0)
    settled(state, now=TOO_LATE)
    assert answering(state).outcomes == {"cancelled": 1}


def test_several_estimates_and_one_actual_are_cancels_and_one_bill(
    state: Connection, state_url: str, tmp_path: Path
) -> None:
    customers(state, tmp_path, 1)
    for period in (JUNE, JULY):
        metered(state, 1, period=period, amount=1000, estimated=True)
        billed(state, state_url)
        cancelled(state, period=period)
    new = replaced(state, amount=1800, period=(JUNE[0], JULY[1]), of=name_of(1, JULY))
    assert answering(state).outcomes == {"rebilled": 1}
    assert [one[1:] for one in documents(state)] == [
        ("invoice", "rebilled", Decimal("275.00")),
        ("invoice", "rebilled", Decimal("275.00")),
        ("cancel", "issued", Decimal("-275.00")),
        ("cancel", "issued", Decimal("-275.00")),
        ("invoice", "issued", Decimal("495.00")),
    ]
    assert live(state) == [(new, Decimal(1800))]
    assert left(state) == []
    settled(state, now=TOO_LATE)
    assert answering(state) == NOTHING, "the other credit is answered, too"
    assert set(proposed(state).values()) <= {"taken", "recorded"}
    rows = state.execute("select state, outcome from billing.invoice_corrections").fetchall()
    assert {tuple(row.values()) for row in rows} == {("done", "rebilled")}


def test_a_change_that_a_customer_could_not_pay_waits_for_a_person(state: Connection, number: str) -> None:
    cancelled(state)
    replaced(state, amount=9000)
    assert answering(state, ask_above=Decimal(500)) == Answered({}, 0, 1, 0)
    assert answering(state, ask_above=Decimal(500)) == Answered({}, 0, 1, 0), "also the next night"
    assert [one[2] for one in documents(state)] == ["issued"]
    (row,) = state.execute("select state, code from billing.invoice_corrections").fetchall()
    assert tuple(row.values()) == ("ready", "CORRECTION_TOO_LARGE")
    done = asking.rebill(state, number, "Mara", "Instalments agreed", rate_case, CUT_OFF)
    assert (done.outcome, done.change) == (Outcome.REBILLED, Decimal("2200.00"))
    assert answering(state) == NOTHING


def test_what_the_checks_before_release_hold_waits_for_a_person(state: Connection, number: str) -> None:
    cancelled(state)
    replaced(state, amount=90000)
    assert answering(state) == Answered({}, 0, 1, 0)
    (row,) = state.execute("select code from billing.invoice_corrections").fetchall()
    assert "QA_VERY_HIGH" in row["code"]
    assert asking.rebill(state, number, "Mara", "A factory", rate_case, CUT_OFF).outcome is Outcome.REBILLED


def test_a_cancel_that_is_taken_back_withdraws_its_correction(state: Connection, number: str) -> None:
    cancelled(state)
    answering(state)
    state.execute("update billing.usage_candidates set state = 'withdrawn'")  # as when its cancel is rejected
    assert answering(state) == NOTHING
    (row,) = state.execute("select state from billing.invoice_corrections").fetchall()
    assert row["state"] == "withdrawn"


def test_what_a_person_corrected_meanwhile_is_not_corrected_again(state: Connection, number: str) -> None:
    cancelled(state)
    asking.cancel(state, number, "Mara", "Called us", CUT_OFF)
    settled(state, now=TOO_LATE)
    assert answering(state) == NOTHING
    assert proposed(state) == {"credit": "taken"}
