"""Asynchronous requests: one record or a batch."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from proving.world.account import REST, Account, error, invoice
from proving.world.waiting import until

COLLECTION = "application/vnd.oracle.resource+json; type=collection"


def _submit(account: Account, bodies: list[dict[str, Any]], key: str | None = None) -> requests.Response:
    headers = {"Prefer": "respond-async", "Content-Type": COLLECTION}
    if key is not None:
        headers["X-NetSuite-Idempotency-Key"] = key
    return account.post("/record/v1/invoice", {"items": bodies}, headers=headers)


def _follow(account: Account, answer: requests.Response) -> list[requests.Response]:
    """All results of a job, as a client finds them: by links only."""
    assert answer.status_code == 202, answer.text
    location = answer.headers["Location"]
    url = location if location.startswith("http") else account.base_url + location
    until(lambda: account.session.get(url, timeout=30).json()["completed"])
    job = account.session.get(url, timeout=30).json()
    tasks = account.session.get(job["task"]["links"][0]["href"], timeout=30).json()
    urls = [link["href"] for item in tasks["items"] for link in item["links"]]
    results = [account.session.get(url, timeout=30).json()["result"]["links"][0]["href"] for url in urls]
    return [account.session.get(url, timeout=30) for url in results]


@pytest.mark.parametrize("location", ["relative", "absolute"])
@pytest.mark.parametrize("links", ["one_item", "item_each"])
def test_a_batch_gives_one_result_per_record(account: Account, location: str, links: str) -> None:
    account.switch(job_location=location, task_links=links)
    submitted = _submit(account, [invoice("INV-1"), invoice("INV-2", entity={"id": "0"}), invoice("inv-1")])
    assert submitted.headers["Location"].startswith("http" if location == "absolute" else f"{REST}/async/v1/job/")
    created, unknown, repeated = _follow(account, submitted)
    assert created.status_code == 204
    assert created.headers["Location"] == f"{account.base_url}{REST}/record/v1/invoice/1"
    assert error(unknown)[1::2] == ("INVALID_CONTENT", "entity")
    assert error(repeated)[2].endswith("This record already exists.")
    assert account.admin("summary")["posts"] == {"received": 3, "created": 1, "refused_duplicate": 1}
    assert account.show("invoice/1")["total"] == 20.4


def test_a_single_record_can_be_sent_asynchronously(account: Account) -> None:
    answer = account.create(invoice(), Prefer="respond-async")
    (result,) = _follow(account, answer)
    assert result.status_code == 204


@pytest.mark.parametrize("status", [400, 409])
def test_a_repeated_idempotency_key_points_at_the_first_job(account: Account, status: int) -> None:
    account.switch(idempotency_status=status)
    first = _submit(account, [invoice()], "key-1")
    again = _submit(account, [invoice()], "key-1")
    assert error(again)[:2] == (status, "IDEMPOTENCY_ERROR")
    assert again.headers["Location"] == first.headers["Location"]
    _follow(account, first)
    assert account.admin("summary")["invoice"]["count"] == 1


def test_a_synchronous_create_ignores_the_idempotency_key(account: Account) -> None:
    headers = {"X_NetSuite_Idempotency_Key": "key-2"}
    assert account.create(invoice(None), **headers).status_code == 204
    assert account.create(invoice(None), **headers).status_code == 204
    assert account.admin("summary")["invoice"]["count"] == 2


@pytest.mark.parametrize("processors", [2, 4])
def test_few_processors_work_on_jobs_one_record_after_another(account: Account, processors: int) -> None:
    account.switch(async_processors=processors, latency_median_ms=600, latency_sigma=0)
    batches = [[invoice(f"INV-{job}-{n}") for n in range(2)] for job in range(4)]
    started = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        assert [answer.status_code for answer in pool.map(lambda b: _submit(account, b), batches)] == [202] * 4
    until(lambda: account.admin("summary")["invoice"]["count"] == 8)
    seconds = time.monotonic() - started
    # submission 0.6 s, then 4 jobs of 1.2 s by two or by four
    assert seconds >= 3.0 if processors == 2 else 1.8 <= seconds < 3.0


def test_a_batch_has_limits(account: Account) -> None:
    for bodies in ([], [invoice(None)] * 101):
        assert error(_submit(account, bodies))[:2] == (400, "INVALID_CONTENT")
    assert error(account.get("/async/v1/job/99"))[0] == 404
    assert error(account.get("/async/v1/job/x/task"))[0] == 404


def test_a_fault_can_strike_the_submission(account: Account) -> None:
    account.switch(faults=[{"fault": "refuse_permission", "operations": ["batch"]}])
    assert error(_submit(account, [invoice()]))[0] == 403
