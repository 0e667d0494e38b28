"""Answers that say nothing: the document is looked up, its absence counts only when due, and nothing is sent twice."""

import time
from typing import Any

import pytest

from billing_assets.erp.netsuite import store as posting
from billing_assets.erp.netsuite.errors import NetSuiteUnavailable
from billing_assets.posting.attempts import Intent, record_intents
from proving.world.rig import Rig, invoices

LANDED_ALL_THE_SAME: dict[str, dict[str, Any]] = {
    "500 after saving": {"fault": "commit_then_500"},
    "connection cut after saving": {"fault": "commit_then_drop"},
}
NEVER_LANDED: dict[str, dict[str, Any]] = {
    "500 without saving": {"fault": "error_500_without_commit"},
    "connection cut without saving": {"fault": "drop_without_commit"},
    "a gateway's page": {"fault": "html_502"},
    "a gateway's timeout": {"fault": "html_502", "status": 504},
}


@pytest.mark.parametrize("fault", LANDED_ALL_THE_SAME)
def test_what_landed_without_an_answer_is_found_in_the_same_run(rig: Rig, fault: str) -> None:
    key = rig.planned(invoices(60))
    rig.account.switch(faults=[{**LANDED_ALL_THE_SAME[fault], "external_ids": ["INV-500007", "INV-500011"]}])
    assert rig.post(key).stopped is None
    assert rig.outcomes("500007") == ["unknown", "found"]
    rig.assert_whole(60)
    assert rig.account.admin("summary")["posts"]["received"] == 60


def test_what_did_not_land_is_sent_again_only_after_its_absence_counts(rig: Rig) -> None:
    """One document for each way in which a request goes astray, as all of them wait equally long."""
    rig = rig.changed({"max_request_seconds": 1.5, "read_back_seconds": 0.1})
    astray = {str(500_001 + n): fault for n, fault in enumerate(NEVER_LANDED.values())}
    rig.account.switch(
        faults=[{**fault, "external_ids": [f"INV-{number}"], "next": 1} for number, fault in astray.items()]
    )
    key = rig.planned(invoices(8))
    rig.post(key)
    assert rig.counts() == {"posted": 4, "posting": 4}
    rig.post(key, "too early", retry_rejected=True)
    assert rig.counts() == {"posted": 4, "posting": 4}
    assert rig.account.admin("summary")["posts"]["received"] == 8
    rig.post_until_done()
    for number, fault in astray.items():
        assert rig.outcomes(number) == ["unknown", "absent", "landed"], fault
        (unknown, absent, _) = rig.log(number)
        assert (absent["recorded_at"] - unknown["recorded_at"]).total_seconds() >= 1.6, fault
    rig.assert_whole(8)
    assert rig.account.admin("summary")["posts"]["received"] == 12


def test_a_document_that_lands_after_we_gave_up_waiting_is_found_and_never_sent_again(rig: Rig) -> None:
    rig = rig.changed({"timeout_seconds": 0.5, "max_request_seconds": 6, "read_back_seconds": 0.2})
    rig.account.switch(faults=[{"fault": "late_commit", "seconds": 4, "external_ids": ["INV-500001"]}])
    key = rig.planned(invoices(5))
    rig.post(key)
    assert rig.counts() == {"posted": 4, "posting": 1}
    rig.post(key, "in between")
    assert rig.counts() == {"posted": 4, "posting": 1}
    rig.post_until_done()
    assert rig.outcomes("500001") == ["unknown", "found"]
    rig.assert_whole(5)
    assert rig.account.admin("summary")["posts"]["received"] == 5


def test_while_suiteql_lags_an_unknown_document_is_not_taken_for_absent(rig: Rig) -> None:
    rig = rig.changed({"max_request_seconds": 0.5, "read_back_seconds": 1.5})
    rig.account.switch(suiteql_lag_seconds=1, faults=[{"fault": "commit_then_drop", "external_ids": ["INV-500001"]}])
    key = rig.planned(invoices(5))
    rig.post(key)
    rig.post_until_done()
    rig.assert_whole(5)
    assert rig.account.admin("summary")["posts"]["received"] == 5


