"""Every row of NetSuite's error table, as one run meets it: what is refused, what is repeated, what stops the run."""

from typing import Any

import orjson
import pytest
from pydantic import SecretStr

from billing_assets.erp.batches.store import wanting_a_run
from billing_assets.erp.batches.unlocking import requeue
from billing_assets.erp.netsuite import found_transactions
from billing_assets.posting import retries
from billing_assets.sandbox.netsuite.process import start_sandbox
from proving.world import builders
from proving.world.rig import Rig, invoices
from proving.world.world import netsuite_settings, seeded

AFTER = 960.0


@pytest.fixture
def few_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two sendings instead of eight, for what fails for good."""
    monkeypatch.setattr(retries, "TRIES", 2)


def payload(number: str = "500000") -> bytes:
    (document,) = [one for one in invoices(1) if one.number == number]
    return builders.body(builders.shipped_mapping(), document)


def put_in_netsuite(rig: Rig, **changes: Any) -> None:
    """A record under the external id of the first invoice, entered by somebody else."""
    body = {
        "externalId": "INV-500000",
        "entity": {"id": "1001"},
        "subsidiary": {"id": "1"},
        "tranDate": "2010-11-05",
        "currency": {"id": "1"},
        "item": {"items": [{"item": {"id": "101"}, "quantity": 1, "rate": 1.07, "amount": 1.07}]},
    }
    rig.account.created(body | changes)


def test_the_same_document_already_in_netsuite_is_taken_for_posted(rig: Rig) -> None:
    answer = rig.account.session.post(
        f"{rig.account.base_url}/services/rest/record/v1/invoice",
        data=payload(),
        headers={"Content-Type": "application/json"},
        timeout=30,
    )
    assert answer.status_code == 204, answer.text
    key = rig.planned(invoices(2))
    rig.post_what_netsuite_has(key)
    assert rig.outcomes("500000") == ["exists", "found"]
    assert rig.account.admin("summary")["posts"]["refused_duplicate"] == 1
    rig.assert_whole(2)


@pytest.mark.parametrize(
    ("theirs", "said"),
    [
        ({"entity": {"id": "1002"}}, "entity 1002 instead of 1001"),
        ({"tranDate": "2010-11-06"}, "date 2010-11-06 instead of 2010-11-05"),
        ({"item": {"items": [{"item": {"id": "101"}, "amount": 1.08}]}}, "total 1.08 instead of 1.07"),
        ({"item": {"items": [{"item": {"id": "102"}, "quantity": 1, "amount": 1.07}]}}, "other lines than were sent"),
    ],
)
def test_another_document_under_our_external_id_is_never_taken_for_ours(
    rig: Rig, theirs: dict[str, Any], said: str
) -> None:
    put_in_netsuite(rig, **theirs)
    key = rig.planned(invoices(2))
    rig.post_what_netsuite_has(key)
    assert rig.counts() == {"differs": 1, "posted": 1}
    last = rig.log("500000")[-1]
    assert (last["outcome"], last["code"]) == ("conflict", "EXTERNAL_ID_CONFLICT")
    assert last["netsuite_id"] == rig.records()["INV-500000"]["id"]
    assert said in last["detail"]
    assert rig.account.admin("summary")["invoice"]["count"] == 2


def test_an_external_id_in_another_case_with_all_else_equal_is_ours(rig: Rig) -> None:
    """NetSuite compares external ids without regard to case: nobody else's can be there beside it."""
    body = orjson.loads(payload()) | {"externalId": "inv-500000"}
    rig.account.created(body)
    key = rig.planned(invoices(2))
    rig.post_what_netsuite_has(key)
    assert rig.counts() == {"posted": 2}
    assert rig.outcomes("500000") == ["exists", "found"]
    assert rig.batch(key)["state"] == "posted", "it was read back by its look-up"
    assert rig.account.admin("summary")["invoice"]["count"] == 2


