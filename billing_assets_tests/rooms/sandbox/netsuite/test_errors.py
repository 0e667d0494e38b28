"""Each row of NetSuite's errors that a body or a path can bring about."""

from typing import Any

import pytest

from proving.world.account import Account, error, invoice, lines

ACCESSING = "Error while accessing a resource. "


@pytest.mark.parametrize("second", ["creditMemo", "invoice"])
def test_an_external_id_is_unique_over_all_types_and_in_any_case(account: Account, second: str) -> None:
    account.created(invoice("INV-1"))
    answer = account.create(invoice("inv-1"), second)
    assert error(answer) == (400, "USER_ERROR", f"{ACCESSING}This record already exists.", None)
    assert answer.json()["title"] == "Bad Request"


@pytest.mark.parametrize(
    ("changes", "field", "value", "path"),
    [
        ({"entity": {"id": "9999"}}, "entity", "9999", "entity"),
        ({"entity": {"externalId": "CUST-0"}}, "entity", "CUST-0", "entity"),
        ({"item": {"items": [{"item": {"id": 9999}, "amount": 1}]}}, "item", "9999", "item.items[0].item"),
        ({"subsidiary": {"id": "2"}}, "subsidiary", "2", "subsidiary"),
        ({"currency": {"externalId": "XXX"}}, "currency", "XXX", "currency"),
        ({"terms": {"id": "1"}}, "terms", "1", "terms"),
        ({"department": {"id": "1"}}, "department", "1", "department"),
        ({"class": {"id": "1"}}, "class", "1", "class"),
        ({"location": {"id": "1"}}, "location", "1", "location"),
        ({"postingPeriod": {"id": "9999"}}, "postingPeriod", "9999", "postingPeriod"),
        ({"tranDate": "05.11.2010"}, "tranDate", "05.11.2010", "tranDate"),
        ({"tranDate": "20101105"}, "tranDate", "20101105", "tranDate"),
    ],
)
def test_an_unknown_value_is_named_with_its_path(
    account: Account, changes: dict[str, Any], field: str, value: str, path: str
) -> None:
    detail = f"{ACCESSING}Invalid Field Value {value} for the following field: {field}"
    assert error(account.create(invoice(**changes))) == (400, "INVALID_CONTENT", detail, path)


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"entity": None}, "Customer"),
        ({"subsidiary": None}, "Subsidiary"),
        ({"item": {"items": []}}, "Items"),
        ({"item": None, "entity": None}, "Customer, Items"),
        ({"item": {"items": [{"item": {"id": "1"}}]}}, "Amount"),
        ({"item": {"items": [{"amount": 1}]}}, "Item"),
    ],
)
def test_missing_fields_are_asked_for(account: Account, changes: dict[str, Any], missing: str) -> None:
    detail = f"{ACCESSING}Please enter value(s) for: {missing}"
    assert error(account.create(invoice(**changes))) == (400, "USER_ERROR", detail, None)


@pytest.mark.parametrize("record_type", ["invoice", "creditMemo"])
def test_a_total_cannot_be_negative(account: Account, record_type: str) -> None:
    answer = account.create(invoice(item=lines(1, -1.01)), record_type)
    assert error(answer)[1:3] == ("USER_ERROR", f"{ACCESSING}The total can not be negative")
    account.created(invoice(item=lines(1, -1)), record_type)


def test_a_closed_period_takes_no_posting(account: Account) -> None:
    account.switch(closed_periods=["2010-11"])
    answer = account.create(invoice())
    assert error(answer)[:3] == (
        400,
        "USER_ERROR",
        f"{ACCESSING}No valid, open, posting period for date 2010-11-05.",
    )
    account.created(invoice(tranDate="2010-12-01"))
    assert "No valid, open" in error(account.create(invoice("INV-2", tranDate="1999-01-01")))[2]


def test_a_date_outside_the_named_period_is_refused(account: Account) -> None:
    december = account.get("/record/v1/accountingPeriod/eid:2010-12").json()["id"]
    answer = account.create(invoice(postingPeriod={"id": december}))
    assert "transaction date does not fall between" in error(answer)[2]


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"memo": "x" * 1000}, "memo"),
        ({"otherRefNum": "x" * 46}, "otherRefNum"),
        ({"externalId": "x" * 256}, "externalId"),
        (
            {"item": {"items": [{"item": {"id": "1"}, "amount": 1, "description": "x" * 1000}]}},
            "item.items[0].description",
        ),
    ],
)
def test_text_has_a_longest_length(account: Account, changes: dict[str, Any], path: str) -> None:
    answer = account.create({**invoice(), **changes})
    assert (error(answer)[1], error(answer)[3]) == ("USER_ERROR", path)


@pytest.mark.parametrize("quantity", [10**10, -(10**10), "0.1234567890123456", "a", True, "NaN"])
def test_numbers_have_limits(account: Account, quantity: object) -> None:
    body = invoice(item={"items": [{"item": {"id": "1"}, "quantity": quantity, "amount": 1}]})
    assert error(account.create(body))[1::2] == ("INVALID_CONTENT", "item.items[0].quantity")


def test_property_names_are_checked_as_the_header_says(account: Account) -> None:
    body = invoice(memmo="x", custbody_unknown="x")
    body["item"]["items"][1]["qty"] = 3
    strict = account.create(body, X_NetSuite_PropertyNameValidation="Error")
    assert (error(strict)[0], error(strict)[1]) == (400, "INVALID_CONTENT")
    assert error(strict)[3] in {"memmo", "custbody_unknown"}
    line = invoice()
    line["item"]["items"][1]["qty"] = 3
    assert error(account.create(line, X_NetSuite_PropertyNameValidation="error"))[3] == "item.items[1].qty"
    warned = account.create(body)
    assert warned.status_code == 204
    assert "custbody_unknown, item.items[1].qty, memmo" in warned.headers["Warning"]
    ignored = account.create({**body, "externalId": "INV-2"}, X_NetSuite_PropertyNameValidation="Ignore")
    assert (ignored.status_code, "Warning" in ignored.headers) == (204, False)
    assert "custbody_unknown" not in account.show("invoice/eid:INV-1")
    assert account.create(invoice("INV-3"), X_NetSuite_PropertyNameValidation="maybe").status_code == 400


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"memo": NaN}', b'{"memo": "\\ud800"}', b"\xff"])
def test_a_body_that_is_no_json_object_is_refused(account: Account, content: bytes) -> None:
    answer = account.session.post(f"{account.base_url}/services/rest/record/v1/invoice", data=content, timeout=30)
    assert error(answer)[:2] == (400, "INVALID_CONTENT")


def test_what_does_not_exist_is_404(account: Account) -> None:
    account.created(invoice())
    for path in ("invoice/99", "invoice/eid:NO", "creditMemo/1", "invoice/x"):
        assert error(account.get(f"/record/v1/{path}"))[:2] == (404, "NONEXISTENT_ID")
    assert account.create(invoice(), "purchaseOrder").status_code == 404


def test_references_may_not_collide_when_case_is_ignored(account: Account) -> None:
    answer = account.seed({"item": [{"id": "901", "externalId": "Item-1"}]})
    assert answer.status_code == 400
    assert "Item-1 belongs to 1" in answer.json()["error"]
    assert account.seed({"nonsense": []}).status_code == 400
    assert account.seed({"item": [{"id": "901", "extra": 1}]}).status_code == 400
    assert account.seed({"item": []}).status_code == 200
