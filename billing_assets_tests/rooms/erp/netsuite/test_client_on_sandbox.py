"""The client against a server that was built from the specification, with both ways of logging in."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from billing_assets.erp.netsuite.client import NetSuiteClient
from billing_assets.erp.settings import NetSuiteSettings
from billing_assets.posting.answers import Exists, Landed, Refused, Retry, Unauthorized, Unknown
from billing_assets.sandbox.netsuite.process import RunningSandbox, start_sandbox
from proving.world.raw_server import write_key


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    lists = {
        "customer": [{"id": "7", "externalId": "17850"}],
        "item": [{"id": "9", "externalId": "85123A"}],
        "subsidiary": [{"id": "1"}],
    }
    with start_sandbox(tmp_path_factory.mktemp("netsuite sandbox"), references=lists) as running:
        yield running


def sandbox_settings(sandbox: RunningSandbox, auth: str) -> NetSuiteSettings:
    own = sandbox.credentials
    return NetSuiteSettings.model_validate(
        {
            "account": own.account,
            "base_url": sandbox.base_url,
            "auth": auth,
            "client_id": own.client_id,
            "certificate_id": own.certificate_id,
            "private_key_file": own.private_key_file,
            "consumer_key": own.consumer_key,
            "consumer_secret": own.consumer_secret,
            "token_id": own.token_id,
            "token_secret": own.token_secret,
            "timeout_seconds": 5,
        }
    )


def invoice(external_id: str, item: str = "9", **values: object) -> bytes:
    line = {"item": {"id": item}, "quantity": 2, "rate": 1.5, "amount": 3}
    return json.dumps(
        {
            "externalId": external_id,
            "entity": {"id": "7"},
            "subsidiary": {"id": "1"},
            "currency": {"id": "1"},
            "tranDate": "2010-11-30",
            "item": {"items": [line]},
            **values,
        }
    ).encode()


@pytest.mark.parametrize("auth", ["oauth2", "tba"])
def test_the_sandbox_creates_refuses_and_recognises(sandbox: RunningSandbox, auth: str) -> None:
    client = NetSuiteClient(sandbox_settings(sandbox, auth))
    landed = client.create("invoice", invoice(f"INV-{auth}"))
    assert isinstance(landed, Landed)
    assert client.get(f"record/v1/invoice/eid:INV-{auth}")["id"] == landed.remote_id
    assert isinstance(client.create("creditMemo", invoice(f"INV-{auth}")), Exists)
    refused = client.create("invoice", invoice("INV-X", item="9999"))
    assert isinstance(refused, Refused)
    assert refused.path is not None
    assert "item" in refused.path
    misspelt = client.create("invoice", invoice("INV-X", externalld="INV-X"))
    assert isinstance(misspelt, Refused)


@pytest.mark.parametrize("fault", ["commit_then_drop", "commit_then_500", "drop_without_commit", "html_502"])
def test_the_sandboxs_faults_leave_the_outcome_open(sandbox: RunningSandbox, fault: str) -> None:
    client = NetSuiteClient(sandbox_settings(sandbox, "oauth2"))
    sandbox.control.switch(faults=[{"fault": fault, "next": 1}])
    assert isinstance(client.create("invoice", invoice(f"INV-{fault}")), Unknown)
    again = client.create("invoice", invoice(f"INV-{fault}"))
    assert isinstance(again, Exists if fault.startswith("commit") else Landed)


def test_the_sandboxs_answer_to_too_many_is_to_come_again(sandbox: RunningSandbox) -> None:
    client = NetSuiteClient(sandbox_settings(sandbox, "oauth2"))
    sandbox.control.switch(faults=[{"fault": "refuse_concurrency", "next": 1}])
    found = client.create("invoice", invoice("INV-BUSY"))
    assert isinstance(found, Retry)
    assert found.throttled
    assert isinstance(client.create("invoice", invoice("INV-BUSY")), Landed)


def test_a_token_that_expires_in_the_middle_is_not_noticed(tmp_path: Path) -> None:
    with start_sandbox(tmp_path, switches={"token_lifetime_seconds": 0.5}) as short:
        client = NetSuiteClient(sandbox_settings(short, "oauth2"))
        for _ in range(3):
            assert client.suiteql_page("SELECT id FROM transaction", limit=10, offset=0)["items"] == []
            time.sleep(0.7)


def test_a_wrong_signature_is_refused_by_the_sandbox(sandbox: RunningSandbox, tmp_path: Path) -> None:
    token = sandbox_settings(sandbox, "tba").model_copy(update={"account": "OTHER_1"})
    assert isinstance(NetSuiteClient(token).create("invoice", invoice("INV-Y")), Unauthorized)
    other_key = write_key(tmp_path / "other.pem")
    certificate = sandbox_settings(sandbox, "oauth2").model_copy(update={"private_key_file": other_key})
    assert isinstance(NetSuiteClient(certificate).create("invoice", invoice("INV-Y")), Unauthorized)
