"""`billing preview`: where a document is, whether it would go, and the request with what a credit memo settles."""

import json
from typing import Any

import pytest

from billing_assets.erp.close.store import set_closed
from billing_assets_tests.rooms.operations.test_cli import Command, machine
from proving.world.builders import apply_credit, insert_document, staged, void_document
from proving.world.command import Said, complete
from proving.world.system import PERIOD, System

__all__ = ["machine"]


def request(said: Said) -> dict[str, Any]:
    """The body of the only request in what was printed."""
    (start,) = [place for place, line in enumerate(said.out.splitlines()) if line.startswith("POST ")]
    found: dict[str, Any] = json.loads("\n".join(said.out.splitlines()[start + 1 :]))
    return found


def settled(said: Said) -> dict[str, float]:
    """What the request applies to which invoice."""
    return {item["doc"]["id"]: item["amount"] for item in request(said)["apply"]["items"]}


def test_it_begins_with_the_state_and_where_in_netsuite_the_document_is(machine: Command, system: System) -> None:
    insert_document(system.source, "500001")
    insert_document(system.source, "500002")
    insert_document(system.source, "500003", status="open")
    assert system.stage().success
    complete(machine("preview", "--number", "500001"), 0, ["# invoice 500001: ready, external id INV-500001"])
    (key,) = system.planned()
    complete(machine("preview", "--number", "500001"), 0, [f"# invoice 500001: batched, batch {key}, external id"])
    system.refuse("INV-500002", detail="Nobody knows this customer.")
    system.post(key)
    posted = staged(system.state, "500001")
    said = machine("preview", "--number", "500001")
    complete(said, 1, [f"posted, batch {key}", f"NetSuite id {posted['netsuite_id']} ({posted['transaction_number']})"])
    complete(said, 1, ["# Nothing is sent of it now."])
    rejected = machine("preview", "--number", "500002")
    complete(
        rejected, 1, ["# invoice 500002: rejected", "NetSuite refused it: 400 INVALID_CONTENT", "Nobody knows this"]
    )
    assert request(rejected)["externalId"] == "INV-500002"
    complete(machine("preview", "--number", "500003"), 1, ["# invoice 500003: open, external id", "POST invoice"])


def test_of_several_documents_with_a_number_one_that_would_not_go_is_enough(machine: Command, system: System) -> None:
    insert_document(system.source, "500001")
    insert_document(system.source, "500001", kind="credit_memo")
    assert system.stage().success
    complete(machine("preview", "--number", "500001"), 0, ["# invoice 500001: ready", "# credit memo 500001: ready"])
    (credit,) = system.source.execute("select id from invoices where kind = 'C'").fetchall()
    void_document(system.source, str(credit[0]))
    assert system.stage().success
    complete(machine("preview", "--number", "500001"), 1, ["# invoice 500001: ready", "# credit memo 500001: gone"])


def test_a_credit_memo_that_waits_shows_for_which_invoice_and_what_it_would_settle(
    machine: Command, system: System
) -> None:
    insert_document(system.source, "500001", lines=[("10002", "1", "4.00", "4.00")])
    insert_document(system.source, "500002", customer_no=None)
    credit = insert_document(system.source, "C1", kind="credit_memo")
    apply_credit(system.source, credit, "500001", "3.00")
    apply_credit(system.source, credit, "500002")
    assert system.stage().success
    said = machine("preview", "--number", "C1")
    complete(
        said, 1, ["# credit memo C1: ready", "# Applies 3.00 to invoice 500001", "# Applies 7.00 to invoice 500002"]
    )
    complete(said, 1, ["# Waits for invoice 500002. The invoice is held: CUSTOMER_MISSING."])
    assert settled(said) == {"(id of invoice 500001)": 3, "(id of invoice 500002)": 7}


def test_what_a_credit_memo_settles_is_shown_before_and_after_it_was_sent(machine: Command, system: System) -> None:
    insert_document(system.source, "500001", lines=[("10002", "1", "4.00", "4.00")])
    apply_credit(system.source, insert_document(system.source, "C1", kind="credit_memo"), "500001")
    assert system.stage().success
    for _ in range(2):
        said = machine("preview", "--number", "C1")
        for key in system.planned():
            assert system.post(key).success
    complete(said, 0, ["# Applies 4.00 to invoice 500001, if that much is open on it then."])
    assert settled(said) == {staged(system.state, "500001")["netsuite_id"]: 4}
    assert system.states()["C1"] == "posted"
    after = machine("preview", "--number", "C1")
    complete(after, 1, ["# credit memo C1: posted", "# Applied to invoice 500001: 4.00."])
    assert "Applies" not in after.out


@pytest.mark.parametrize("how", ["soft", "hard"])
def test_what_is_ready_in_a_closed_month_would_not_go(machine: Command, system: System, how: str) -> None:
    insert_document(system.source, "500001")
    assert system.stage().success
    set_closed(system.state, PERIOD, how)
    complete(machine("preview", "--number", "500001"), 1, [f"Its month {PERIOD} is closed ({how}).", "POST invoice"])


def test_a_document_that_cannot_be_read_has_its_state_all_the_same(machine: Command, system: System) -> None:
    insert_document(system.source, "500001", customer_no=None)
    assert system.stage().success
    system.state.execute("update billing.staged_invoices set total = null")
    complete(machine("preview", "--number", "500001"), 1, ["# invoice 500001: held", "No request can be made of it"])
