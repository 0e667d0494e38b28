"""Reading by SuiteQL: pages, exact values, and look-ups that never take one record for another."""

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from billing_assets.erp.netsuite.client import NetSuiteClient
from billing_assets.erp.netsuite.content import Content, compare_lines
from billing_assets.erp.netsuite.errors import NetSuiteAnswerUnreadable, NetSuiteQueryRefused
from billing_assets.erp.netsuite.suiteql import (
    ExternalIdConflict,
    NetSuiteTransaction,
    UnreadableRow,
    amounts_unpaid,
    find_by_external_ids,
    query,
)
from billing_assets.erp.settings import NetSuiteSettings
from billing_assets.posting.answers import Landed
from billing_assets.sandbox.netsuite.process import start_sandbox
from proving.world.raw_server import Call, RawServer, certificate_settings, raw_server, write_key


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetSuiteClient]:
    """A sandbox account with 1,102 invoices and a credit memo."""
    lists = {"customer": [{"id": "7"}], "item": [{"id": "9"}], "subsidiary": [{"id": "1"}]}
    with start_sandbox(tmp_path_factory.mktemp("netsuite"), references=lists) as sandbox:
        own = sandbox.credentials
        client = NetSuiteClient(
            NetSuiteSettings.model_validate(
                {
                    "account": own.account,
                    "base_url": sandbox.base_url,
                    "client_id": own.client_id,
                    "certificate_id": own.certificate_id,
                    "private_key_file": own.private_key_file,
                }
            )
        )
        for number in range(1, 1103):
            assert isinstance(client.create("invoice", document(f"INV-{number}", number)), Landed)
        assert isinstance(client.create("creditMemo", document("CRM-1", 3)), Landed)
        yield client
        client.close()


def document(external_id: str, quantity: int) -> bytes:
    line = {"item": {"id": "9"}, "quantity": quantity, "rate": 1.15, "amount": round(quantity * 1.15, 2)}
    header = {"entity": {"id": "7"}, "subsidiary": {"id": "1"}, "currency": {"id": "1"}, "tranDate": "2010-11-30"}
    return json.dumps({"externalId": external_id, **header, "item": {"items": [line]}}).encode()


def test_a_result_of_two_pages_comes_whole_and_in_order(account: NetSuiteClient) -> None:
    rows = list(query(account, "SELECT id, externalid FROM transaction WHERE type = 'CustInvc' ORDER BY id"))
    assert [row["externalid"] for row in rows] == [f"INV-{number}" for number in range(1, 1103)]
    assert all(row.keys() == {"id", "externalid"} for row in rows)


def test_more_ids_than_one_query_takes_are_looked_up_with_their_exact_totals(account: NetSuiteClient) -> None:
    wanted = [f"INV-{number}" for number in range(1, 1103)] + ["CRM-1", "INV-ABSENT", "INV-1"]
    found = find_by_external_ids(account, wanted)
    assert found.keys() == set(wanted) - {"INV-ABSENT"}
    one = found["INV-1001"]
    assert isinstance(one, NetSuiteTransaction)
    assert (one.type, one.total, one.entity, one.currency) == ("CustInvc", Decimal("1151.15"), "7", "1")
    assert one.tran_date == "2010-11-30"
    assert one.transaction_number
    credit = found["CRM-1"]
    assert isinstance(credit, NetSuiteTransaction)
    assert credit.type == "CustCred"
    assert credit.absolute_total == Decimal("3.45")


def test_an_id_in_another_case_is_found_only_when_asked_for(account: NetSuiteClient) -> None:
    assert isinstance(account.create("invoice", document("inv-Lower-1", 1)), Landed)
    assert find_by_external_ids(account, ["INV-LOWER-1"]) == {}
    found = find_by_external_ids(account, ["INV-LOWER-1"], any_case=True)["INV-LOWER-1"]
    assert isinstance(found, NetSuiteTransaction)
    assert found.external_id == "inv-Lower-1"


def test_nothing_is_asked_for_no_ids(account: NetSuiteClient) -> None:
    assert find_by_external_ids(account, []) == {}


def test_a_query_that_netsuite_does_not_take_says_why(account: NetSuiteClient) -> None:
    with pytest.raises(NetSuiteQueryRefused) as refused:
        list(query(account, "SELECT nonsense FROM transaction"))
    assert refused.value.http_status == 400
    assert "nonsense" in refused.value.detail.lower()


