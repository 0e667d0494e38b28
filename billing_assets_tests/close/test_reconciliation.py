"""What the close calls a difference, on plain data."""

from decimal import Decimal
from typing import Any

from billing_assets.billing_system.totals import MonthTotal
from billing_assets.close.reconciliation import MonthClose, reconcile
from billing_assets.close.store import Posted, StagedTotal
from billing_assets.netsuite.month import MonthTransaction


def posted(number: str = "1", total: str = "10.00", **changes: Any) -> Posted:
    values: dict[str, Any] = {
        "external_id": f"INV-{number}",
        "kind": "invoice",
        "number": number,
        "branch": "France",
        "currency": "GBP",
        "total": Decimal(total),
        "netsuite_id": f"9{number}",
        "difference": None,
        "drift": None,
    }
    return Posted(**(values | changes))


def transaction(number: str = "1", total: str = "10.00", type_: str = "CustInvc") -> MonthTransaction:
    return MonthTransaction(f"9{number}", type_, Decimal(total))


def close(
    documents: list[Posted],
    in_netsuite: dict[str, MonthTransaction],
    *,
    billing: str | None = None,
    states: tuple[tuple[str, int, str], ...] = (),
) -> MonthClose:
    total = sum((one.total for one in documents), Decimal(0))
    staged = [StagedTotal("France", "GBP", "invoice", "posted", len(documents), total)] if documents else []
    staged += [StagedTotal("France", "GBP", "invoice", state, n, Decimal(money)) for state, n, money in states]
    seen = [one for one in staged if one.state != "gone"]
    source_total = Decimal(billing) if billing else sum((one.total for one in seen), Decimal(0))
    count = sum(one.documents for one in seen)
    source = [MonthTotal("France", "GBP", "invoice", "closed", count, source_total)] if seen else []
    return reconcile("2010-11", source, staged, documents, in_netsuite)


def words(found: MonthClose) -> list[str]:
    return [one.what for one in found.differences]


def test_a_month_that_agrees_everywhere_is_complete() -> None:
    found = close([posted("1"), posted("2", "0.01")], {"INV-1": transaction("1"), "INV-2": transaction("2", "0.01")})
    assert found.reconciled
    assert found.complete
    (row,) = found.rows
    assert row.billing == row.staged == row.posted == row.netsuite == (2, Decimal("10.01"))


def test_a_cent_more_in_netsuite_is_a_difference_although_another_document_has_a_cent_less() -> None:
    found = close(
        [posted("1"), posted("2")],
        {"INV-1": transaction("1", "10.01"), "INV-2": transaction("2", "9.99")},
    )
    assert all(row.agrees for row in found.rows), "the sums agree"
    assert not found.reconciled
    assert words(found) == ["NetSuite has total 10.01 instead of 10.00.", "NetSuite has total 9.99 instead of 10.00."]


def test_a_transaction_that_netsuite_does_not_show_is_a_difference() -> None:
    found = close([posted("1")], {})
    assert not found.reconciled
    assert "no such transaction" in words(found)[0]
    assert found.differences[0].number == "1"


def test_a_transaction_that_we_do_not_know_is_a_difference() -> None:
    found = close([], {"INV-7": transaction("7")})
    assert not found.reconciled
    assert "INV-7" in words(found)[0]
    assert "internal id 97" in words(found)[0]


def test_another_internal_id_or_type_is_a_difference() -> None:
    found = close([posted("1", netsuite_id="5")], {"INV-1": transaction("1", type_="CustCred")})
    assert words(found) == ["NetSuite has internal id 91 instead of 5, type CustCred."]


def test_what_the_read_back_found_and_what_drifted_are_differences() -> None:
    documents = [
        posted("1", difference="total 9.00 instead of 10.00"),
        posted("2", drift={"source_total": "11.00"}),
        posted("3", drift={"source_status": "missing"}),
    ]
    found = close(documents, {f"INV-{n}": transaction(str(n)) for n in (1, 2, 3)})
    assert words(found) == [
        "Read back from NetSuite: total 9.00 instead of 10.00.",
        "It changed in the billing system after it was posted: 10.00 then, 11.00 now.",
        "It disappeared from the billing system after it was posted.",
    ]


def test_what_is_not_staged_yet_is_a_difference_of_its_branch() -> None:
    found = close([posted("1")], {"INV-1": transaction("1")}, billing="12.50")
    (what,) = words(found)
    assert what.startswith("France GBP: the billing system has 1 documents over 12.50, staging 1 over 10.00")


def test_held_and_excluded_documents_are_kept_back_and_the_month_is_complete() -> None:
    found = close([posted("1")], {"INV-1": transaction("1")}, states=(("held", 2, "7"), ("excluded", 1, "0")))
    assert found.complete
    assert (found.rows[0].held, found.rows[0].excluded) == ((2, Decimal(7)), (1, Decimal(0)))


def test_documents_on_their_way_leave_the_month_incomplete_but_reconciled() -> None:
    for state in ("open", "ready", "batched", "locked", "posting", "rejected"):
        found = close([posted("1")], {"INV-1": transaction("1")}, states=((state, 1, "3.00"),))
        assert found.reconciled, state
        assert not found.complete, state
        assert found.in_flight == (1, Decimal("3.00"))


def test_a_document_that_is_gone_counts_nowhere() -> None:
    found = close([posted("1")], {"INV-1": transaction("1")}, states=(("gone", 1, "5"),))
    assert found.complete
    assert found.rows[0].staged == (1, Decimal("10.00"))


def test_credit_memos_are_negative_on_every_side() -> None:
    credit = posted("1", "-4.00", kind="credit_memo", external_id="CM-1")
    found = reconcile(
        "2010-11",
        [MonthTotal("France", "GBP", "credit_memo", "closed", 1, Decimal("-4.00"))],
        [StagedTotal("France", "GBP", "credit_memo", "posted", 1, Decimal("-4.00"))],
        [credit],
        {"CM-1": transaction("1", "4.00", "CustCred")},
    )
    assert found.complete
    assert found.rows[0].netsuite == (1, Decimal("-4.00"))
