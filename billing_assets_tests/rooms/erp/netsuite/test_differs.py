"""NetSuite has a document under our external id, but not as it was sent: a state of its own, and the ways out."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest
from psycopg.types.json import Jsonb

from billing_assets.erp.batches.unlocking import requeue
from billing_assets.erp.netsuite import content, differing_transactions, differing_transactions_store
from billing_assets.erp.netsuite.client import NetSuiteClient
from billing_assets.erp.netsuite.differing_transactions import DifferenceError
from billing_assets.erp.netsuite.mapping import NetSuiteMapping
from billing_assets.erp.netsuite.reports import batch_problems
from billing_assets.erp.settings import NetSuiteSettings
from billing_assets.erp.staging.content import lines_json
from billing_assets.posting.lanes import Lanes
from proving.world import builders
from proving.world.mappings import edited
from proving.world.rig import Rig, invoices

NUMBER, EXTERNAL_ID = "500001", "INV-500001"
AFTER = 960.0


@contextmanager
def client(rig: Rig) -> Iterator[NetSuiteClient]:
    opened = NetSuiteClient(rig.settings.of(NetSuiteSettings))
    try:
        yield opened
    finally:
        opened.close()


def answer_lost(rig: Rig, documents: int = 3) -> str:
    """A batch of which one document landed without an answer, and that no query showed when the run looked."""
    faults = [{"fault": "commit_then_drop", "external_ids": [EXTERNAL_ID]}]
    rig.account.switch(suiteql_lag_seconds=600, faults=faults)
    key = rig.planned(invoices(documents))
    rig.post(key)
    rig.account.switch(suiteql_lag_seconds=0, faults=[])
    assert rig.counts()["posting"] == 1
    return key


def change_in_netsuite(rig: Rig, amount: float = 0.01) -> None:
    """As an administrator would: a further line."""
    patched(rig, "", {"item": {"items": [{"item": {"id": "101"}, "amount": amount}]}})


def patched(rig: Rig, query: str, body: dict[str, Any]) -> None:
    record = rig.records()[EXTERNAL_ID]
    url = f"{rig.account.base_url}/services/rest/record/v1/invoice/{record['id']}{query}"
    rig.account.session.patch(url, json=body, timeout=30).raise_for_status()


def correct_in_netsuite(rig: Rig) -> None:
    lines = [
        {"item": {"id": "101"}, "quantity": 1, "amount": 2.01},
        {"item": {"id": "101"}, "quantity": 1, "amount": 0.07},
    ]
    patched(rig, "?replace=item", {"item": {"items": lines}})


@pytest.fixture
def a_cent_off(rig: Rig) -> str:
    """A batch of which one document is in NetSuite with a cent more than was sent; its answer was lost."""
    key = answer_lost(rig)
    change_in_netsuite(rig)
    rig.post(key, "run-2")
    return key


def accept(rig: Rig, by: str = "Ada", why: str = "the cent is tax") -> differing_transactions_store.Decided:
    with client(rig) as opened:
        return differing_transactions.accept(rig.state, opened, rig.settings, NUMBER, by=by, why=why)


def check(rig: Rig) -> tuple[int, list[differing_transactions_store.Differing]]:
    netsuite = rig.settings.of(NetSuiteSettings)
    with client(rig) as opened, Lanes(rig.state_url, opened.account, netsuite.lanes) as lanes:
        mapping = builders.shipped_mapping()
        return differing_transactions.check(rig.state_url, rig.state, opened, lanes, mapping, rig.settings, "check")


def of_customer_1002(folder: Path) -> NetSuiteMapping:
    """The mapping after somebody gave our customer another record of NetSuite."""
    source = "entity: {lookup: customers, by: customer, take: netsuite_id, reference: id}"
    return edited(folder, replace={source: 'entity: {constant: "1002", reference: id}'})


def row(rig: Rig) -> dict[str, Any]:
    return builders.staged(rig.state, NUMBER)


def test_a_document_that_is_there_a_cent_off_differs_and_carries_netsuite_s_id(rig: Rig, a_cent_off: str) -> None:
    assert rig.counts() == {"posted": 2, "differs": 1}
    assert row(rig)["netsuite_id"] == rig.records()[EXTERNAL_ID]["id"]
    assert "total 2.09 instead of 2.08" in row(rig)["difference"]
    assert rig.batch(a_cent_off)["state"] == "attention"
    (problem,) = batch_problems(rig.state, a_cent_off, 10)
    assert (problem["number"], problem["state"], problem["code"]) == (NUMBER, "differs", "EXTERNAL_ID_CONFLICT")
    (one,) = differing_transactions_store.differing(rig.state)
    assert (one.number, one.difference) == (NUMBER, row(rig)["difference"])


def test_it_is_never_sent_again_by_no_run_requeue_or_unlock(rig: Rig, a_cent_off: str) -> None:
    received = rig.account.admin("summary")["posts"]["received"]
    rig.post(a_cent_off, "by a person", retry_rejected=True)
    assert requeue(rig.state, [NUMBER], AFTER) == 0
    assert rig.counts() == {"posted": 2, "differs": 1}
    assert rig.account.admin("summary")["posts"]["received"] == received
    assert rig.outcomes(NUMBER).count("conflict") == 1, "the same is noted once"


@pytest.mark.parametrize("state", ["ready", "held", "gone", "locked", "open"])
def test_the_database_lets_it_go_nowhere_but_to_posted_or_rejected(rig: Rig, a_cent_off: str, state: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        rig.state.execute(
            "update billing.staged_invoices set state = %s where batch = %s and number = %s",
            [state, a_cent_off, NUMBER],
        )


@pytest.mark.parametrize("column", ["number", "external_id", "customer", "document_id"])
def test_the_database_keeps_its_content_as_it_was_sent(rig: Rig, a_cent_off: str, column: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match="never changes"):
        rig.state.execute(
            f"update billing.staged_invoices set {column} = 'X' where batch = %s and number = %s",  # noqa: S608
            [a_cent_off, NUMBER],
        )


def test_what_is_corrected_in_netsuite_is_posted_by_the_next_look(rig: Rig, a_cent_off: str) -> None:
    correct_in_netsuite(rig)
    assert check(rig) == (1, [])
    assert rig.batch(a_cent_off)["state"] == "posted"
    assert rig.outcomes(NUMBER)[-1] == "found"
    rig.assert_whole(3)


def test_materializing_its_batch_again_looks_too(rig: Rig, a_cent_off: str) -> None:
    correct_in_netsuite(rig)
    rig.post(a_cent_off, "run-3")
    rig.assert_whole(3)


def test_a_person_accepts_it_by_name_and_the_batch_is_done(rig: Rig, a_cent_off: str) -> None:
    decided = accept(rig)
    assert (decided.decision, decided.decided_by, decided.why) == ("accepted", "Ada", "the cent is tax")
    assert "2.09 instead of 2.08" in decided.difference
    assert rig.counts() == {"posted": 3}
    assert rig.batch(a_cent_off)["state"] == "posted"
    assert differing_transactions_store.differing(rig.state) == []
    with pytest.raises(DifferenceError, match="Nothing of 500001 differs"):
        accept(rig)


def test_what_was_accepted_counts_only_as_long_as_netsuite_has_the_same(rig: Rig, a_cent_off: str) -> None:
    accept(rig)
    rig.state.execute("update billing.staged_invoices set read_back_at = null")  # as if it were read back again
    rig.state.execute("update billing.locked_batches set state = 'attention'")
    rig.post(a_cent_off, "reads back")
    assert rig.batch(a_cent_off)["state"] == "posted"
    change_in_netsuite(rig, 5)
    rig.state.execute("update billing.staged_invoices set read_back_at = null")
    rig.post(a_cent_off, "reads back again")
    assert row(rig)["difference"] == "total 7.09 instead of 2.08"
    assert rig.batch(a_cent_off)["state"] == "attention"


def test_a_decision_needs_a_name_and_a_reason(rig: Rig, a_cent_off: str) -> None:
    assert a_cent_off
    with pytest.raises(DifferenceError, match="who decides"):
        accept(rig, by=" ")
    with pytest.raises(DifferenceError, match="why"):
        accept(rig, why="")
    assert rig.counts()["differs"] == 1


def test_nothing_is_accepted_while_a_run_has_the_batch(rig: Rig, a_cent_off: str) -> None:
    with rig.hold(a_cent_off, "at work"), pytest.raises(DifferenceError, match="A run has batch"):
        accept(rig)
    assert rig.counts()["differs"] == 1


def test_what_is_credited_there_counts_once_nothing_is_open_on_it(rig: Rig, a_cent_off: str) -> None:
    def credited() -> differing_transactions_store.Decided:
        with client(rig) as opened:
            return differing_transactions.credited(
                rig.state, opened, rig.settings, NUMBER, by="Ada", why="wrong customer"
            )

    with pytest.raises(DifferenceError, match=r"2\.09 are open on it"):
        credited()
    record = rig.records()[EXTERNAL_ID]
    rig.account.session.post(
        f"{rig.account.base_url}/services/rest/record/v1/creditMemo",
        json={
            "entity": {"id": record["entity"]},
            "subsidiary": {"id": "1"},
            "tranDate": "2010-11-06",
            "item": {"items": [{"item": {"id": "101"}, "quantity": 1, "amount": 2.09}]},
            "apply": {"items": [{"doc": {"id": record["id"]}, "apply": True, "amount": 2.09}]},
        },
        timeout=30,
    ).raise_for_status()
    assert credited().decision == "credited"
    assert rig.batch(a_cent_off)["state"] == "posted"


def test_what_was_deleted_there_is_rejected_and_sent_again_only_when_a_person_says_so(
    rig: Rig, a_cent_off: str
) -> None:
    record = rig.records()[EXTERNAL_ID]
    url = f"{rig.account.base_url}/services/rest/record/v1/invoice/{record['id']}"
    rig.account.session.delete(url, timeout=30).raise_for_status()
    with pytest.raises(DifferenceError, match="has no transaction"):
        accept(rig)
    rig.post(a_cent_off, "run-3")
    assert rig.counts() == {"posted": 2, "rejected": 1}
    assert rig.log(NUMBER)[-1]["code"] == "DELETED_IN_NETSUITE"
    assert requeue(rig.state, [NUMBER], AFTER) == 1
    rig.post_planned()
    assert rig.counts() == {"posted": 3}
    assert len(rig.records()) == 3


def test_a_look_up_compares_with_what_was_sent_and_not_with_today_s_mapping(rig: Rig, tmp_path: Path) -> None:
    """An answer is lost, the mapping's customer is corrected meanwhile: what landed is what was sent."""
    key = answer_lost(rig)
    mapping = of_customer_1002(tmp_path)
    rig.post(key, "run-2", mapping=mapping)
    assert rig.counts() == {"posted": 3}