def test_an_external_id_that_netsuite_has_but_never_shows_differs_for_that_reason(rig: Rig) -> None:
    detail = "Error while accessing a resource. This record already exists."
    rig.account.switch(faults=[{"fault": "refuse", "detail": detail}])
    key = rig.planned(invoices(1))
    rig.post(key)
    assert rig.counts() == {"posting": 1}
    assert rig.post_until(lambda: rig.counts() == {"differs": 1}) >= 1
    assert rig.log("500000")[-1]["code"] == "EXTERNAL_ID_HIDDEN"
    assert rig.account.admin("summary")["posts"]["received"] == 1


REFUSALS: dict[str, dict[str, Any]] = {
    "unknown record": {"status": 404, "code": "NONEXISTENT_ID", "detail": "Record does not exist."},
    "missing value": {"detail": "Please enter value(s) for: Terms", "path": "terms"},
    "invalid content": {
        "code": "INVALID_CONTENT",
        "detail": "Invalid Field Value 9999 for the following field: item",
        "path": "item.items[0].item",
    },
    "closed period": {"detail": "Error: No valid, open, posting period for date 11/5/2010"},
    "outside its period": {"detail": "The transaction date does not fall between the dates of the period."},
    "workflow lock": {"detail": "This record has been locked by a user defined workflow."},
    "negative total": {"detail": "The total can not be negative"},
}


@pytest.mark.parametrize("row", REFUSALS)
def test_a_refusal_is_kept_with_code_path_and_text_and_is_not_sent_again(rig: Rig, row: str) -> None:
    rule: dict[str, Any] = {"fault": "refuse", "external_ids": ["INV-500000"], **REFUSALS[row]}
    rig.account.switch(faults=[rule])
    key = rig.planned(invoices(3))
    assert rig.post(key).stopped is None
    assert rig.counts() == {"rejected": 1, "posted": 2}
    (noted,) = rig.log("500000")
    assert (noted["http_status"], noted["code"]) == (rule.get("status", 400), rule.get("code", "USER_ERROR"))
    assert noted["path"] == rule.get("path")
    assert rule["detail"] in noted["detail"]
    assert rig.account.admin("summary")["posts"]["received"] == 3
    rig.account.switch(faults=[])
    assert requeue(rig.state, None, AFTER) == 1
    rig.post_planned()
    rig.assert_whole(3)


