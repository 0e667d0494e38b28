"""Real processes, real SIGKILL and SIGSTOP: whatever is cut whenever, nothing is lost, doubled or a cent off."""

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from billing_assets_tests.faults.run_once import STALE
from billing_assets_tests.netsuite.rig import Rig, invoices

LEASE_SECONDS = 1.0
KILLS = 4
pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def patient(rig: Rig) -> Rig:
    """Slow enough to be caught in the act, and quick enough to look again."""
    rig.account.switch(latency_median_ms=60, latency_sigma=0.4)
    return rig.changed(timeout_seconds=5, max_request_seconds=0.8, read_back_seconds=0.3, lanes=6)


@contextmanager
def run(rig: Rig, key: str, run_id: str) -> Iterator[subprocess.Popen[str]]:
    """A run in a process of its own, which holds the batch when the block begins."""
    netsuite = rig.settings.netsuite
    orders: dict[str, Any] = {
        "url": rig.url,
        "key": key,
        "run_id": run_id,
        "lease_seconds": LEASE_SECONDS,
        "netsuite": {
            **{name: getattr(netsuite, name) for name in ("base_url", "certificate_id", "lanes", "timeout_seconds")},
            "max_request_seconds": netsuite.max_request_seconds,
            "read_back_seconds": netsuite.read_back_seconds,
            "client_id": rig.sandbox.credentials.client_id,
            "private_key_file": str(netsuite.private_key_file),
        },
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "billing_assets_tests.faults.run_once"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(orders))
        process.stdin.close()
        for text in process.stdout:
            if text.strip() == "locked":
                break
        yield process
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()


def test_a_run_that_is_killed_again_and_again_loses_and_doubles_nothing(patient: Rig) -> None:
    documents = 300
    key = patient.planned(invoices(documents))
    chance = random.Random()
    for number in range(KILLS):
        with run(patient, key, f"run-{number}") as process:
            time.sleep(chance.uniform(0.0, 0.7))
            process.send_signal(signal.SIGKILL)
            process.wait(10)
    assert patient.counts() != {"posted": documents}, "no kill came in time"
    assert patient.account.admin("summary")["invoice"]["count"] > 0
    patient.post_until_done(60)
    patient.assert_whole(documents)
    assert patient.account.admin("summary")["posts"]["refused_duplicate"] == 0


def test_kills_while_answers_are_lost_lose_and_double_nothing(patient: Rig) -> None:
    patient.account.switch(
        faults=[
            {"fault": "commit_then_drop", "probability": 0.1},
            {"fault": "html_502", "probability": 0.1},
            {"fault": "late_commit", "seconds": 0.5, "probability": 0.1},
        ]
    )
    documents = 150
    key = patient.planned(invoices(documents))
    chance = random.Random()
    for number in range(3):
        with run(patient, key, f"run-{number}") as process:
            time.sleep(chance.uniform(0.2, 0.8))
            process.send_signal(signal.SIGKILL)
            process.wait(10)
    patient.post_until_done(60)
    patient.assert_whole(documents)


def test_a_run_that_was_stopped_for_longer_than_its_lease_wakes_up_and_changes_nothing(patient: Rig) -> None:
    documents = 200
    key = patient.planned(invoices(documents))
    with run(patient, key, "run-stopped") as process:
        time.sleep(0.4)
        process.send_signal(signal.SIGSTOP)
        time.sleep(LEASE_SECONDS + 0.3)
        patient.post_until_done(60)
        before = snapshot(patient)
        posts = patient.account.admin("summary")["posts"]
        process.send_signal(signal.SIGCONT)
        assert process.wait(15) == STALE
    assert snapshot(patient) == before
    # What a worker was just writing to its socket when it was stopped may still arrive; nothing is created from it.
    late = patient.account.admin("summary")["posts"]
    assert late["created"] == posts["created"]
    assert late["received"] - posts["received"] <= patient.settings.netsuite.lanes
    patient.assert_whole(documents)


def snapshot(rig: Rig) -> list[object]:
    tables = ("staged_invoices", "locked_batches", "posting_attempts", "posting_outcomes")
    return [rig.state.execute(f"select * from billing.{name} order by 1").fetchall() for name in tables]  # noqa: S608