def test_the_customer_of_an_earlier_mapping_differs_where_another_was_sent(rig: Rig, tmp_path: Path) -> None:
    """NetSuite has it with customer 1001 (entered before), we sent it with 1002."""
    (document,) = invoices(1)
    rig.account.created(orjson.loads(builders.body(builders.shipped_mapping(), document)))
    key = rig.planned([document])
    rig.post_what_netsuite_has(key, mapping=of_customer_1002(tmp_path))
    assert rig.counts() == {"differs": 1}
    found = builders.staged(rig.state, document.number)
    assert "entity 1001 instead of 1002" in found["difference"]


def test_what_netsuite_had_before_is_posted_only_with_our_lines(rig: Rig) -> None:
    (document,) = invoices(1)
    other = replace(document, lines=(builders.line(1, "0.57"), builders.line(2, "0.50")))
    assert other.total == document.total
    rig.account.created(orjson.loads(builders.body(builders.shipped_mapping(), other)))
    key = rig.planned([document])
    rig.post_what_netsuite_has(key)
    assert rig.counts() == {"differs": 1}
    assert "other lines than were sent" in builders.staged(rig.state, document.number)["difference"]


def test_where_the_role_may_not_read_lines_it_is_posted_as_not_proven(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    (document,) = invoices(1)
    rig.account.created(orjson.loads(builders.body(builders.shipped_mapping(), document)))
    key = rig.planned([document])
    with monkeypatch.context() as patch:
        patch.setattr(content, "_LINES_TABLE", "nosuchtable")
        rig.post_what_netsuite_has(key)
        assert rig.counts() == {"posted": 1}
        found = builders.staged(rig.state, document.number)
        assert found["unproven"]
        assert found["difference"] == content.NOT_PROVEN
        assert rig.batch(key)["state"] == "attention"
    rig.post(key, "when it may")
    assert not builders.staged(rig.state, document.number)["unproven"]
    rig.assert_whole(1)


def test_two_attempts_of_one_document_explain_what_is_there_without_its_lines(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An ordinary lost answer asks NetSuite for nothing more than before."""
    monkeypatch.setattr(content, "_LINES_TABLE", "nosuchtable")
    key = answer_lost(rig)
    rig.post(key, "run-2")
    rig.assert_whole(3)


def test_credit_memos_are_compared_by_line_as_well(rig: Rig) -> None:
    memo = builders.document(
        "C1",
        builders.line(1, "-3.00"),
        builders.line(2, "-0.50", quantity=Decimal(-2), unit_price=Decimal("0.25")),
        kind="credit_memo",
    )
    rig.account.created(orjson.loads(builders.body(builders.shipped_mapping(), memo)), "creditMemo")
    key = rig.planned([memo])
    rig.post_what_netsuite_has(key)
    rig.assert_whole(1)


def test_lines_are_compared_where_what_is_there_may_be_of_an_earlier_attempt(rig: Rig) -> None:
    """An attempt that was given up landed after all; meanwhile the lines changed, with the total kept."""
    key = answer_lost(rig)
    other = orjson.loads(lines_json((builders.line(1, "1.00"), builders.line(2, "1.08"))))
    rig.state.execute(  # as a staging would between its absence and its being sent again
        "update billing.staged_invoices set lines = %s where number = %s", [Jsonb(other), NUMBER]
    )
    rig.account.switch(suiteql_lag_seconds=600)
    rig.post_until(lambda: "exists" in rig.outcomes(NUMBER))
    rig.account.switch(suiteql_lag_seconds=0)
    rig.post(key, "it is shown at last")
    assert row(rig)["state"] == "differs"
    assert "other lines than were sent" in row(rig)["difference"]


def test_what_is_there_in_another_case_and_cannot_be_proven_says_so(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "_LINES_TABLE", "nosuchtable")
    (document,) = invoices(1)
    rig.account.created(
        orjson.loads(builders.body(builders.shipped_mapping(), document)) | {"externalId": "inv-500000"}
    )
    key = rig.planned([document])
    rig.post_what_netsuite_has(key)
    found = builders.staged(rig.state, document.number)
    assert (found["state"], found["unproven"], found["difference"]) == ("posted", True, content.NOT_PROVEN)
    assert rig.batch(key)["state"] == "attention"
    with client(rig) as opened:
        differing_transactions.accept(
            rig.state, opened, rig.settings, document.number, by="Ada", why="compared by hand"
        )
    assert rig.batch(key)["state"] == "posted"


@pytest.fixture
def hidden(rig: Rig) -> str:
    """A batch of one document: NetSuite says that it has its name, and never showed with what."""
    (document,) = invoices(1)
    rig.account.created(orjson.loads(builders.body(builders.shipped_mapping(), document)))
    rig.account.switch(suiteql_lag_seconds=600)
    key = rig.planned([document])
    rig.post_until(lambda: rig.counts() == {"differs": 1})
    assert "shows it to no query" in builders.staged(rig.state, document.number)["difference"]
    return key


def test_what_is_hidden_can_be_sent_again_once_its_name_is_free(rig: Rig, hidden: str) -> None:
    (record,) = rig.records().values()
    url = f"{rig.account.base_url}/services/rest/record/v1/invoice/{record['id']}"
    rig.account.session.delete(url, timeout=30).raise_for_status()
    rig.account.switch(suiteql_lag_seconds=0)
    rig.post(hidden, "it may be hidden still")
    assert rig.counts() == {"differs": 1}
    assert requeue(rig.state, None, AFTER) == 0, "only by its number"
    assert requeue(rig.state, ["500000"], AFTER) == 1
    rig.post_planned()
    assert rig.counts() == {"posted": 1}
    assert len(rig.records()) == 1


def test_what_is_hidden_and_still_there_is_not_doubled_by_a_requeue(rig: Rig, hidden: str) -> None:
    assert requeue(rig.state, ["500000"], AFTER) == 1
    rig.post_planned()
    rig.post_until(lambda: rig.counts() == {"differs": 1})
    assert hidden
    assert len(rig.records()) == 1


@pytest.mark.usefixtures("a_cent_off")
def test_nobody_answers_for_an_amount_that_cannot_be_read(rig: Rig) -> None:
    rig.account.switch(suiteql_exponents=[EXTERNAL_ID])
    with pytest.raises(DifferenceError, match=r"total of NetSuite's transaction .* cannot be read"):
        accept(rig)
    with client(rig) as opened, pytest.raises(DifferenceError, match=r"What is open on .* cannot be read"):
        differing_transactions.credited(rig.state, opened, rig.settings, NUMBER, by="Ada", why="credited there")
    assert check(rig)[0] == 0
    assert row(rig)["state"] == "differs"
    assert "total 2.09 instead of 2.08" in row(rig)["difference"], "the word on it stays"
    rig.account.switch(suiteql_exponents=[])
    accept(rig)
    assert row(rig)["state"] == "posted"
