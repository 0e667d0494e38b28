"""Charges and credits without usage: who checks them, on what they go out, and that each goes out once."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from billing_assets.decisions.store import SamePersonError
from billing_assets.foundation.database.connection import Connection
from billing_assets.invoicing.adjustments import reports, store
from billing_assets.invoicing.adjustments.kinds import TRANSITIONS, Adjustment, AdjustmentError, LineByHand, State
from billing_assets.invoicing.batches import reviewing
from billing_assets.invoicing.batches.selections import Selection, Wanted
from billing_assets.invoicing.batches.validating import lock, validate
from billing_assets.invoicing.corrections import asking
from billing_assets.invoicing.corrections.states import Outcome
from billing_assets.invoicing.invoices import adjusting, releasing
from billing_assets.invoicing.invoices.adjusting import Adjusted, Terms
from billing_assets.invoicing.invoices.engine import rate_case
from billing_assets.invoicing.invoices.explaining import explained
from billing_assets.invoicing.invoices.processing import process
from billing_assets_tests.rooms.invoicing.customers import CUT_OFF, JULY, customers, metered

TERMS = Terms(rate_case, CUT_OFF, Decimal(100))
FEE = LineByHand("Reconnection", Decimal("40.00"), group="energy")  # the tariff taxes what is in this group
BIG = LineByHand("Damage to a meter", Decimal("250.00"), group="energy")


def entered(
    state: Connection, kind: Adjustment, *lines: LineByHand, taxed: bool = True, account: str = "A1"
) -> Adjusted:
    return adjusting.enter(state, kind, account, lines, "RECONNECTED", "Mara", "As agreed", TERMS, taxed=taxed)


def drafted(state: Connection, url: str) -> int:
    """The group's unbilled usage as drafts; the batch."""
    ((batch, _, _),) = lock(state, Wanted(Selection.BILL_GROUP, CUT_OFF, ("G1",)), "Mara", "Month end")
    validate(state, batch, today=CUT_OFF)
    reviewing.proceed(state, batch, "Mara", "Looked at")
    assert process(url, state, rate_case, "one", batch, today=CUT_OFF) is not None
    releasing.check_quality(state, batch, CUT_OFF)
    return batch


def documents(state: Connection) -> list[dict[str, Any]]:
    return state.execute(
        """
        select kind, number, net, tax, total, deliver, state, batch is null as alone from billing.utility_invoices
        where state <> 'discarded' order by id"""
    ).fetchall()


def lines(state: Connection) -> list[tuple[str, Decimal]]:
    rows = state.execute(
        """
        select l.bill_text, l.amount from billing.utility_invoice_lines as l
        join billing.utility_invoices as i on i.id = l.invoice
        where i.state <> 'discarded' order by l.invoice, l.position"""
    )
    return [(row["bill_text"], row["amount"]) for row in rows]


def standing(state: Connection) -> list[tuple[str, str | None]]:
    return [(row["state"], row["bill"]) for row in reports.adjustments(state, everything=True)]


def test_the_moves_in_the_database_are_those_of_the_code(state: Connection) -> None:
    rows = state.execute(
        "select old_state, new_state from billing.invoicing_transitions where subject = 'adjustment'"
    ).fetchall()
    ours = {(str(old), str(new)) for old, targets in TRANSITIONS.items() for new in targets}
    assert {tuple(row.values()) for row in rows} == ours


def test_a_memo_is_posted_at_once_with_a_number_and_is_not_sent(state: Connection, tmp_path: Path) -> None:
    customers(state, tmp_path, 1)
    done = entered(state, Adjustment.CREDIT_MEMO, LineByHand("Goodwill", Decimal("12.50"), Decimal(-1)), taxed=False)
    assert (done.state, done.amount, done.number) == (State.POSTED, Decimal("-12.50"), "ACME2600000001")
    (memo,) = documents(state)
    assert (memo["kind"], memo["total"], memo["tax"], memo["deliver"]) == ("memo", Decimal("-12.50"), 0, False)


def test_a_special_charge_is_held_until_the_next_bill_and_taxed_as_that_is(
    state: Connection, state_url: str, tmp_path: Path
) -> None:
    customers(state, tmp_path, 1)
    assert entered(state, Adjustment.SPECIAL_CHARGE, FEE).state is State.OPEN
    assert (documents(state), standing(state)) == ([], [("open", None)])
    metered(state, 1, amount=1000)
    batch = drafted(state, state_url)
    assert standing(state) == [("on_bill", "draft 1")]
    (bill,) = documents(state)
    assert lines(state) == [("energy", Decimal("250.00")), ("Reconnection", Decimal("40.00"))]
    assert (bill["net"], bill["tax"]) == (Decimal("290.00"), Decimal("29.00"))
    assert releasing.issue(state, batch, CUT_OFF).numbers == ("ACME2600000001",)
    metered(state, 1, JULY, amount=1100)
    drafted(state, state_url)
    assert [text for text, _ in lines(state)] == ["energy", "Reconnection", "energy"], "it is on one bill"


