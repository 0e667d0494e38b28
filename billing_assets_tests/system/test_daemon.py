"""The daemon path for real: sensor, queue, run and materialization, with a run killed in the middle of its posting."""

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import dagster as dg
import psycopg
import pytest

from billing_assets.foundation.database.connection import libpq_url
from billing_assets.sandbox.netsuite.process import RunningSandbox
from proving.world.account import Account
from proving.world.builders import (
    create_billing_system,
    insert_document,
    open_for_writing,
)
from proving.world.command import netsuite_variables, running, typed
from proving.world.databases import _database
from proving.world.waiting import PATIENCE_SECONDS

DOCUMENTS = 40


@pytest.fixture
def billing_database(server_url: str) -> Iterator[str]:
    """An empty database for the billing system."""
    with _database(server_url, template="template0") as url:
        yield url


@pytest.fixture
def variables(
    database: str, billing_database: str, sandbox: RunningSandbox, sandbox_account: Account, tmp_path: Path
) -> dict[str, str]:
    """Settings of a system whose sensors look every second and whose locks end soon."""
    sandbox_account.fresh()
    create_billing_system(billing_database)
    with open_for_writing(billing_database) as source:
        for n in range(DOCUMENTS - 2):
            amount = f"{n + 1}.{n:02d}"
            insert_document(source, str(500_000 + n), lines=[("10002", "1", amount, amount)])
        insert_document(source, "C500900", kind="credit_memo")
        insert_document(source, "C500901", kind="credit_memo", applies_to="500001", lines=[("10002", "-1", "1", "-1")])
        insert_document(source, "500999", customer_no=None)
    return netsuite_variables(sandbox, lanes=2) | {
        "BILLING_HOME": str(tmp_path / "a home"),
        "BILLING_DATABASE_URL": database,
        "BILLING_SOURCE__URL": billing_database,
        "BILLING_STAGING__DETECT_SECONDS": "1",
        "BILLING_BATCHES__SENSOR_SECONDS": "1",
        "BILLING_BATCHES__LEASE_SECONDS": "3",
    }


def worker_that_posts(database: str) -> int:
    """The process id of the run that is in the middle of posting, as Dagster noted it."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    with closing(psycopg.connect(libpq_url(database), autocommit=True)) as connection:
        while time.monotonic() < deadline:
            try:
                row = connection.execute(
                    """
                    select (regexp_match(e.event, '\\(pid: (\\d+)\\)'))[1]
                    from billing.locked_batches as b join public.event_logs as e on e.run_id = b.run_id
                    where e.event like '%%Started process for run%%' and b.state = 'running'
                      and (select count(*) from billing.staged_invoices where state = 'posted') between 3 and 25
                    order by e.id desc limit 1"""
                ).fetchone()
            except psycopg.errors.UndefinedTable:
                row = None
            if row and row[0]:
                return int(row[0])
            time.sleep(0.05)
    raise AssertionError("no run was seen posting")


def test_a_month_is_billed_by_the_daemon_although_its_run_is_killed_and_a_second_run_sends_nothing(
    variables: dict[str, str],
    database: str,
    sandbox_account: Account,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sandbox_account.switch(latency_median_ms=150)
    log = tmp_path / "run.log"
    with running(log, variables, "run", "--period", "2010-11") as process:
        os.kill(worker_that_posts(database), signal.SIGKILL)
        sandbox_account.switch(latency_median_ms=0)
        code = process.wait(2 * PATIENCE_SECONDS)
    said = log.read_text(encoding="utf-8")
    assert code == 0, said
    assert "Reconciled to the cent." in said
    assert "failed:" in said, "the killed run is told"

    status = json.loads(typed(variables, "status", "--json").out)
    assert status.keys() == {
        "documents",
        "findings",
        "batches",
        "watermark",
        "lanes",
        "credits_waiting",
        "credit_memos_proposed",
    }
    assert status["findings"] == {"CUSTOMER_MISSING": 1}
    posted = {row["kind"]: row for row in status["documents"] if row["state"] == "posted"}
    summary = sandbox_account.admin("summary")
    for kind, record_type in (("invoice", "invoice"), ("credit_memo", "creditMemo")):
        assert posted[kind]["count"] == summary[record_type]["count"]
        assert abs(Decimal(posted[kind]["total"])) == abs(Decimal(summary[record_type]["total"]))
    assert posted["invoice"]["count"] + posted["credit_memo"]["count"] == DOCUMENTS
    assert Decimal(posted["credit_memo"]["total"]) == Decimal("-11")
    assert summary["posts"]["created"] == DOCUMENTS, "nothing twice, nothing lost"

    monkeypatch.setenv("DAGSTER_POSTGRES_URL", libpq_url(database, driver="postgresql+psycopg2"))
    with dg.DagsterInstance.from_config(str(tmp_path / "a home" / "dagster")) as instance:
        keys = instance.get_materialized_partitions(dg.AssetKey("netsuite_invoices"))
        assert keys == set(instance.get_dynamic_partitions("netsuite_batches"))
        assert len(keys) == 2, "the credit memo that applies to an invoice went after it"
        assert instance.get_materialized_partitions(dg.AssetKey("month_close")) == {"2010-11"}
        runs = instance.get_runs(dg.RunsFilter(job_name="post_batch"))
        assert {run.tags.get("billing/asked_by") for run in runs} == {"plan_batches"}
        assert [run.status for run in runs].count(dg.DagsterRunStatus.FAILURE) >= 1

    again = typed(variables, "run", "--period", "2010-11")
    assert again.code == 0, again.words
    assert "Sent to NetSuite: 0 documents." in again.words
    assert sandbox_account.admin("summary")["posts"] == summary["posts"]