@pytest.mark.parametrize("external_id", ["inv-1", "INV 1", "INV-1'", "X') OR ('1'='1", "", "İ", "INV-1\n", "A" * 201])
def test_an_id_that_is_not_ours_never_reaches_a_query(account: NetSuiteClient, external_id: str) -> None:
    with pytest.raises(ValueError, match="external id"):
        find_by_external_ids(account, ["INV-1", external_id])


# Answers that the sandbox does not give.


def row(external_id: str, **values: Any) -> dict[str, Any]:
    known = {"type": "CustInvc", "entity": "1001", "foreigntotal": "10.00"}
    return {"links": [], "id": "1", "externalid": external_id, **known, **values}


def page(items: list[Any], **values: Any) -> bytes:
    return json.dumps({"count": len(items), "hasMore": False, "items": items, **values}).encode()


def served(bodies: list[bytes], folder: Path, ids: list[str]) -> tuple[dict[str, Any], RawServer]:
    with raw_server(lambda call: call.answer(200, bodies[call.number - 1])) as server:
        client = NetSuiteClient(certificate_settings(server.base_url, write_key(folder / "key.pem")))
        return find_by_external_ids(client, ids), server


def test_two_records_with_one_external_id_are_a_conflict_and_spare_the_others(tmp_path: Path) -> None:
    rows = [row("INV-1", id="1"), row("INV-2", id="2"), row("INV-1", id="3", type="CustCred")]
    found, _ = served([page(rows)], tmp_path, ["INV-1", "INV-2"])
    conflict = found["INV-1"]
    assert isinstance(conflict, ExternalIdConflict)
    assert [(held.netsuite_id, held.type) for held in conflict.transactions] == [("1", "CustInvc"), ("3", "CustCred")]
    assert isinstance(found["INV-2"], NetSuiteTransaction)


def test_numbers_booleans_nulls_and_capitals_are_understood_exactly(tmp_path: Path) -> None:
    body = page([{"ID": 5, "ExternalId": "INV-1", "type": "CustInvc", "foreigntotal": -1, "entity": 7, "tranid": None}])
    found, _ = served([body.replace(b"-1,", b"-12345678901234567.10,")], tmp_path, ["INV-1"])
    assert found["INV-1"].netsuite_id == "5"
    assert found["INV-1"].total == Decimal("-12345678901234567.10")
    assert found["INV-1"].absolute_total == Decimal("12345678901234567.10")
    assert (found["INV-1"].entity, found["INV-1"].transaction_number) == ("7", None)


def test_the_same_row_twice_is_one_transaction(tmp_path: Path) -> None:
    """A page that is served again, or rows that move between pages, are no conflict."""
    found, _ = served([page([row("INV-1"), row("INV-1")])], tmp_path, ["INV-1"])
    assert isinstance(found["INV-1"], NetSuiteTransaction)


def test_a_look_up_is_one_transient_post_for_a_thousand_ids(tmp_path: Path) -> None:
    found, server = served([page([]), page([])], tmp_path, [f"INV-{number}" for number in range(1001)])
    assert found == {}
    assert len(server.calls) == 2
    assert "?limit=1000&offset=0 " in server.calls[0].head
    assert re.search("(?i)prefer: transient", server.calls[0].head)
    assert json.loads(server.calls[0].body)["q"].count("INV-") == 1000


@pytest.mark.parametrize(
    "body",
    [
        page([], count=1),
        b'{"items": null}',
        b"{}",
        page(["x"]),
        page([row("INV-1")], hasMore=True),
        page([row("INV-9")]),
        page([row("INV-1")]).replace(b'"id"', b'"id": "9", "id"'),
        b"[]",
        b"{",
    ],
    ids=range(9),
)
def test_an_answer_that_cannot_be_trusted_is_no_answer(body: bytes, tmp_path: Path) -> None:
    """Least of all is it 'the document is absent'."""
    with pytest.raises(NetSuiteAnswerUnreadable):
        served([body], tmp_path, ["INV-1"])