def test_posted_documents_that_suiteql_does_not_show_in_time_are_read_back_by_a_later_run(rig: Rig) -> None:
    rig = rig.changed({"max_request_seconds": 0.2, "read_back_seconds": 0.3})
    rig.account.switch(suiteql_lag_seconds=3600)
    key = rig.planned(invoices(5))
    rig.post(key)
    assert rig.counts() == {"posted": 5}
    assert rig.batch(key)["state"] == "attention"
    rig.account.switch(suiteql_lag_seconds=0)
    assert rig.post_until_done() >= 1
    rig.assert_whole(5)


def test_answers_without_an_outcome_one_after_the_other_stop_the_run_before_the_whole_batch_is_unknown(
    rig: Rig,
) -> None:
    rig.account.switch(faults=[{"fault": "html_502"}])
    key = rig.planned(invoices(300))
    result = rig.post(key)
    assert result.stopped is not None
    assert "answers in a row had no outcome" in result.stopped
    assert "502" in result.stopped
    counts = rig.counts()
    assert counts["posting"] < 150, "long before the whole batch; how many are on their way is up to the machine"
    assert counts["posting"] + counts["batched"] == 300
    rig.account.switch(faults=[])
    rig.post_until_done()
    rig.assert_whole(300)


def test_a_storm_of_every_unknown_ends_with_every_document_once(rig: Rig) -> None:
    faults: list[dict[str, Any]] = [
        {"fault": "commit_then_drop", "probability": 0.1},
        {"fault": "commit_then_500", "probability": 0.1},
        {"fault": "html_502", "probability": 0.1},
        {"fault": "drop_without_commit", "probability": 0.1},
        {"fault": "late_commit", "seconds": 0.7, "probability": 0.03},
        {"fault": "refuse_concurrency", "probability": 0.1},
        {"fault": "refuse_record_changed", "probability": 0.1},
    ]
    rig = rig.changed({"timeout_seconds": 0.4, "max_request_seconds": 2, "read_back_seconds": 0.4})
    rig.account.switch(suiteql_lag_seconds=0.2, faults=faults)
    key = rig.planned(invoices(200))
    rig.post(key)
    rig.post_until_done()
    rig.assert_whole(200)
    assert rig.account.admin("summary")["posts"]["refused_duplicate"] == 0


def test_an_attempt_whose_run_ended_without_a_word_counts_from_when_the_next_run_noted_it(rig: Rig) -> None:
    """The run may have sent it long after the intent, at any time until it lost its hold."""
    rig = rig.changed({"max_request_seconds": 1, "read_back_seconds": 0.1})
    key = rig.planned(invoices(1))
    with rig.hold(key) as (connection, lease):
        (one,) = posting.next_to_send(connection, lease.lock, 1)
        record_intents(connection, lease.lock, {one.id: Intent(b"{}")})
        time.sleep(1.3)
    rig.post(key, "run-2")
    assert rig.counts() == {"posting": 1}
    assert rig.outcomes("500000") == ["unknown"]
    rig.post_until_done()
    rig.assert_whole(1)
    assert [(row["attempt"], row["outcome"]) for row in rig.log("500000")] == [
        (1, "unknown"),
        (1, "absent"),
        (2, "landed"),
    ]


def test_when_netsuite_cannot_be_asked_about_an_open_attempt_nothing_is_sent(rig: Rig) -> None:
    rig.account.switch(faults=[{"fault": "drop_without_commit", "next": 1}])
    key = rig.planned(invoices(1))
    rig.post(key)
    rig.account.switch(faults=[{"fault": "html_502", "operations": ["suiteql"]}])
    deaf = rig.changed({"timeout_seconds": 0.4})
    time.sleep(0.6)
    with pytest.raises(NetSuiteUnavailable):
        deaf.post(key, "run-2")
    assert rig.counts() == {"posting": 1}
    assert rig.account.admin("summary")["posts"]["received"] == 1
    rig.account.switch(faults=[])
    rig.post_until_done()
    rig.assert_whole(1)