def test_a_refusal_in_words_that_nobody_knows_is_looked_up_before_it_goes_to_the_dead_letters(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be `already exists` in another language; it was entered after the run had looked."""
    monkeypatch.setattr(found_transactions, "look", lambda *_: 0)
    rig.account.created(orjson.loads(payload()))
    words = {"fault": "refuse", "detail": "Dieser Datensatz ist bereits vorhanden.", "path": "externalId"}
    rig.account.switch(faults=[words])
    key = rig.planned(invoices(2))
    rig.post(key)
    assert rig.counts() == {"posted": 1, "rejected": 1}
    assert rig.outcomes("500000") == ["refused", "found"]
    last = rig.log("500001")[-1]
    assert (last["outcome"], last["http_status"], last["path"], last["detail"]) == (
        "absent",
        400,
        "externalId",
        "Dieser Datensatz ist bereits vorhanden.",
    )


REPEATED: dict[str, dict[str, Any]] = {
    "record changed": {"fault": "refuse_record_changed"},
    "concurrency limit": {"fault": "refuse_concurrency"},
    "request limit": {"fault": "refuse_request_limit"},
    "login": {"fault": "refuse_unauthorized"},
}


@pytest.mark.parametrize("row", REPEATED)
def test_what_netsuite_did_nothing_about_is_sent_again_in_the_same_run(rig: Rig, row: str) -> None:
    rig.account.switch(faults=[{**REPEATED[row], "next": 6}])
    key = rig.planned(invoices(10))
    assert rig.post(key).stopped is None
    rig.assert_whole(10)


@pytest.mark.usefixtures("few_tries")
def test_a_document_that_netsuite_puts_off_again_and_again_is_left_for_the_next_run_and_stops_nobody(rig: Rig) -> None:
    rig.account.switch(faults=[{"fault": "refuse_record_changed", "external_ids": ["INV-500003"]}])
    key = rig.planned(invoices(200))
    assert rig.post(key).stopped is None
    assert rig.counts() == {"posted": 199, "batched": 1}
    assert {row["attempt"] for row in rig.log("500003")} == {1}, "taken up once a run"
    rig.account.switch(faults=[])
    rig.post(key)
    rig.assert_whole(200)


def test_the_request_limit_is_known_as_400_too(rig: Rig) -> None:
    rig.account.switch(request_limit_status=400, faults=[{"fault": "refuse_request_limit", "next": 3}])
    key = rig.planned(invoices(5))
    rig.post(key)
    rig.assert_whole(5)
    assert rig.lane_stats is not None
    assert rig.lane_stats.throttled == 3


def test_a_storm_of_429_shrinks_the_lanes_and_everything_lands(rig: Rig) -> None:
    rig.account.switch(concurrency_limit=3, latency_median_ms=20, latency_sigma=0)
    key = rig.planned(invoices(100))
    assert rig.post(key).stopped is None
    rig.assert_whole(100)
    assert rig.lane_stats is not None
    assert rig.lane_stats.throttled > 0
    assert rig.lane_stats.allowance < 8


def test_an_expired_token_is_renewed_and_the_run_goes_on(rig: Rig) -> None:
    rig.account.switch(token_lifetime_seconds=1, latency_median_ms=150, latency_sigma=0)
    key = rig.planned(invoices(200))
    assert rig.post(key).stopped is None
    rig.assert_whole(200)


@pytest.mark.usefixtures("few_tries")
@pytest.mark.parametrize(
    ("rule", "reason", "received"),
    [
        ({"fault": "refuse_unauthorized"}, "refused the login", 200),
        ({"fault": "refuse_permission"}, "lacks a permission", 60),
        ({"fault": "refuse_concurrency"}, "too busy", 200),
    ],
)
def test_what_no_document_of_the_run_survives_stops_the_run_and_loses_nothing(
    rig: Rig, rule: dict[str, Any], reason: str, received: int
) -> None:
    rig.account.switch(faults=[rule])
    key = rig.planned(invoices(300))
    result = rig.post(key)
    assert result.stopped is not None
    assert reason in result.stopped
    assert rig.counts() == {"batched": 300}
    summary = rig.account.admin("summary")
    assert summary["posts"]["received"] <= received
    assert summary["invoice"]["count"] == 0
    assert rig.batch(key)["state"] == "attention"
    rig.account.switch(faults=[])
    assert rig.post_until_done() == 1
    rig.assert_whole(300)


@pytest.mark.usefixtures("few_tries")
def test_wrong_credentials_stop_the_run_with_the_setting_named(rig: Rig) -> None:
    key = rig.planned(invoices(20))
    result = rig.changed({"client_id": SecretStr("nobody-known")}).post(key)
    assert result.stopped is not None
    assert "refused the login" in result.stopped
    assert "BILLING_NETSUITE__CLIENT_ID" in result.stopped
    assert wanting_a_run(rig.state, pause_seconds=600) == [], "a person has to fix it: the batch rests"
    assert rig.counts() == {"batched": 20}
    assert rig.account.admin("summary")["posts"]["received"] == 0
    assert rig.post_until_done() == 1
    rig.assert_whole(20)


@pytest.mark.usefixtures("few_tries")
def test_while_netsuite_is_down_the_run_fails_with_the_cause_and_the_next_one_goes_on(
    rig: Rig, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("down")
    with start_sandbox(folder) as sandbox:
        seeded(sandbox)
        port = sandbox.port
        netsuite = netsuite_settings(sandbox)
        down = rig.like(rig.settings.model_copy(update={"netsuite": netsuite}), sandbox=sandbox)
        key = down.planned(invoices(300))
        sandbox.kill()
        result = down.post(key)
    assert result.stopped is not None
    assert "cannot be reached" in result.stopped
    assert down.counts() == {"batched": 300}
    attempts = down.state.execute("select count(*) as n from billing.posting_attempts").fetchone()
    assert attempts == {"n": 0}, "NetSuite is asked what it has before anything is begun"
    with start_sandbox(folder, port=port) as again:
        up = down.like(sandbox=again, account=seeded(again))
        assert up.post_until_done() == 1
        up.assert_whole(300)