@pytest.mark.parametrize(
    "bad",
    [
        [row("INV-1", foreigntotal="1.23E+07")],
        [row("INV-1", foreigntotal="n/a")],
        [row("INV-1", foreigntotal="Infinity")],
        [row("INV-1", foreigntotal=None)],
        [row("INV-1", foreigntotal="1e3")],
        [row("INV-1", foreigntotal=["1"])],
        [row("INV-1", entity={"id": 1})],
        [row("INV-1", entity=None)],
        [row("INV-1", id="647\0")],
        [row("inv-1", type=None)],
        [row("INV-1"), row("INV-1", foreigntotal="10.01")],
        [row("INV-1", id="5"), row("INV-1", id="6", foreigntotal="?")],
        [row("INV-1") | {"ID": "2"}],
    ],
    ids=range(13),
)
def test_a_row_that_cannot_be_read_is_its_own_documents_problem_and_spares_the_others(
    bad: list[dict[str, Any]], tmp_path: Path
) -> None:
    found, _ = served(
        [page([row("INV-2", id="7"), *bad, row("INV-3", id="8")])], tmp_path, [f"INV-{n}" for n in "1234"]
    )
    assert isinstance(found["INV-1"], UnreadableRow)
    assert found["INV-1"].named
    assert (found["INV-2"].netsuite_id, found["INV-3"].netsuite_id) == ("7", "8")
    assert "INV-4" not in found, "that one is not there"


@pytest.mark.parametrize("bad", [{"id": "1", "type": "CustInvc"}, row("INV-1", externalid=[1]), row("?", total=[1])])
def test_where_a_row_does_not_say_whose_it_is_nothing_is_proven_absent(bad: dict[str, Any], tmp_path: Path) -> None:
    found, _ = served([page([row("INV-2", id="7"), bad])], tmp_path, ["INV-1", "INV-2"])
    assert found["INV-2"].netsuite_id == "7"
    assert isinstance(found["INV-1"], UnreadableRow)
    assert not found["INV-1"].named


def test_a_line_that_cannot_be_read_leaves_only_its_own_transaction_unproven(tmp_path: Path) -> None:
    line = {"item": "101", "quantity": "-1", "foreignamount": "-2.00"}
    rows = [
        {**line, "transaction": "7"},
        {**line, "transaction": "8", "foreignamount": "1.23E+07"},
        {**line, "transaction": "9", "quantity": [1]},
    ]
    sent = b'{"item": {"items": [{"item": {"id": "101"}, "quantity": 1, "amount": 2}]}}'
    with raw_server(lambda call: call.answer(200, page(rows))) as server:
        client = NetSuiteClient(certificate_settings(server.base_url, write_key(tmp_path / "key.pem")))
        found = compare_lines(client, dict.fromkeys(["7", "8", "9"], sent))
    assert found == {"7": Content.EQUAL, "8": Content.UNREAD, "9": Content.UNREAD}


def test_an_open_amount_that_cannot_be_read_is_not_known_and_the_others_are(tmp_path: Path) -> None:
    rows = [
        {"id": "7", "externalid": "INV-1", "foreignamountunpaid": "2.00"},
        {"id": "8", "externalid": "INV-2", "foreignamountunpaid": "1.23E+07"},
        {"id": "9", "externalid": "INV-9", "foreignamountunpaid": [1]},
    ]
    with raw_server(lambda call: call.answer(200, page(rows))) as server:
        client = NetSuiteClient(certificate_settings(server.base_url, write_key(tmp_path / "key.pem")))
        found = amounts_unpaid(client, {"7": "INV-1", "8": "INV-2", "9": "INV-3"})
    assert found == ({"7": Decimal("2.00")}, {"9"})


def test_a_result_beyond_netsuites_last_row_is_refused_instead_of_cut_off(tmp_path: Path) -> None:
    body = page([{"id": "1"}] * 1000, hasMore="true")

    def full(call: Call) -> bool:
        return call.answer(200, body)

    with raw_server(full) as server:
        client = NetSuiteClient(certificate_settings(server.base_url, write_key(tmp_path / "key.pem")))
        with pytest.raises(NetSuiteQueryRefused) as refused:
            list(query(client, "SELECT id FROM transaction ORDER BY id"))
    assert refused.value.netsuite_code == "TOO_MANY_ROWS"
    assert len(server.calls) == 100
