"""Posting a batch to the sandbox over HTTP: everything lands once, to the cent, and bad documents stop no other."""

import threading
import time
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Never

import pytest

from billing_assets.erp.batches.planning import plan
from billing_assets.erp.batches.unlocking import requeue, unlock
from billing_assets.erp.netsuite.client import NetSuiteClient
from billing_assets.erp.netsuite.wire import account_of
from billing_assets.erp.settings import NetSuiteSettings
from billing_assets.posting.batch_lock import StaleLockError
from billing_assets.posting.lanes import Lanes, lanes_in_use
from billing_assets_tests.rooms.erp.batches.documents import set_state
from proving.world import builders
from proving.world.mappings import edited
from proving.world.rig import Rig, invoices, stage_rows
from proving.world.waiting import PATIENCE_SECONDS, until

AFTER = 960.0


def test_a_batch_lands_whole_to_the_cent_and_is_read_back(rig: Rig) -> None:
    documents = [*invoices(40), builders.credit_memo("C600001", "-12.34"), builders.document("A'1 £", builders.line())]
    key = rig.planned(documents)
    result = rig.post(key)
    assert (result.sent, result.stopped) == (42, None)
    assert rig.batch(key)["state"] == "posted"
    rig.assert_whole(42)


def test_a_second_run_of_a_finished_batch_sends_nothing(rig: Rig) -> None:
    key = rig.planned(invoices(5))
    rig.post(key)
    received = rig.account.admin("summary")["posts"]["received"]
    result = rig.post(key, "run-2", retry_rejected=True)
    assert result.sent == 0
    assert rig.account.admin("summary")["posts"]["received"] == received
    assert rig.batch(key)["state"] == "posted"
    rig.assert_whole(5)


def test_bad_documents_never_stop_the_rest_of_the_batch(rig: Rig, tmp_path: Path) -> None:
    mapping = edited(tmp_path, items="NOSUCH,999999\n")
    unknown_item = builders.document("700001", builders.line(), builders.line(2, item="NOSUCH"))
    locked, missing_value = builders.document("700002"), builders.document("700003")
    rig.account.switch(
        faults=[
            {"fault": "refuse_workflow", "external_ids": ["INV-700002"]},
            {
                "fault": "refuse",
                "external_ids": ["INV-700003"],
                "detail": "Please enter value(s) for: Location",
                "path": "location",
            },
        ]
    )
    key = rig.planned([unknown_item, locked, missing_value, *invoices(997)])
    result = rig.post(key, mapping=mapping)
    assert result.stopped is None
    assert rig.counts() == {"posted": 997, "rejected": 3}
    assert rig.account.admin("summary")["invoice"]["count"] == 997
    assert rig.batch(key)["state"] == "attention"
    (refused,) = rig.log("700001")
    assert (refused["outcome"], refused["http_status"], refused["code"]) == ("refused", 400, "INVALID_CONTENT")
    assert refused["path"] == "item.items[1].item"
    assert "999999" in refused["detail"]
    assert "locked by a user defined workflow" in rig.log("700002")[0]["detail"]
    assert rig.log("700003")[0]["path"] == "location"


def test_a_document_in_a_closed_period_is_rejected_and_lands_after_the_period_opened_and_a_requeue(rig: Rig) -> None:
    rig.account.switch(closed_periods=["2010-10"])
    key = rig.planned([builders.document("700001", document_date=date(2010, 10, 5))])
    rig.post(key)
    assert rig.counts() == {"rejected": 1}
    assert "posting period" in rig.log("700001")[0]["detail"]
    rig.account.switch(closed_periods=[])
    assert requeue(rig.state, None, AFTER) == 1
    assert rig.post_planned() == 1
    rig.assert_whole(1)


def test_a_person_who_materializes_the_batch_again_retries_its_rejected_documents(rig: Rig) -> None:
    rig.account.switch(faults=[{"fault": "refuse_workflow", "next": 1}])
    key = rig.planned(invoices(1))
    rig.post(key)
    assert rig.counts() == {"rejected": 1}
    assert rig.post(key, "sensor").sent == 0
    rig.post(key, "person", retry_rejected=True)
    rig.assert_whole(1)
    assert [(row["attempt"], row["outcome"]) for row in rig.log("500000")] == [(1, "refused"), (2, "landed")]


def test_an_amount_above_ten_thousand_million_is_posted_to_the_cent(rig: Rig) -> None:
    rig.post(rig.planned([builders.document("700001", builders.line(amount="9876543210123.45"))]))
    rig.assert_whole(1)


CANNOT_CARRY = {
    "an item left the table": ({"without_item": builders.OTHER_ITEM}, "ITEM_UNMAPPED"),
    "the currency left the mapping": ({"replace": {'GBP: {id: "1"': 'USD: {id: "2"'}}, "CURRENCY_UNSUPPORTED"),
    "the period was closed in the mapping": (
        {"replace": {"closed_through:": "closed_through: 2010-11-30"}},
        "PERIOD_CLOSED",
    ),
    "the prefix of external ids was changed": ({"replace": {"invoice: INV-": "invoice: RE-"}}, "FIELD_UNMAPPED"),
}


@pytest.mark.parametrize("change", CANNOT_CARRY)
def test_a_document_that_the_mapping_no_longer_carries_is_held_and_lands_when_it_does_again(
    rig: Rig, tmp_path: Path, change: str
) -> None:
    how, code = CANNOT_CARRY[change]
    document = builders.document("700001", builders.line(), builders.line(2, item=builders.OTHER_ITEM))
    key = rig.planned([document])
    result = rig.post(key, mapping=edited(tmp_path, **how))  # type: ignore[arg-type]
    assert (result.sent, result.stopped) == (0, None)
    row = builders.staged(rig.state, "700001")
    assert (row["state"], row["batch"], builders.codes(row)) == ("held", None, [code])
    assert rig.account.admin("summary")["posts"]["received"] == 0
    set_state(rig.state, "700001", "ready")  # what the next staging does
    assert rig.post_planned() == 1
    rig.assert_whole(1)


