"""NetSuite or our database goes away in the midst of a batch: the run waits, goes on where it was, doubles nothing."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from billing_assets.erp.batches.store import wanting_a_run
from billing_assets.erp.netsuite.errors import NetSuiteUnavailable
from billing_assets.foundation.database.connection import libpq_url
from billing_assets.foundation.sections import BatchSettings
from proving.world.rig import Rig, invoices
from proving.world.waiting import PATIENCE_SECONDS, until

EVERYTHING = ["create", "suiteql"]
DOWN: dict[str, dict[str, Any]] = {
    "a gateway's page": {"fault": "html_502", "operations": EVERYTHING},
    "cut connections": {"fault": "drop_without_commit", "operations": EVERYTHING},
    "too many requests": {"fault": "refuse_concurrency", "operations": EVERYTHING},
}


@pytest.fixture
def asks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that waits asks NetSuite several times a second whether it is back."""
    monkeypatch.setattr("billing_assets.posting.outage._ASK_EVERY_SECONDS", 0.2)


@pytest.mark.usefixtures("asks_often")
@pytest.mark.parametrize("how", DOWN)
def test_a_run_waits_through_an_outage_and_posts_the_rest_when_it_is_over(rig: Rig, how: str) -> None:
    rig = rig.changed({"outage_seconds": 30, "max_request_seconds": 0.2, "read_back_seconds": 0.2})
    rig.account.switch(latency_median_ms=60)
    key = rig.planned(invoices(150))
    with ThreadPoolExecutor() as pool:
        running = pool.submit(rig.post, key)
        until(lambda: received(rig) > 10)
        rig.account.switch(faults=[DOWN[how]])
        time.sleep(1.5)
        assert not running.done(), "it waits"
        rig.account.switch(faults=[])
        result = running.result(PATIENCE_SECONDS)
    assert result.stopped is None, "one run came through"
    assert result.seconds > 1.5
    rig.post_until_done()
    rig.assert_whole(150)


@pytest.mark.usefixtures("asks_often")
def test_an_outage_that_lasts_ends_the_run_and_the_next_one_comes_without_a_rest(rig: Rig) -> None:
    rig = rig.changed({"outage_seconds": 1, "timeout_seconds": 1, "lanes": 2})
    rig.account.switch(latency_median_ms=60)
    key = rig.planned(invoices(60))
    with ThreadPoolExecutor() as pool:
        running = pool.submit(rig.post, key)
        until(lambda: received(rig) > 0)
        rig.account.switch(faults=[DOWN["a gateway's page"]])
        result = running.result(PATIENCE_SECONDS)
    assert result.stopped is not None
    assert "answers in a row had no outcome" in result.stopped
    assert [batch.partition_key for batch in wanting_a_run(rig.state, pause_seconds=600)] == [key]
    with pytest.raises(NetSuiteUnavailable):
        rig.post(key, "in the outage")
    assert rig.account.admin("summary")["posts"]["received"] < 60, "the rest was spared"
    rig.account.switch(faults=[])
    rig.post_until_done()
    rig.assert_whole(60)


def test_a_run_whose_connections_are_cut_again_and_again_goes_on_and_knows_what_it_sent(rig: Rig) -> None:
    rig = rig.changed({"outage_seconds": 30, "max_request_seconds": 900})
    rig.account.switch(latency_median_ms=40)
    documents = 300
    key = rig.planned(invoices(documents))
    stop = threading.Event()

    def cut() -> None:
        with psycopg.connect(libpq_url(rig.state_url), autocommit=True) as connection:
            while not stop.wait(0.25):
                connection.execute(
                    """
                    select pg_terminate_backend(pid) from pg_stat_activity
                    where application_name in ('billing', 'billing lease', 'billing lanes')
                      and pid <> %s and datname = current_database()""",
                    [rig.state.info.backend_pid],
                )

    cutter = threading.Thread(target=cut)
    cutter.start()
    threading.Timer(2, stop.set).start()
    result = rig.post_through_outages(key)
    cutter.join()
    assert result.stopped is None
    assert rig.counts() == {"posted": documents}, "none is left to wait for NetSuite's longest request time"
    rig.assert_whole(documents)
    assert rig.account.admin("summary")["posts"]["received"] == documents


def test_a_run_that_cannot_renew_its_lease_sends_nothing_until_it_can_and_then_the_rest(rig: Rig) -> None:
    """It took that for an outage of NetSuite, which answered, and ended red with most of its batch unsent."""
    rig.settings = rig.settings.model_copy(update={"batches": BatchSettings(lease_seconds=1)})
    rig.account.switch(latency_median_ms=100)
    key = rig.planned(invoices(200))
    with (
        ThreadPoolExecutor() as pool,
        psycopg.connect(libpq_url(rig.state_url)) as blocker,
    ):
        running = pool.submit(rig.post, key)
        until(lambda: received(rig) > 20)
        blocker.execute("select from billing.locked_batches for update")
        until(lambda: quiet_for_a_second(rig))
        assert received(rig) < 200
        blocker.rollback()
        result = running.result(PATIENCE_SECONDS)
    assert (result.sent, result.stopped) == (200, None)
    rig.assert_whole(200)


def quiet_for_a_second(rig: Rig) -> bool:
    """Whether nothing is sent for ten times as long as an answer takes."""
    before = received(rig)
    time.sleep(1)
    return received(rig) == before


def received(rig: Rig) -> int:
    """Requests to create that the sandbox has seen."""
    return int(rig.account.admin("summary")["posts"]["received"])