def test_a_bill_with_a_special_charge_and_a_one_off_invoice_rate_again_to_what_is_stored(
    state: Connection, state_url: str, tmp_path: Path
) -> None:
    customers(state, tmp_path, 1)
    number = entered(state, Adjustment.ONE_OFF, FEE).number
    entered(state, Adjustment.SPECIAL_CHARGE, FEE)
    metered(state, 1)
    drafted(state, state_url)
    for document in (number or "", "2"):
        found = explained(state, document, rate_case)
        assert any("Reconnection" in one or "by_hand_energy" in one for one in found.sentences)
        assert found.differences == ()


def test_a_charge_on_a_draft_that_is_dropped_is_held_again(state: Connection, state_url: str, tmp_path: Path) -> None:
    customers(state, tmp_path, 1)
    entered(state, Adjustment.SPECIAL_CHARGE, FEE)
    metered(state, 1)
    drafted(state, state_url)
    releasing.discard(state, 1, "Mara", "The customer moved")
    assert standing(state) == [("open", None)]
    drafted(state, state_url)
    assert standing(state) == [("on_bill", "draft 2")]


def test_a_rebill_has_the_charges_of_its_predecessor_and_what_is_held_since_waits_for_the_next_bill(
    state: Connection, state_url: str, tmp_path: Path
) -> None:
    customers(state, tmp_path, 1)
    entered(state, Adjustment.SPECIAL_CHARGE, FEE)
    metered(state, 1, amount=1000)
    (number,) = releasing.issue(state, drafted(state, state_url), CUT_OFF).numbers
    entered(state, Adjustment.SPECIAL_CHARGE, LineByHand("Paper", Decimal("2.00")))
    done = asking.rebill(state, number, "Mara", "Wrong price", rate_case, CUT_OFF)
    assert (done.outcome, done.change) == (Outcome.REBILLED, Decimal(0))
    assert standing(state) == [("on_bill", done.numbers[1]), ("open", None)]
    metered(state, 1, JULY, amount=1100)
    drafted(state, state_url)
    assert [text for text, _ in lines(state)][-2:] == ["energy", "Paper"]


def test_an_adjustment_of_a_balance_makes_no_document(state: Connection, state_url: str, tmp_path: Path) -> None:
    customers(state, tmp_path, 1)
    done = entered(state, Adjustment.AR_ADJUSTMENT, LineByHand("Write-off", Decimal("9.10"), Decimal(-1)))
    metered(state, 1)
    drafted(state, state_url)
    assert done.state is State.POSTED
    assert [text for text, _ in lines(state)] == ["energy"]


def test_a_one_off_invoice_has_its_lines_typed_and_taxed_by_the_engine(state: Connection, tmp_path: Path) -> None:
    customers(state, tmp_path, 1)
    typed = LineByHand("Cable, metres", Decimal("1.115"), Decimal("12.5"), "m", "energy")
    done = entered(state, Adjustment.ONE_OFF, FEE, typed)
    (invoice,) = documents(state)
    assert (invoice["kind"], invoice["deliver"], invoice["alone"]) == ("one_off", True, True)
    assert lines(state) == [("Reconnection", Decimal("40.00")), ("Cable, metres", Decimal("13.94"))]
    assert (invoice["net"], invoice["tax"], invoice["total"]) == (Decimal("53.94"), Decimal("5.39"), Decimal("59.33"))
    assert (done.amount, done.number) == (Decimal("53.94"), "ACME2600000001")


@pytest.mark.parametrize("kind", [Adjustment.DEBIT_MEMO, Adjustment.SPECIAL_CHARGE, Adjustment.ONE_OFF])
def test_above_the_amount_another_person_checks_before_anything_happens(
    state: Connection, state_url: str, tmp_path: Path, kind: Adjustment
) -> None:
    customers(state, tmp_path, 1)
    done = entered(state, kind, BIG)
    metered(state, 1)
    drafted(state, state_url)
    assert (done.state, standing(state)) == (State.WAITING, [("waiting", None)])
    assert [text for text, _ in lines(state)] == ["energy"]
    with pytest.raises(SamePersonError):
        adjusting.confirm(state, done.adjustment, " mara ", "Looks right", TERMS)
    checked = adjusting.confirm(state, done.adjustment, "Ben", "Compared with the report", TERMS)
    assert checked.state is (State.OPEN if kind is Adjustment.SPECIAL_CHARGE else State.POSTED)
    with pytest.raises(AdjustmentError, match="waits for no one"):
        adjusting.confirm(state, done.adjustment, "Zoe", "Again", TERMS)


