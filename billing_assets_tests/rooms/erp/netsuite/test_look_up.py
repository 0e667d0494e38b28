"""Reading back: what NetSuite shows is compared to the cent with what was staged, and a difference is named."""

import json
import sqlite3
from decimal import Decimal
from pathlib import Path

import pytest

from billing_assets.erp.netsuite.found_transactions_store import found
from billing_assets.erp.netsuite.reports import batch_problems
from proving.world import builders
from proving.world.rig import Rig, invoices


@pytest.fixture
def changed_behind_our_back(rig: Rig) -> str:
    """A batch whose second document got a further penny in NetSuite between our POST and our look."""
    rig.account.switch(faults=[])
    key = rig.planned(invoices(3))
    rig.post(key)
    record = rig.records()["INV-500001"]
    answer = rig.account.session.patch(
        f"{rig.account.base_url}/services/rest/record/v1/invoice/{record['id']}",
        json={"item": {"items": [{"item": {"id": "101"}, "amount": 0.01}]}},
        timeout=30,
    )
    assert answer.status_code == 204, answer.text
    rig.state.execute("update billing.staged_invoices set read_back_at = null")  # as if the run had ended before it
    return key


def test_a_total_that_was_changed_in_netsuite_is_named_and_keeps_the_batch_from_being_done(
    rig: Rig, changed_behind_our_back: str
) -> None:
    key = changed_behind_our_back
    rig.post(key, "run-2")
    rows = {row["number"]: row for row in rig.state.execute("select * from billing.staged_invoices")}
    assert rows["500001"]["difference"] == "total 2.09 instead of 2.08"
    assert rows["500000"]["difference"] is None
    assert all(row["state"] == "posted" and row["read_back_at"] for row in rows.values())
    assert rig.batch(key)["state"] == "attention"
    (problem,) = batch_problems(rig.state, key, 10)
    assert (problem["number"], problem["detail"]) == ("500001", "total 2.09 instead of 2.08")


def test_a_difference_is_looked_at_again_by_the_next_run_and_goes_when_it_is_gone(
    rig: Rig, changed_behind_our_back: str
) -> None:
    key = changed_behind_our_back
    rig.post(key, "run-2")
    record = rig.records()["INV-500001"]
    rig.account.session.patch(
        f"{rig.account.base_url}/services/rest/record/v1/invoice/{record['id']}?replace=item",
        json={"item": {"items": [{"item": {"id": "101"}, "amount": 2.01}, {"item": {"id": "101"}, "amount": 0.07}]}},
        timeout=30,
    ).raise_for_status()
    received = rig.account.admin("summary")["posts"]["received"]
    rig.post(key, "run-3")
    assert rig.batch(key)["state"] == "posted"
    rig.assert_whole(3)
    assert rig.account.admin("summary")["posts"]["received"] == received


def test_a_document_that_was_deleted_in_netsuite_stays_unread_and_keeps_the_batch_from_being_done(rig: Rig) -> None:
    key = rig.planned(invoices(2))
    rig.post(key)
    delete_in_netsuite(rig, "INV-500001")
    rig.state.execute("update billing.staged_invoices set read_back_at = null")
    rig.post(key, "run-2")
    assert rig.batch(key)["state"] == "attention"
    (problem,) = batch_problems(rig.state, key, 10)
    assert (problem["number"], problem["detail"]) == ("500001", "not read back yet")


def delete_in_netsuite(rig: Rig, external_id: str) -> None:
    """As an administrator would; the sandbox has no call for it."""
    folder = Path(rig.sandbox.credentials.private_key_file).parent
    with sqlite3.connect(folder / "netsuite.sqlite3", timeout=10) as database:
        database.execute("delete from record where external_id = ?", [external_id])


UNREADABLE = "NetSuite answered '2.08E+0' where a total belongs"


def test_a_total_that_cannot_be_read_is_that_documents_problem_until_it_can(rig: Rig) -> None:
    rig.account.switch(suiteql_exponents=["INV-500001"])
    key = rig.planned(invoices(3))
    rig.post(key)
    rows = {row["number"]: row for row in rig.state.execute("select * from billing.staged_invoices")}
    assert {number: row["difference"] for number, row in rows.items()} == {
        "500000": None,
        "500001": f"something that cannot be read: {UNREADABLE}",
        "500002": None,
    }
    assert all(row["read_back_at"] for row in rows.values())
    (problem,) = batch_problems(rig.state, key, 10)
    assert problem["number"] == "500001"
    assert rig.batch(key)["state"] == "attention"
    rig.account.switch(suiteql_exponents=[])
    rig.post(key, "run-2")
    rig.assert_whole(3)


def test_an_open_attempt_whose_row_cannot_be_read_stays_open_and_the_others_are_settled(rig: Rig) -> None:
    """Nothing is sent again for it, however long it stays so."""
    lost = {"fault": "commit_then_500", "external_ids": ["INV-500000", "INV-500001"], "next": 2}
    rig.account.switch(faults=[lost], suiteql_exponents=["INV-500001"])
    impatient = rig.changed({"max_request_seconds": 0, "read_back_seconds": 0})
    key = impatient.planned(invoices(3))
    for run in ("run-1", "run-2", "run-3"):
        impatient.post(key, run)
    assert rig.counts() == {"posted": 2, "posting": 1}
    assert rig.outcomes("500001").count("unknown") == 2, "the answer, and once that its row cannot be read"
    (problem,) = batch_problems(rig.state, key, 10)
    assert (problem["number"], problem["state"]) == ("500001", "posting")
    assert problem["detail"].startswith(UNREADABLE)
    rig.account.switch(suiteql_exponents=[])
    impatient.post(key, "run-4")
    rig.assert_whole(3)
    assert rig.account.admin("summary")["posts"]["received"] == 3


def test_what_was_found_after_a_restore_is_listed_without_the_total_that_cannot_be_read(rig: Rig) -> None:
    for document in invoices(3):
        rig.account.created(json.loads(builders.body(builders.shipped_mapping(), document)))
    rig.account.switch(suiteql_exponents=["INV-500001"])
    rig.post(rig.planned(invoices(3)))
    assert [(one.external_id, one.total) for one in found(rig.state)] == [
        ("INV-500000", Decimal("1.07")),
        ("INV-500001", None),
        ("INV-500002", Decimal("3.09")),
    ]
