"""Creating, reading, updating and transforming invoices and credit memos."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from proving.world.account import Account, error, invoice, lines


def test_a_created_invoice_is_answered_with_its_location_and_read_back_whole(account: Account) -> None:
    body = invoice(memo="<&\"'> £ 🏮", dueDate="2010-12-05", terms={"id": "2"}, otherRefNum="PO 7", exchangeRate=1.25)
    body |= {"class": {"id": "5"}, "custbody_batch": "2010-11-0042"}
    body["item"]["items"][0] |= {"department": {"id": "3"}, "custcol_meter": "M1"}
    answer = account.create(body, "InVoIcE")
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["Location"] == f"{account.base_url}/services/rest/record/v1/invoice/1"
    shown = account.show("invoice/eid:inv-1")
    assert (shown["id"], shown["tranId"], shown["externalId"]) == ("1", "INV0000001", "INV-1")
    assert (shown["total"], shown["subtotal"], shown["amountRemaining"]) == (20.4, 20.4, 20.4)
    assert (shown["memo"], shown["otherRefNum"], shown["exchangeRate"]) == ("<&\"'> £ 🏮", "PO 7", 1.25)
    assert (shown["tranDate"], shown["dueDate"]) == ("2010-11-05", "2010-12-05")
    names = {name: shown[name]["refName"] for name in ("entity", "subsidiary", "currency", "terms", "class")}
    assert names == {
        "entity": "Rose Hall",
        "subsidiary": "United Kingdom",
        "currency": "GBP",
        "terms": "Net 30",
        "class": "Gifts",
    }
    assert (shown["postingPeriod"]["refName"], shown["custbody_batch"]) == ("Nov 2010", "2010-11-0042")
    first, second = shown["item"]["items"]
    assert (first["line"], first["amount"], first["quantity"], first["custcol_meter"]) == (1, 15.3, 6, "M1")
    assert (first["department"]["id"], second["description"], second["amount"]) == ("3", "lantern", 5.1)
    assert "location" not in shown, "null fields are left out"
    assert "items" not in account.get("/record/v1/invoice/1").json()["item"], "sublists are links unless expanded"
    assert account.get("/record/v1/invoice/1/item").json()["totalResults"] == 2


def test_amounts_are_rounded_per_line_to_the_currency_s_minor_unit(account: Account) -> None:
    body = invoice(item={"items": [{"item": {"id": "1"}, "quantity": 3, "rate": 0.335}, *lines("0.1", 0.2)["items"]]})
    assert account.show(f"invoice/{account.created(body)}")["total"] == 1.31  # 1.005 → 1.01
    body = invoice("INV-2", currency={"externalId": "JPY"}, item=lines(10.5, 1))
    assert account.show(f"invoice/{account.created(body)}")["total"] == 12
    assert account.admin("summary")["invoice"] == {"count": 2, "total": "13.31"}


def test_tax_details_add_to_the_total(account: Account) -> None:
    body = invoice(taxDetailsOverride=True)
    body["item"]["items"][0]["taxDetailsReference"] = "line-1"
    detail = {"taxDetailsReference": "line-1", "taxType": {"id": "9"}, "taxCode": {"id": "8"}}
    body["taxDetails"] = {"items": [{**detail, "taxRate": 20, "taxBasis": 15.3, "taxAmount": 3.06}]}
    shown = account.show(f"invoice/{account.created(body)}")
    assert (shown["subtotal"], shown["taxTotal"], shown["total"]) == (20.4, 3.06, 23.46)


def test_a_credit_memo_takes_only_what_remains_open_on_the_invoice(account: Account) -> None:
    inv = account.created(invoice())
    apply = {"items": [{"doc": {"id": inv}, "apply": True, "amount": 15}]}
    first = account.created(invoice("CM-1", item=lines(15), apply=apply), "creditMemo")
    assert account.show(f"creditMemo/{first}")["status"] == {"id": "Fully Applied", "refName": "Fully Applied"}
    assert account.show(f"invoice/{inv}")["amountRemaining"] == 5.4
    too_much = {"items": [{"doc": {"id": inv}, "apply": True, "amount": 5.41}]}
    answer = account.create(invoice("CM-2", item=lines(10), apply=too_much), "creditMemo")
    assert error(answer)[:2] + error(answer)[3:] == (400, "USER_ERROR", "apply.items[0].amount")
    other = invoice("CM-3", entity={"id": "13047"}, item=lines(1), apply=apply)
    assert error(account.create(other, "creditMemo"))[1::2] == ("INVALID_CONTENT", "apply.items[0].doc")
    rest = {"items": [{"doc": {"externalId": "inv-1"}, "apply": True}]}
    account.created(invoice("CM-4", item=lines(10), apply=rest), "creditMemo")
    assert account.show("creditMemo/eid:CM-4")["unapplied"] == 4.6
    assert account.show(f"invoice/{inv}")["status"]["id"] == "Paid In Full"


def test_an_invoice_is_transformed_into_a_credit_memo_that_is_applied_to_it(account: Account) -> None:
    account.created(invoice())
    answer = account.post("/record/v1/invoice/eid:INV-1/!transform/creditMemo", {"externalId": "CM-1"})
    assert answer.status_code == 204, answer.text
    memo = account.show("creditMemo/eid:CM-1")
    assert (memo["total"], memo["unapplied"], memo["tranId"]) == (20.4, 0, "CM0000001")
    assert account.show("invoice/eid:INV-1")["amountRemaining"] == 0


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_an_update_adds_lines_unless_told_to_replace_them(account: Account, method: str) -> None:
    url = f"{account.base_url}/services/rest/record/v1/invoice/{account.created(invoice())}"
    body: dict[str, Any] = {"memo": "again", "item": lines(1, 2)}
    assert account.session.request(method, url, json=body, timeout=30).status_code == 204
    shown = account.show("invoice/eid:INV-1")
    assert ([line["amount"] for line in shown["item"]["items"]], shown["memo"]) == ([15.3, 5.1, 1, 2], "again")
    body = {"memo": None, "item": {"items": [{"line": 2, "amount": 7}]}}
    assert account.session.request(method, url, json=body, timeout=30).status_code == 204
    shown = account.show("invoice/eid:INV-1")
    assert ([line["amount"] for line in shown["item"]["items"]], "memo" in shown) == ([15.3, 7, 1, 2], False)
    replaced = account.session.request(method, f"{url}?replace=item", json={"item": lines(9)}, timeout=30)
    assert replaced.status_code == 204
    assert account.show("invoice/eid:INV-1")["total"] == 9
    assert account.admin("summary")["posts"] == {"received": 1, "created": 1, "refused_duplicate": 0}


def test_put_to_an_unknown_external_id_creates_and_patch_does_not(account: Account) -> None:
    url = f"{account.base_url}/services/rest/record/v1/invoice/eid:INV-9"
    assert account.session.patch(url, json=invoice(None), timeout=30).status_code == 404
    assert account.session.put(url, json=invoice(None), timeout=30).status_code == 204
    assert account.show("invoice/eid:INV-9")["total"] == 20.4


def test_an_update_cannot_take_another_record_s_external_id(account: Account) -> None:
    account.created(invoice("INV-1"))
    account.created(invoice("INV-2"))
    url = f"{account.base_url}/services/rest/record/v1/invoice/eid:INV-2"
    answer = account.session.patch(url, json={"externalId": "inv-1"}, timeout=30)
    assert error(answer)[1] == "USER_ERROR"
    assert account.session.patch(url, json={"externalId": "INV-3"}, timeout=30).status_code == 204
    account.created(invoice("INV-2"))


def test_many_posts_of_one_external_id_at_once_create_one_record(account: Account) -> None:
    account.switch(concurrency_limit=40)
    bodies = [invoice(name) for name in ("INV-7", "inv-7", "Inv-7")] * 10
    with ThreadPoolExecutor(10) as pool:
        statuses = [answer.status_code for answer in pool.map(account.create, bodies)]
    assert sorted(statuses) == [204] + [400] * 29
    summary = account.admin("summary")
    assert summary["invoice"]["count"] == 1
    assert summary["posts"] == {"received": 30, "created": 1, "refused_duplicate": 29}
    assert account.admin("records")["items"][0]["posted_times"] == 30


def test_the_list_of_what_is_held_names_lines_and_totals(account: Account) -> None:
    account.created(invoice("INV-1"))
    account.created(invoice("CM-1", item=lines("1.5", 2)), "creditMemo")
    listed = account.admin("records", type="creditMemo", limit=10, offset=0)
    (item,) = listed["items"]
    assert (listed["totalResults"], item["externalId"], item["total"]) == (1, "CM-1", "3.50")
    assert (item["type"], item["currency"], item["entity"]) == ("creditMemo", "GBP", "17850")
    assert item["lines"]["count"] == 2
    assert [line["amount"] for line in item["lines"]["items"]] == ["1.50", "2.00"]
    assert account.admin("records", limit=1, offset=1)["items"][0]["id"] == "2"


def test_a_long_invoice_and_wide_text_are_kept(account: Account) -> None:
    items = [{"item": {"id": "1"}, "amount": "0.01", "description": "£🏮" * 400} for _ in range(1114)]
    account.created(invoice(item={"items": items}))
    assert account.admin("summary")["invoice"]["total"] == "11.14"


def test_reference_records_can_be_read_by_id_and_external_id(account: Account) -> None:
    assert account.get("/record/v1/customer/eid:cust-17850").json()["id"] == "17850"
    assert account.get("/record/v1/inventoryItem/2").json()["externalId"] == "ITEM-2"
    assert account.get("/record/v1/currency/eid:gbp").json()["name"] == "GBP"
    account.switch(closed_periods=["2010-11"])
    assert account.get("/record/v1/accountingPeriod/eid:2010-11").json()["closed"] is True
    assert error(account.get("/record/v1/customer/99"))[:2] == (404, "NONEXISTENT_ID")


def test_the_metadata_catalog_lists_the_records(account: Account) -> None:
    names = [entry["name"] for entry in account.get("/record/v1/metadata-catalog").json()["items"]]
    assert {"invoice", "creditMemo", "customer"} <= set(names)
    schema = account.get("/record/v1/metadata-catalog/creditMemo").json()
    assert "apply" in schema["properties"]
