"""Whatever is on an invoice: its cancel takes it to 0.00, each line and each tax, and staging gets both to the cent."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Json

from billing_assets.erp.documents.documents import Line
from billing_assets.erp.documents.validation_rules import Policy, validate
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.shipped import shipped
from billing_assets.invoicing.invoices import mirror_store
from proving.world.builders import document

LINES = shipped("sql/source/invoicing/lines.sql").read_text(encoding="utf-8")
DOCUMENTS = shipped("sql/source/invoicing/documents.sql").read_text(encoding="utf-8")

amounts = st.decimals(-99999, 99999, places=2)
quantities = st.decimals(-99999, 99999, places=3)
prices = st.one_of(st.none(), st.decimals(0, 10, places=6))
lines = st.tuples(quantities, prices, st.sampled_from([Decimal(1), Decimal(100), Decimal(1000)]), amounts)
taxes = st.tuples(amounts, amounts, st.booleans())


@pytest.fixture
def correction(state: Connection) -> int:
    """A correction to make cancels for."""
    with state.transaction():
        row = state.execute(
            "insert into billing.invoice_corrections (original, reason) values (%s, 'x') returning id",
            [issued(state, [], [])],
        ).fetchone()
    assert row is not None
    return int(row["id"])


def issued(state: Connection, of: list[Any], taxed: list[Any]) -> int:
    """An issued invoice with these lines and taxes. Where a line's quantity times its price is nearly its amount, that
    is so by its price."""
    inside = sum((amount for _, amount, is_inside in taxed if is_inside), Decimal(0))
    net = sum((amount for *_, amount in of), Decimal(0)) - inside
    tax = sum((amount for _, amount, _ in taxed), Decimal(0))
    (row,) = state.execute(
        """
        insert into billing.utility_invoices (account, bill_group, issuer, currency, source, period_start, period_end,
            rated, net, tax, total, amount_due, state, number, issued_at, invoice_date, due_date)
        values ('A1', 'G1', 'ACME', 'USD', 'manual', '2026-06-03', '2026-07-02', '{}', %(net)s, %(tax)s, %(total)s,
            %(total)s, 'issued', 'N' || (select count(*) from billing.utility_invoices), now(), '2026-08-10',
            '2026-08-26') returning id""",
        {"net": net, "tax": tax, "total": net + tax},
    ).fetchall()
    for place, (quantity, price, base, amount) in enumerate(of, 1):
        state.execute(
            """
            insert into billing.utility_invoice_lines (invoice, position, code, bill_text, period_start, period_end,
                quantity, unit, price, price_base, amount, detail)
            values (%s, %s, 'energy', 'Energy', '2026-06-03', '2026-07-02', %s, 'kWh', %s, %s, %s, %s)""",
            [row["id"], place, quantity, price, base, amount, Json({})],
        )
    for place, (basis, amount, is_inside) in enumerate(taxed, 1):
        state.execute(
            """
            insert into billing.utility_invoice_taxes (invoice, position, code, rate, base, amount, is_inside)
            values (%s, %s, 'sales', 0.1, %s, %s, %s)""",
            [row["id"], place, basis, amount, is_inside],
        )
    return int(row["id"])


def priced(of: tuple[Decimal, Decimal | None, Decimal, Decimal]) -> tuple[Decimal, Decimal | None, Decimal, Decimal]:
    """The same line with the amount that its price makes."""
    quantity, price, base, _ = of
    return quantity, price, base, (quantity * (price or 0) / base).quantize(Decimal("0.01"))


def handed_over(state: Connection, query: str, invoice: int) -> list[dict[str, Any]]:
    """What staging reads of a document."""
    return state.execute(f"select * from ({query}) as q where document_id = {invoice:d}".encode()).fetchall()  # noqa: S608


def as_staged(state: Connection, invoice: int) -> Any:
    """A document as staging judges it."""
    (header,) = handed_over(state, DOCUMENTS, invoice)
    rows = sorted(handed_over(state, LINES, invoice), key=lambda row: row["line_no"])
    assert [row["line_no"] for row in rows] == list(range(1, len(rows) + 1))
    named = ("line_no", "item", "description", "quantity", "unit_price", "amount", "tax_code", "tax_rate", "tax_amount")
    each = tuple(Line(**{name: row[name] for name in named}, extra={}) for row in rows)
    return document(
        header["number"], kind=header["kind"], total=header["total"], lines=each, applies_to=header["applies_to"]
    )


@given(st.lists(st.one_of(lines, lines.map(priced)), min_size=1, max_size=5), st.lists(taxes, max_size=3))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_cancel_takes_its_invoice_to_nothing_and_both_are_staged_as_they_are(
    state: Connection, correction: int, of: list[Any], taxed: list[Any]
) -> None:
    for invoice, cancel in cancelled_in_peace(state, correction, of, taxed):
        left = state.execute(
            """
            select l.position, sum(amount), sum(quantity) from billing.utility_invoice_lines as l
            where invoice in (%(i)s, %(c)s) group by 1 having sum(amount) <> 0 or sum(quantity) <> 0 or count(*) <> 2
            union all
            select t.position, sum(amount), sum(base) from billing.utility_invoice_taxes as t
            where invoice in (%(i)s, %(c)s) group by 1 having sum(amount) <> 0 or sum(base) <> 0 or count(*) <> 2""",
            {"i": invoice, "c": cancel},
        ).fetchall()
        assert left == []
        first, second = as_staged(state, invoice), as_staged(state, cancel)
        assert first.total + second.total == 0
        assert [one.amount + other.amount for one, other in zip(first.lines, second.lines, strict=True)] == [0] * len(
            first.lines
        )
        for one in (first, second):
            found = {finding.code for finding in validate(one, Policy({"GBP": 2}), lambda _: [])}
            assert found <= {"ZERO_TOTAL"}, "an invoice or credit memo that a ledger takes"
        if first.total > 0:
            assert second.applies_to == first.number


def cancelled_in_peace(
    state: Connection, correction: int, of: list[Any], taxed: list[Any]
) -> Iterator[tuple[int, int]]:
    """An invoice and its cancel, which the database takes, and nothing of both afterwards."""
    with state.transaction(force_rollback=True):
        invoice = issued(state, of, taxed)
        cancel = mirror_store.write_cancel(state, invoice, correction, None, source="manual", deliver=True)
        assert cancel is not None
        state.execute("set constraints all immediate")
        state.execute(
            "update billing.utility_invoices set state = 'issued', number = 'C1', issued_at = now(), "
            "invoice_date = '2026-08-10', due_date = '2026-08-26' where id = %s",
            [cancel],
        )
        yield invoice, cancel


def test_a_cent_beside_the_mirror_is_refused(state: Connection, correction: int) -> None:
    state.execute("alter table billing.utility_invoice_taxes disable trigger append_only")
    with state.transaction(force_rollback=True):
        invoice = issued(
            state, [(Decimal(1), None, Decimal(1), Decimal("2.00"))], [(Decimal(2), Decimal("0.20"), False)]
        )
        cancel = mirror_store.write_cancel(state, invoice, correction, None, source="manual", deliver=True)
        state.execute("update billing.utility_invoice_taxes set base = base + 0.01 where invoice = %s", [cancel])
        with pytest.raises(psycopg.errors.CheckViolation, match="with the opposite sign"):
            state.execute("set constraints billing.cancel_mirrors immediate")
