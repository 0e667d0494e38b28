"""Every switch and every fault does what its name says."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from proving.world.account import Account, error, invoice
from proving.world.waiting import until


def _held(account: Account) -> int:
    count: int = account.admin("summary")["invoice"]["count"]
    return count


def _fault(account: Account, fault: str, **rule: Any) -> None:
    account.switch(faults=[{"fault": fault, **rule}])


@pytest.mark.parametrize(("fault", "held"), [("commit_then_drop", 1), ("drop_without_commit", 0)])
def test_the_connection_is_cut_after_or_before_saving(account: Account, fault: str, held: int) -> None:
    _fault(account, fault, next=1)
    with pytest.raises(requests.ConnectionError):
        account.create(invoice())
    assert _held(account) == held
    assert account.create(invoice()).status_code == (400 if held else 204)
    assert account.admin("requests")["statuses"]["dropped"] == 1


@pytest.mark.parametrize(("fault", "held"), [("commit_then_500", 1), ("error_500_without_commit", 0)])
def test_an_unexpected_error_says_nothing_about_the_record(account: Account, fault: str, held: int) -> None:
    _fault(account, fault)
    status, code, detail, _ = error(account.create(invoice()))
    assert (status, code) == (500, "UNEXPECTED_ERROR")
    assert detail.startswith("An unexpected error occurred. Error ID: ")
    assert _held(account) == held


@pytest.mark.parametrize("slow", [{"faults": [{"fault": "late_commit", "seconds": 2}]}, {"latency_tail": [1, 2000]}])
def test_a_record_is_saved_after_its_client_has_given_up(account: Account, slow: dict[str, Any]) -> None:
    account.switch(**slow)
    with pytest.raises(requests.ReadTimeout):
        requests.post(
            f"{account.base_url}/services/rest/record/v1/invoice",
            json=invoice(),
            headers=dict(account.session.headers),
            timeout=0.2,
        )
    assert _held(account) == 0
    until(lambda: _held(account) == 1)


def test_a_record_is_saved_at_once_and_answered_later(account: Account) -> None:
    _fault(account, "commit_then_delay", seconds=2)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(account.create, invoice())
        until(lambda: _held(account) == 1)
        assert not answer.done()
        assert answer.result().status_code == 204


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_gateway_answers_html(account: Account, status: int) -> None:
    _fault(account, "html_502", status=status)
    answer = account.create(invoice())
    assert (answer.status_code, answer.headers["Content-Type"][:9], _held(account)) == (status, "text/html", 0)


@pytest.mark.parametrize(
    ("fault", "row"),
    [
        ("refuse_workflow", (400, "USER_ERROR")),
        ("refuse_record_changed", (400, "USER_ERROR")),
        ("refuse_permission", (403, "INSUFFICIENT_PERMISSION")),
        ("refuse_unauthorized", (401, "INVALID_LOGIN")),
        ("refuse_concurrency", (429, "CONCURRENCY_LIMIT_EXCEEDED")),
        ("refuse_request_limit", (429, "SSS_REQUEST_LIMIT_EXCEEDED")),
    ],
)
def test_a_create_is_refused_with_a_row_of_netsuite_s_errors(
    account: Account, fault: str, row: tuple[int, str]
) -> None:
    _fault(account, fault, external_ids=["inv-1"])
    assert error(account.create(invoice("INV-1")))[:2] == row
    assert account.create(invoice("INV-2")).status_code == 204
    assert account.admin("summary")["posts"] == {"received": 2, "created": 1, "refused_duplicate": 0}


def test_details_of_the_refusals(account: Account) -> None:
    _fault(account, "refuse_record_changed")
    assert error(account.create(invoice()))[2].endswith("Record has been changed")
    _fault(account, "refuse", status=400, code="MY_CODE", detail="My text", path="memo")
    assert error(account.create(invoice())) == (400, "MY_CODE", "My text", "memo")
    account.switch(request_limit_status=400)
    _fault(account, "refuse_request_limit")
    assert error(account.create(invoice()))[:2] == (400, "SSS_REQUEST_LIMIT_EXCEEDED")


def test_a_workflow_lock_stops_reading_and_updating_but_not_suiteql(account: Account) -> None:
    _fault(account, "workflow_lock", external_ids=["INV-1"])
    account.created(invoice("INV-1"))
    account.created(invoice("INV-2"))
    url = f"{account.base_url}/services/rest/record/v1/invoice/eid:INV-1"
    for method in ("GET", "PATCH"):
        answer = account.session.request(method, url, json={}, timeout=30)
        assert error(answer)[:2] == (400, "USER_ERROR")
        assert error(answer)[2].endswith("This record has been locked by a user defined workflow.")
    assert account.show("invoice/eid:INV-2")["id"] == "2"
    assert account.rows("SELECT id FROM transaction WHERE externalid = 'INV-1'") == [{"id": "1"}]


def test_faults_can_be_narrowed_by_number_chance_type_and_operation(account: Account) -> None:
    _fault(account, "refuse_permission", next=2)
    assert [account.create(invoice(f"INV-{n}")).status_code for n in range(3)] == [403, 403, 204]
    assert account.admin("switches")["faults"][0]["next"] == 0
    _fault(account, "refuse_permission", probability=0.5)
    statuses = {account.create(invoice(f"A-{n}")).status_code for n in range(40)}
    assert statuses == {204, 403}
    _fault(account, "refuse_permission", record_types=["creditMemo"])
    assert account.create(invoice("B-1")).status_code == 204
    assert account.create(invoice("B-2"), "creditMemo").status_code == 403
    _fault(account, "html_502", operations=["suiteql"])
    assert account.query("SELECT id FROM transaction").status_code == 502
    assert account.create(invoice("B-3")).status_code == 204


def test_requests_beyond_the_account_s_limit_get_429_at_once(account: Account) -> None:
    account.switch(concurrency_limit=2, latency_median_ms=500, latency_sigma=0)
    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(account.create, [invoice(f"INV-{n}") for n in range(5)]))
    assert sorted(answer.status_code for answer in answers) == [204, 204, 429, 429, 429]
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert error(refused)[1:3] == ("CONCURRENCY_LIMIT_EXCEEDED", "Concurrent request limit exceeded. Request blocked.")
    assert refused.elapsed.total_seconds() < 0.4
    assert account.admin("requests")["most_in_flight"] == 2
    assert account.admin("requests")["in_flight"] == 0


def test_too_many_at_once_can_also_show_as_401_after_a_while(account: Account) -> None:
    account.switch(
        concurrency_limit=1, latency_median_ms=700, latency_sigma=0, over_limit="401", over_limit_401_seconds=0.3
    )
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(account.create, [invoice("INV-1"), invoice("INV-2")]))
    assert sorted(answer.status_code for answer in answers) == [204, 401]
    refused = next(answer for answer in answers if answer.status_code == 401)
    assert refused.elapsed.total_seconds() >= 0.3


def test_latency_has_a_median_a_spread_and_a_tail(account: Account) -> None:
    def seconds() -> float:
        return account.get("/record/v1/customer/17850").elapsed.total_seconds()

    account.switch(latency_median_ms=60, latency_sigma=0.5)
    times = sorted(seconds() for _ in range(15))
    assert 0.03 < times[7] < 0.2
    assert times[-1] > times[0] * 1.3
    account.switch(latency_tail=[1, 400])
    assert seconds() >= 0.4
    account.switch(latency_tail=[0, 400], latency_median_ms=0)
    assert seconds() < 0.3


@pytest.mark.parametrize(
    ("form", "status"),
    [("object", {"id": "Open", "refName": "Open"}), ("enum", {"id": "A", "refName": "Open"}), ("string", "Open")],
)
def test_a_status_has_three_forms(account: Account, form: str, status: object) -> None:
    account.switch(status_format=form)
    account.created(invoice())
    assert account.show("invoice/1")["status"] == status


def test_an_unknown_or_wrong_switch_changes_nothing(account: Account) -> None:
    before = account.admin("switches")
    for values in (
        {"latency": 1},
        {"concurrency_limit": 0},
        {"closed_periods": ["2010-13"]},
        {"faults": [{"fault": "nonsense"}]},
        {"faults": [{"fault": "html_502", "chance": 1}]},
        [1],
    ):
        answer = requests.put(f"{account.base_url}/sandbox/switches", json=values, timeout=30)
        assert answer.status_code == 400, values
        assert answer.json()["error"]
    assert account.admin("switches") == before