def test_a_charge_and_a_credit_on_one_invoice_do_not_slip_under_the_amount(state: Connection, tmp_path: Path) -> None:
    customers(state, tmp_path, 1)
    credit = LineByHand("Deposit", Decimal("240.00"), Decimal(-1), group="energy")
    assert entered(state, Adjustment.ONE_OFF, BIG, credit).state is State.WAITING


def test_the_database_itself_refuses_what_was_not_checked(state: Connection, tmp_path: Path) -> None:
    customers(state, tmp_path, 1)
    done = entered(state, Adjustment.SPECIAL_CHARGE, BIG)
    other = entered(state, Adjustment.SPECIAL_CHARGE, BIG)
    for sql in (
        "update billing.account_adjustments set state = 'open' where id = %(id)s",
        "update billing.account_adjustments set amount = 1 where id = %(id)s",
        "update billing.account_adjustments set needs_check = false, state = 'open' where id = %(id)s",
        "delete from billing.account_adjustments where id = %(id)s",
        """
        update billing.account_adjustments as a set state = 'open', checked = o.decision
        from billing.account_adjustments as o where o.id = %(other)s and a.id = %(id)s""",
    ):
        with pytest.raises(psycopg.errors.CheckViolation):
            state.execute(sql, {"id": done.adjustment, "other": other.adjustment})


def test_a_charge_is_on_one_live_bill_whoever_writes(state: Connection, state_url: str, tmp_path: Path) -> None:
    customers(state, tmp_path, 1)
    entered(state, Adjustment.SPECIAL_CHARGE, FEE)
    metered(state, 1)
    drafted(state, state_url)
    entered(state, Adjustment.ONE_OFF, FEE)
    with pytest.raises(psycopg.errors.UniqueViolation):
        state.execute("insert into billing.invoiced_adjustments (invoice, adjustment) values (2, 1)")


def test_what_is_withdrawn_goes_on_no_bill_and_what_is_on_one_is_not_withdrawn(
    state: Connection, state_url: str, tmp_path: Path
) -> None:
    customers(state, tmp_path, 1)
    first = entered(state, Adjustment.SPECIAL_CHARGE, FEE)
    adjusting.withdraw(state, first.adjustment, "Mara", "Entered twice")
    second = entered(state, Adjustment.SPECIAL_CHARGE, FEE)
    metered(state, 1)
    drafted(state, state_url)
    assert [text for text, _ in lines(state)] == ["energy", "Reconnection"]
    with pytest.raises(AdjustmentError, match="is on draft 1: enter one the other way round"):
        adjusting.withdraw(state, second.adjustment, "Mara", "After all")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda s: entered(s, Adjustment.DEBIT_MEMO, FEE, account="A9"), "There is no account A9"),
        (lambda s: entered(s, Adjustment.CREDIT_MEMO, FEE), "has the other sign"),
        (lambda s: entered(s, Adjustment.ONE_OFF, LineByHand("Nothing", Decimal(0))), "come to nothing"),
        (lambda s: LineByHand("Goodwill", Decimal(-1)), "negative quantity"),
        (lambda s: LineByHand("Goodwill", Decimal(1), group="gift"), "gift is no group of charges"),
        (lambda s: LineByHand(" ", Decimal(1)), "needs a text"),
    ],
)
def test_what_cannot_be_charged_changes_nothing_and_says_why(
    state: Connection, tmp_path: Path, make: Callable[[Connection], object], said: str
) -> None:
    customers(state, tmp_path, 1)
    with pytest.raises(AdjustmentError, match=said):
        make(state)
    assert (documents(state), standing(state)) == ([], [])


def test_the_engine_holds_something_for_a_key_once(state: Connection, tmp_path: Path) -> None:
    customers(state, tmp_path, 1)
    line = [LineByHand("True-up June", Decimal("4.26"), Decimal(-1), group="energy").as_json()]
    held = [store.hold_for_key(state, "7/3/1", "A1", "USD", Decimal("-4.26"), line, "TRUE_UP") for _ in range(2)]
    assert held == [1, None]
    assert [one.amount for one in store.held(state, "A1", "USD")] == [Decimal("-4.26")]
    assert store.held(state, "A1", "EUR") == []
