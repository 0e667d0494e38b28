"""What a person corrects: a cancel is the invoice with the opposite sign, and its days may be billed again."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from billing_assets.foundation.database.connection import Connection
from billing_assets.invoicing.corrections import asking
from billing_assets.invoicing.corrections.asking import CorrectionError
from billing_assets.invoicing.corrections.states import TRANSITIONS, Outcome
from billing_assets.invoicing.invoices import mirror_store
from billing_assets.invoicing.invoices.engine import rate_case
from billing_assets.invoicing.tariffs import store as tariffs
from billing_assets_tests.rooms.invoicing.customers import CUT_OFF, JULY, customers, metered
from billing_assets_tests.rooms.invoicing.invoices.test_invoices import billed, cancelled

SAID = ("Mara", "Wrong price")


@pytest.fixture
def number(state: Connection, state_url: str, tmp_path: Path) -> str:
    """An issued invoice of 1,001 kWh."""
    customers(state, tmp_path, 1)
    metered(state, 1, amount=1001)
    (issued,) = billed(state, state_url)[1]
    return issued


def documents(state: Connection) -> list[tuple[str, str, str, Decimal]]:
    rows = state.execute(
        "select number, kind, state, total from billing.utility_invoices where number is not null order by sequence"
    ).fetchall()
    return [(row["number"], row["kind"], row["state"], row["total"]) for row in rows]


def left(state: Connection) -> list[dict[str, Any]]:
    """What is not 0.00 of cancels and what they cancel, by line and by tax."""
    return state.execute(
        """
        select c.id, l.position, l.code, sum(l.amount), sum(l.quantity) from billing.utility_invoices as c
        join billing.utility_invoice_lines as l on l.invoice in (c.id, c.cancels) where c.kind = 'cancel'
        group by 1, 2, 3 having sum(l.amount) <> 0 or sum(l.quantity) <> 0 or count(*) <> 2
        union all
        select c.id, t.position, t.code, sum(t.amount), sum(t.base) from billing.utility_invoices as c
        join billing.utility_invoice_taxes as t on t.invoice in (c.id, c.cancels) where c.kind = 'cancel'
        group by 1, 2, 3 having sum(t.amount) <> 0 or sum(t.base) <> 0 or count(*) <> 2"""
    ).fetchall()


def test_the_moves_in_the_database_are_those_of_the_code(state: Connection) -> None:
    rows = state.execute(
        "select old_state, new_state from billing.invoicing_transitions where subject = 'correction'"
    ).fetchall()
    ours = {(str(old), str(new)) for old, targets in TRANSITIONS.items() for new in targets}
    assert {tuple(row.values()) for row in rows} == ours


def test_a_cancel_mirrors_its_invoice_and_has_a_number_of_its_own(state: Connection, number: str) -> None:
    done = asking.cancel(state, number, *SAID, CUT_OFF)
    assert (done.outcome, done.numbers) == (Outcome.CANCELLED, ("ACME2600000002",))
    assert documents(state) == [
        (number, "invoice", "cancelled", Decimal("275.28")),
        ("ACME2600000002", "cancel", "issued", Decimal("-275.28")),
    ]
    assert left(state) == []
    (row,) = state.execute(
        "select deliver, cancels is not null as named, d.decided_by from billing.utility_invoices as i "
        "join billing.invoice_corrections as c on c.id = i.correction join billing.decisions as d on d.id = c.decision"
    ).fetchall()
    assert tuple(row.values()) == (True, True, "Mara"), "alone, the customer gets it"


def test_a_rebill_is_issued_with_the_cancel_under_one_correction_and_names_its_predecessor(
    state: Connection, number: str
) -> None:
    done = asking.rebill(state, number, *SAID, rate_case, CUT_OFF)
    assert (done.outcome, done.numbers, done.change) == (
        Outcome.REBILLED,
        ("ACME2600000002", "ACME2600000003"),
        Decimal(0),
    )
    assert [one[1:3] for one in documents(state)] == [
        ("invoice", "rebilled"),
        ("cancel", "issued"),
        ("invoice", "issued"),
    ]
    (row,) = state.execute(
        """
        select p.number, c.deliver, r.deliver as rebill, c.correction = r.correction as shared, r.invoice_date
        from billing.utility_invoices as r join billing.utility_invoices as p on p.id = r.replaces
        join billing.utility_invoices as c on c.cancels = p.id"""
    ).fetchall()
    assert tuple(row.values()) == (number, False, True, True, CUT_OFF), "the rebill explains both"
    assert left(state) == []


def test_a_chain_of_rebills_has_no_end(state: Connection, number: str) -> None:
    for _ in range(3):
        number = asking.rebill(state, number, *SAID, rate_case, CUT_OFF).numbers[1]
    assert [one[2] for one in documents(state)] == ["rebilled", "issued"] * 3 + ["issued"]
    rows = state.execute("select count(*) as live from billing.invoiced_usage where is_live").fetchall()
    assert rows[0]["live"] == 1, "a day is on one live invoice"


def test_what_was_cancelled_alone_is_rebilled_later(state: Connection, number: str) -> None:
    asking.cancel(state, number, *SAID, CUT_OFF)
    done = asking.rebill(state, number, "Ben", "The price is right now", rate_case, CUT_OFF)
    assert done.numbers == ("ACME2600000003",)
    assert [one[1:3] for one in documents(state)] == [
        ("invoice", "rebilled"),
        ("cancel", "issued"),
        ("invoice", "issued"),
    ]


def test_a_rebill_has_the_prices_of_its_predecessor_unless_told_otherwise(state: Connection, number: str) -> None:
    another_price(state, "0.30")
    first = asking.rebill(state, number, *SAID, rate_case, CUT_OFF)
    assert first.change == 0
    second = asking.rebill(state, first.numbers[1], *SAID, rate_case, CUT_OFF, original_prices=False)
    assert second.change == Decimal("55.05"), "1,001 kWh for 0.05 more, and the tax"


def another_price(state: Connection, price: str) -> None:
    """A second version of the tariff is approved."""
    charge = {"code": "energy", "kind": "usage", "versions": [{"valid_from": "2026-01-01", "price": price}]}
    tax = {
        "code": "sales",
        "kind": "tax",
        "applies_to": {"groups": ["energy"]},
        "versions": [{"valid_from": "2026-01-01", "rate": "0.10"}],
    }
    content = {"code": "FLAT", "currency": "USD", "charges": [charge, tax]}
    file = tariffs.FileOf("other.json", "json", b"g" * 32)
    loaded = tariffs.load(state, content, price.encode().ljust(32), [], file, "Mara", "New")
    tariffs.approve(state, "FLAT", loaded.number, "Ben", "Compared with the contract")


def test_what_cannot_be_rated_leaves_the_invoice_as_it_is_and_says_why(state: Connection, number: str) -> None:
    def fails(case: dict[str, Any]) -> dict[str, Any]:
        finding = {"code": "PRICE_MISSING", "severity": "error", "sentence": "3 prices are missing."}
        return {"lines": None, "taxes": None, "net": None, "tax": None, "total": None, "findings": [finding]}

    done = asking.rebill(state, number, *SAID, fails, CUT_OFF)
    assert (done.outcome, done.code, done.why) == (None, "RATING_ERROR", "PRICE_MISSING: 3 prices are missing.")
    assert [one[2] for one in documents(state)] == ["issued"]
    assert asking.rebill(state, number, *SAID, rate_case, CUT_OFF).numbers == ("ACME2600000002", "ACME2600000003")


def test_an_invoice_is_cancelled_once_and_what_never_was_issued_not_at_all(state: Connection, number: str) -> None:
    asking.cancel(state, number, *SAID, CUT_OFF)
    with pytest.raises(CorrectionError, match="is cancelled: only what is issued is cancelled"):
        asking.cancel(state, number, *SAID, CUT_OFF)
    with pytest.raises(CorrectionError, match="There is no invoice ACME2600000009"):
        asking.cancel(state, "ACME2600000009", *SAID, CUT_OFF)
    asking.rebill(state, number, *SAID, rate_case, CUT_OFF)
    with pytest.raises(CorrectionError, match="is rebilled: correct the one that replaced it"):
        asking.rebill(state, number, *SAID, rate_case, CUT_OFF)


def test_nothing_is_billed_again_from_usage_that_the_utility_cancelled(state: Connection, number: str) -> None:
    cancelled(state, 1)
    with pytest.raises(CorrectionError, match="is restated, and nothing took its place"):
        asking.rebill(state, number, *SAID, rate_case, CUT_OFF)
    assert asking.cancel(state, number, *SAID, CUT_OFF).outcome is Outcome.CANCELLED


def test_the_next_month_is_billed_after_a_correction_as_ever(state: Connection, state_url: str, number: str) -> None:
    asking.rebill(state, number, *SAID, rate_case, CUT_OFF)
    metered(state, 1, period=JULY)
    assert billed(state, state_url)[1] == ("ACME2600000004",)


@pytest.mark.parametrize(
    "statement",
    [
        "update billing.utility_invoice_lines set amount = amount + 0.01 where invoice = %(cancel)s",
        "insert into billing.utility_invoice_lines select %(cancel)s, 9, code, bill_text, point, period_start, "
        "period_end, 0, unit, price, price_base, 0, tax_category, is_estimated, detail "
        "from billing.utility_invoice_lines where invoice = %(cancel)s",
    ],
    ids=["another amount", "a line more"],
)
def test_the_database_refuses_a_cancel_that_is_no_mirror(state: Connection, number: str, statement: str) -> None:
    state.execute("alter table billing.utility_invoice_lines disable trigger append_only")
    state.execute(
        "insert into billing.invoice_corrections (original, reason) select id, 'x' from billing.utility_invoices"
    )
    with pytest.raises(psycopg.errors.CheckViolation, match="with the opposite sign"):
        wrong_cancel(state, statement)


def wrong_cancel(state: Connection, statement: str) -> None:
    (row,) = state.execute(
        "select i.id, i.batch, c.id as correction from billing.utility_invoices as i, billing.invoice_corrections as c"
    ).fetchall()
    with state.transaction():
        cancel = mirror_store.write_cancel(
            state, row["id"], row["correction"], row["batch"], source="manual", deliver=True
        )
        state.execute("set constraints billing.header_equals_lines immediate")
        state.execute(statement, {"cancel": cancel})
