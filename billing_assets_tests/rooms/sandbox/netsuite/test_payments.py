"""Customer payments, open balances, voiding and deleting."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest
import requests

from billing_assets.sandbox.netsuite.process import start_sandbox
from proving.world.account import REFERENCES, Account, error, invoice, lines, log_in

SETTLED = (
    "SELECT type, externalid, foreigntotal, foreignamountpaid, foreignamountunpaid, foreignpaymentamountused, "
    "foreignpaymentamountunused, status, voided, closedate FROM transaction ORDER BY id"
)


def payment(amount: float | str, *applied: tuple[str, float | None], **changes: Any) -> dict[str, Any]:
    """A good body; `applied` are external ids of invoices and amounts."""
    items = [
        {"doc": {"externalId": doc}, "apply": True, **({} if part is None else {"amount": part})}
        for doc, part in applied
    ]
    body = {
        "externalId": "PAY-1",
        "customer": {"externalId": "CUST-17850"},
        "subsidiary": {"id": "1"},
        "currency": {"externalId": "GBP"},
        "tranDate": "2010-12-01",
        "payment": amount,
        "apply": {"items": items},
        **changes,
    }
    return {name: value for name, value in body.items() if value is not None}


@pytest.fixture
def two(account: Account) -> Account:
    """Invoices of 20.40 and 7 pounds of one customer."""
    account.created(invoice("INV-1"))
    account.created(invoice("INV-2", item=lines(7)))
    return account


def _rows(account: Account) -> dict[str, dict[str, str]]:
    return {row["externalid"]: row for row in account.rows(SETTLED)}


def _void(account: Account, record_type: str, reference: str) -> requests.Response:
    body = {"type": record_type, "id": reference}
    return requests.post(f"{account.base_url}/sandbox/void", json=body, timeout=30)


def _load(account: Account, *payments: dict[str, Any]) -> requests.Response:
    return requests.post(f"{account.base_url}/sandbox/payments", json={"payments": list(payments)}, timeout=30)


def test_a_payment_settles_what_it_is_applied_to_and_keeps_the_rest(two: Account) -> None:
    two.created(payment(25, ("INV-1", 20.4), ("INV-2", 3)), "customerPayment")
    assert two.rows(SETTLED) == [
        {
            "type": "CustInvc",
            "externalid": "INV-1",
            "foreigntotal": "20.4",
            "foreignamountpaid": "20.4",
            "foreignamountunpaid": "0",
            "status": "B",
            "voided": "F",
            "closedate": "2010-12-01",
        },
        {
            "type": "CustInvc",
            "externalid": "INV-2",
            "foreigntotal": "7",
            "foreignamountpaid": "3",
            "foreignamountunpaid": "4",
            "status": "A",
            "voided": "F",
        },
        {
            "type": "CustPymt",
            "externalid": "PAY-1",
            "foreigntotal": "25",
            "foreignpaymentamountused": "23.4",
            "foreignpaymentamountunused": "1.6",
            "status": "C",
            "voided": "F",
        },
    ]
    shown = two.show("customerPayment/eid:PAY-1")
    assert (shown["payment"], shown["applied"], shown["unapplied"]) == (25, 23.4, 1.6)
    assert (shown["customer"]["refName"], shown["status"]["id"], shown["tranId"]) == (
        "Rose Hall",
        "Deposited",
        "PYMT0000001",
    )
    assert two.show("invoice/eid:INV-1")["status"]["id"] == "Paid In Full"
    assert two.admin("summary")["customerPayment"] == {"count": 1, "total": "25.00"}


def test_a_payment_and_a_credit_memo_share_what_is_open(two: Account) -> None:
    two.created(
        invoice("CM-1", item=lines(5), apply=payment(0, ("INV-2", None))["apply"]), "creditMemo"
    )  # takes 5 of 7
    two.created(payment(10, ("INV-2", None)), "customerPayment")  # takes the 2 that are left
    rows = _rows(two)
    assert (rows["INV-2"]["foreignamountpaid"], rows["INV-2"]["foreignamountunpaid"]) == ("7", "0")
    assert (rows["CM-1"]["foreigntotal"], rows["CM-1"]["foreignpaymentamountunused"]) == ("-5", "0")
    assert rows["PAY-1"]["foreignpaymentamountunused"] == "8"
    open_ = two.rows(
        "SELECT externalid FROM transaction WHERE foreignamountunpaid > 0 OR foreignpaymentamountunused > 0"
    )
    assert [row["externalid"] for row in open_] == ["INV-1", "PAY-1"]


@pytest.mark.parametrize(
    ("body", "code", "path"),
    [
        (payment(30, ("INV-1", 20.41)), "USER_ERROR", "apply.items[0].amount"),
        (payment(5, ("INV-1", 5.01)), "USER_ERROR", "apply.items[0].amount"),
        (payment(5, ("INV-1", 1), ("INV-1", 1)), "INVALID_CONTENT", "apply.items[1].doc"),
        (payment(5, ("INV-1", 1), customer={"id": "13047"}), "INVALID_CONTENT", "apply.items[0].doc"),
        (payment(5, ("INV-1", 1), currency={"externalId": "EUR"}), "INVALID_CONTENT", "apply.items[0].doc"),
        (payment(5, ("INV-9", 1)), "INVALID_CONTENT", "apply.items[0].doc"),
        (payment(-1), "USER_ERROR", "payment"),
        (payment(5, payment=None), "USER_ERROR", None),
        (payment(5, entity={"id": "17850"}), "INVALID_CONTENT", "entity"),
        (payment(5, externalId="inv-1"), "USER_ERROR", None),
    ],
)
def test_a_payment_that_cannot_be_is_refused(two: Account, body: dict[str, Any], code: str, path: str | None) -> None:
    answer = two.create(body, "customerPayment", X_NetSuite_PropertyNameValidation="Error")
    assert error(answer)[1::2] == (code, path), answer.text
    assert [row["foreignamountunpaid"] for row in two.rows(SETTLED)] == ["20.4", "7"]


def test_deleting_a_payment_opens_its_invoices_again(two: Account) -> None:
    two.created(payment(25, ("INV-1", None)), "customerPayment")
    url = f"{two.base_url}/services/rest/record/v1"
    assert error(two.session.delete(f"{url}/invoice/eid:INV-1", timeout=30))[1] == "USER_ERROR"
    assert two.session.delete(f"{url}/customerPayment/eid:PAY-1", timeout=30).status_code == 204
    assert _rows(two)["INV-1"]["foreignamountunpaid"] == "20.4"
    assert two.session.delete(f"{url}/invoice/eid:INV-1", timeout=30).status_code == 204
    assert list(_rows(two)) == ["INV-2"]
    assert two.session.delete(f"{url}/invoice/eid:INV-1", timeout=30).status_code == 404
    assert two.rows("SELECT transaction FROM transactionline WHERE transaction = 1") == []
    two.created(invoice("INV-1"))


def test_a_changed_payment_settles_anew(two: Account) -> None:
    two.created(payment(25, ("INV-1", None)), "customerPayment")
    url = f"{two.base_url}/services/rest/record/v1/customerPayment/eid:PAY-1?replace=apply"
    change = {"payment": 3, "apply": payment(3, ("INV-2", None))["apply"]}
    assert two.session.patch(url, json=change, timeout=30).status_code == 204
    assert [row.get("foreignamountunpaid") for row in two.rows(SETTLED)] == ["20.4", "4", None]


def test_voiding_sets_the_total_to_zero_and_keeps_the_record(two: Account) -> None:
    two.created(payment(25, ("INV-1", None)), "customerPayment")
    assert _void(two, "invoice", "eid:INV-1").status_code == 400, "a payment is applied to it"
    assert _void(two, "customerPayment", "eid:PAY-1").status_code == 204
    assert _void(two, "invoice", "eid:INV-1").status_code == 204
    assert _void(two, "invoice", "eid:INV-1").status_code == 400
    assert _void(two, "invoice", "eid:INV-9").status_code == 400
    rows = _rows(two)
    assert [(name, row["foreigntotal"], row["status"], row["voided"]) for name, row in rows.items()] == [
        ("INV-1", "0", "V", "T"),
        ("INV-2", "7", "A", "F"),
        ("PAY-1", "0", "V", "T"),
    ]
    shown = two.show("invoice/eid:INV-1")
    assert (shown["total"], shown["memo"], shown["status"]["id"]) == (0, "VOID", "Voided")
    assert [line["amount"] for line in shown["item"]["items"]] == [0, 0]
    url = f"{two.base_url}/services/rest/record/v1/invoice/eid:INV-1"
    assert error(two.session.patch(url, json={"memo": "x"}, timeout=30))[1] == "USER_ERROR"
    assert two.create(invoice("INV-1")).status_code == 400, "the external id stays taken"


def test_an_invoice_cannot_become_smaller_than_what_was_paid(two: Account) -> None:
    two.created(payment(20, ("INV-1", None)), "customerPayment")
    url = f"{two.base_url}/services/rest/record/v1/invoice/eid:INV-1?replace=item"
    assert error(two.session.patch(url, json={"item": lines(19.99)}, timeout=30))[1] == "USER_ERROR"
    assert two.session.patch(url, json={"item": lines(20)}, timeout=30).status_code == 204
    assert _rows(two)["INV-1"]["foreignamountunpaid"] == "0"


def test_many_payments_are_loaded_in_one_call_and_again(two: Account) -> None:
    bodies = [payment(1, ("INV-1", 1), externalId=f"PAY-{n}") for n in range(20)]
    assert _load(two, *bodies[:10]).json() == {"created": 10, "known": 0}
    assert _load(two, *bodies).json() == {"created": 10, "known": 10}
    assert _rows(two)["INV-1"]["foreignamountunpaid"] == "0.4"
    refused = _load(two, payment(2, externalId="A"), payment(1, ("INV-1", 1), externalId="B"))
    assert (refused.status_code, refused.json()["error"][:10]) == (400, "payment 2:")
    assert refused.json()["error"].split("; ")[-1] == "1 before it were saved"


def test_the_state_of_an_older_sandbox_is_taken_over(tmp_path: Path) -> None:
    with start_sandbox(tmp_path) as sandbox:
        account = log_in(sandbox.base_url, sandbox.credentials)
        account.seed(REFERENCES)
        account.created(invoice("INV-1"))
        account.created(invoice("CM-1", item=lines(5), apply=payment(0, ("INV-1", None))["apply"]), "creditMemo")
        account.created(payment(3, ("INV-1", None)), "customerPayment")
        last = account.created(invoice("INV-2"))
        assert account.session.delete(f"{account.base_url}/services/rest/record/v1/invoice/{last}").status_code == 204
    with sqlite3.connect(tmp_path / "netsuite.sqlite3") as file:  # as it was before there were payments
        file.execute("ALTER TABLE record DROP COLUMN applied_e4")
        file.execute("ALTER TABLE record DROP COLUMN voided")
    with start_sandbox(tmp_path) as sandbox:
        account = log_in(sandbox.base_url, sandbox.credentials)
        rows = _rows(account)
        assert account.created(invoice("INV-2")) == str(int(last) + 1), "an internal id is never given twice"
    assert (rows["INV-1"]["foreignamountunpaid"], rows["CM-1"]["foreignpaymentamountunused"]) == ("12.4", "0")
    assert rows["PAY-1"]["foreignpaymentamountused"] == "3"