def test_a_credit_memo_is_applied_to_its_invoice_by_netsuites_id(rig: Rig) -> None:
    (invoice,) = invoices(1)
    credit = builders.credit_memo("C1", "-0.50", applies_to=invoice.number)
    stage_rows(rig.state, [invoice, credit])
    assert rig.post_planned() == 1
    assert rig.counts() == {"posted": 1, "ready": 1}
    assert rig.post_planned() == 1
    rig.assert_whole(2)
    records = rig.records()
    shown = rig.account.show(f"creditMemo/{records['CM-C1']['id']}")
    (applied,) = [one for one in shown["apply"]["items"] if one.get("apply")]
    assert applied["doc"]["id"] == records["INV-500000"]["id"]
    assert Decimal(str(applied["amount"])) == Decimal("0.50")


def test_the_log_has_one_attempt_for_each_intent_with_all_that_came_of_it(rig: Rig) -> None:
    rig.account.switch(faults=[{"fault": "refuse_record_changed", "next": 2}])
    key = rig.planned(invoices(1))
    rig.post(key)
    log = rig.log("500000")
    assert [(row["attempt"], row["outcome"], row["http_status"]) for row in log] == [
        (1, "retry", 400),
        (1, "retry", 400),
        (1, "landed", 204),
    ]
    assert {(row["batch"], row["run_id"], row["epoch"], row["external_id"]) for row in log} == {
        (key, "run-1", 1, "INV-500000")
    }
    assert all(row["started_at"] < row["recorded_at"] for row in log)
    assert log[-1]["netsuite_id"] == rig.records()["INV-500000"]["id"]
    assert log[-1]["transaction_number"] == rig.records()["INV-500000"]["tranId"]


class _BrokenClient(NetSuiteClient):
    def create(self, *_args: object) -> Never:
        raise RuntimeError("nobody foresaw this")


def test_a_worker_that_breaks_ends_the_run_instead_of_letting_it_wait_for_ever(rig: Rig) -> None:
    key = rig.planned(invoices(3))
    with pytest.raises(RuntimeError, match="nobody foresaw this"):
        rig.post(key, client=_BrokenClient(rig.settings.of(NetSuiteSettings)))
    assert rig.post_until_done() >= 1
    rig.assert_whole(3)


def test_a_run_whose_batch_is_unlocked_stops_sending(rig: Rig) -> None:
    rig.account.switch(latency_median_ms=100, latency_sigma=0)
    key = rig.planned(invoices(400))
    caught: list[BaseException] = []

    def run() -> None:
        try:
            rig.post(key)
        except StaleLockError as error:
            caught.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    until(lambda: rig.account.admin("summary")["posts"]["received"])
    unlock(rig.state, key, AFTER)
    thread.join()
    assert len(caught) == 1
    received = rig.account.admin("summary")["posts"]["received"]
    assert received < 200
    time.sleep(0.5)
    assert rig.account.admin("summary")["posts"]["received"] == received
    rig.account.switch(latency_median_ms=0)
    rig.post_planned()
    rig.post_until_done()
    rig.assert_whole(400)


def test_two_runs_on_one_batch_at_once_send_each_document_once(rig: Rig) -> None:
    rig.account.switch(latency_median_ms=20, latency_sigma=0)
    key = rig.planned(invoices(60))
    results = []
    threads = [threading.Thread(target=lambda n=n: results.append(rig.post(key, f"run-{n}").sent)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [0, 60]
    rig.assert_whole(60)
    assert rig.account.admin("summary")["posts"]["received"] == 60


def test_a_run_that_only_reads_back_leaves_the_lanes_to_others(rig: Rig) -> None:
    """It used to keep all of them for as long as SuiteQL lagged behind."""
    rig = rig.changed({"read_back_seconds": 2 * PATIENCE_SECONDS})
    rig.account.switch(suiteql_lag_seconds=3600)
    account = account_of(rig.settings.of(NetSuiteSettings))
    key = rig.planned(invoices(20))
    thread = threading.Thread(target=rig.post, args=(key,))
    thread.start()
    until(lambda: rig.counts() == {"posted": 20})
    until(lambda: lanes_in_use(rig.state, account) == 1)
    with Lanes(rig.state_url, account, 15) as lanes:
        held = lanes.held
    rig.account.switch(suiteql_lag_seconds=0)
    thread.join()
    assert held == 14
    rig.assert_whole(20)


def test_a_look_up_and_a_post_together_stay_within_the_accounts_concurrency(rig: Rig) -> None:
    rig = rig.changed({"lanes": 2})
    rig.account.switch(concurrency_limit=2, latency_median_ms=30, latency_sigma=0)
    documents = invoices(40)
    stage_rows(rig.state, documents[:20])
    plan(rig.state, rig.settings.batches)
    stage_rows(rig.state, documents[20:])
    plan(rig.state, rig.settings.batches)
    threads = [
        threading.Thread(target=rig.post, args=(row["partition_key"], f"run-{n}"))
        for n, row in enumerate(rig.state.execute("select partition_key from billing.locked_batches").fetchall())
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rig.assert_whole(40)
    assert "429" not in rig.account.admin("requests")["statuses"]
