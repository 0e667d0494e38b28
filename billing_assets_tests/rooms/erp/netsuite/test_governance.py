"""NetSuite's own word on its lanes: heeded where it is lower than the settings, and never a reason to stop."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from billing_assets.erp.netsuite.client import NetSuiteClient
from billing_assets.erp.netsuite.errors import NetSuiteAnswerUnreadable
from billing_assets.erp.netsuite.governance import heeding_governance
from billing_assets.erp.netsuite.wire import account_of
from billing_assets.erp.settings import NetSuiteSettings
from billing_assets.foundation.database.connection import connect
from billing_assets.posting.lanes import QUESTIONS, Lanes, lanes_in_use
from proving.world.raw_server import Call, certificate_settings, raw_server, write_key
from proving.world.rig import Rig
from proving.world.waiting import until

ACCOUNT = {"accountConcurrencyLimit": 25, "accountUnallocatedConcurrencyLimit": 8}
ANSWERS = {
    "its own": ({**ACCOUNT, "integrationConcurrencyLimit": 5, "integrationLimitType": "integrationSpecific"}, 5),
    "the account's": ({**ACCOUNT, "integrationLimitType": "accountLimit"}, 8),
    "none": ({**ACCOUNT, "integrationLimitType": "internal"}, None),
    "of a kind to come": ({**ACCOUNT, "integrationLimitType": "another"}, None),
}


@pytest.mark.parametrize("of", ANSWERS)
def test_the_limit_is_the_integrations_own_or_what_the_account_has_left_for_all_without_one(
    of: str, tmp_path: Path
) -> None:
    """The answers of NetSuite's help page "GovernanceLimits Operation"."""
    answer, limit = ANSWERS[of]
    with raw_server(lambda call: call.answer(200, json.dumps(answer).encode())) as server:
        client = NetSuiteClient(certificate_settings(server.base_url, write_key(tmp_path / "key.pem")))
        assert client.concurrency_limit() == limit
        client.close()
        assert server.calls[0].head.startswith("GET /services/rest/system/v1/governanceLimits HTTP/1.1")


@pytest.mark.parametrize("limit", [None, "many", -1, 2.5, {}])
def test_a_limit_that_is_no_number_is_none_that_lanes_could_be_set_by(limit: object, tmp_path: Path) -> None:
    answer = {"integrationLimitType": "integrationSpecific", "integrationConcurrencyLimit": limit}

    def behaviour(call: Call) -> bool:
        return call.answer(200, json.dumps(answer).encode())

    with raw_server(behaviour) as server:
        client = NetSuiteClient(certificate_settings(server.base_url, write_key(tmp_path / "key.pem")))
        with pytest.raises(NetSuiteAnswerUnreadable):
            client.concurrency_limit()
        client.close()


@contextmanager
def heeding(rig: Rig, limit: int = 15) -> Iterator[Lanes]:
    """The lanes of a run that NetSuite has told what it allows."""
    client = NetSuiteClient(rig.settings.of(NetSuiteSettings))
    account = account_of(rig.settings.of(NetSuiteSettings))
    with Lanes(rig.state_url, account, limit, at_first=QUESTIONS) as lanes:
        with heeding_governance(client, lanes):
            lanes.refresh()
        lanes.refresh()
        yield lanes
    client.close()


def in_use(rig: Rig) -> int:
    with connect(rig.state_url) as connection:
        return lanes_in_use(connection, account_of(rig.settings.of(NetSuiteSettings)))


def test_runs_share_the_fewer_lanes_that_netsuite_allows(rig: Rig) -> None:
    rig.account.switch(governance="accountLimit", concurrency_limit=4)
    with heeding(rig) as one:
        assert one.held == in_use(rig) == 4
        with heeding(rig) as other:
            for _ in range(4):
                one.refresh()
                other.refresh()
            assert (one.held, other.held) == (2, 2)
            assert in_use(rig) == 4
        until(lambda: one.refresh() == 4)  # the server notices the end of the other's connection itself


def test_the_settings_stay_the_most_so_that_other_integrations_keep_their_share(rig: Rig) -> None:
    rig.account.switch(governance="integrationSpecific", concurrency_limit=40)
    with heeding(rig, limit=10) as lanes:
        assert lanes.held == 10


def test_until_netsuite_has_said_what_it_allows_a_run_asks_and_does_not_send(rig: Rig) -> None:
    rig.account.switch(governance="integrationSpecific", concurrency_limit=4, latency_median_ms=500)
    client = NetSuiteClient(rig.settings.of(NetSuiteSettings))
    account = account_of(rig.settings.of(NetSuiteSettings))
    with Lanes(rig.state_url, account, 15, at_first=QUESTIONS) as lanes:
        with heeding_governance(client, lanes):
            assert lanes.refresh() == QUESTIONS  # what it may send on is not known
            assert lanes.acquire(1)  # and its own questions do not wait for the answer
            lanes.release()
        assert lanes.refresh() == 4
    client.close()


def test_a_role_that_may_not_know_works_with_the_settings(rig: Rig) -> None:
    rig.account.switch(governance="forbidden", concurrency_limit=4)
    with heeding(rig) as lanes:
        assert lanes.held == 15
    assert rig.account.admin("requests")["statuses"]["403"] >= 1


def test_a_netsuite_that_is_down_is_no_reason_not_to_begin(rig: Rig) -> None:
    rig = rig.changed({"base_url": "http://127.0.0.1:9"})
    with heeding(rig) as lanes:
        assert lanes.held == 15
