"""What changes between staging and sending is not sent: each batch is compared with the billing system once more."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import Connection, Engine, event, make_url
from structlog.testing import capture_logs

from billing_assets.erp.billing_system.resource import BillingSystem as Source
from billing_assets.erp.netsuite.validation import validation
from billing_assets.erp.staging.corrections.voids import confirm
from billing_assets.foundation.calendar.business_days import Zones
from proving.world.builders import (
    BillingSystem,
    apply_credit,
    change_document,
    codes,
    delete_document,
    insert_document,
    staged,
    void_document,
)
from proving.world.system import System, failure, metadata, rows
from proving.world.waiting import until

TWO = [("10002", "1", "6.00", "6.00"), ("10080", "1", "4.00", "4.00")]


def strip(source: BillingSystem, document_id: str) -> None:
    """Takes a line away and keeps the total."""
    source.execute("delete from invoice_lines where invoice_id = %s and line_no = 2", [document_id])


CHANGES: dict[str, tuple[Callable[[BillingSystem, str], None], str]] = {
    "opened again": (lambda source, one: change_document(source, one, status="open"), "open"),
    "renumbered": (lambda source, one: change_document(source, one, number="500999"), "ready"),
    "stripped of a line": (strip, "held"),
    "voided": (void_document, "gone"),
    "deleted": (delete_document, "gone"),
    "given to another customer": (lambda source, one: change_document(source, one, customer_no="12347"), "ready"),
}


def planned(system: System, *numbers: str) -> tuple[str, list[str]]:
    """A batch of documents of two lines: its key, and their ids."""
    ids = [insert_document(system.source, number, lines=TWO) for number in numbers]
    assert system.stage().success
    (key,) = system.planned()
    return key, ids


def in_netsuite(system: System) -> set[str]:
    return {record["externalId"] for record in system.account.admin("records", limit=100)["items"]}


@contextmanager
def asked(system: System) -> Iterator[list[str]]:
    """The queries about documents that the billing database is asked meanwhile; not which database it is."""
    seen: list[str] = []

    def note(connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        about_documents = "pg_control_system" not in statement and not statement.startswith("SET ")
        if about_documents and connection.engine.url.database == system.runtime.of(Source).engine.url.database:
            seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)  # a run makes its own
    yield seen
    event.remove(Engine, "before_cursor_execute", note)


@pytest.mark.parametrize("change", CHANGES)
def test_what_changed_after_staging_is_not_sent_and_the_rest_of_its_batch_is(system: System, change: str) -> None:
    key, (one, *_) = planned(system, "500001", "500002", "500003")
    happens, becomes = CHANGES[change]
    happens(system.source, one)
    result = system.post(key, by_sensor=True)
    assert result.success
    assert in_netsuite(system) == {"INV-500002", "INV-500003"}
    assert system.posts() == 2
    row = staged(system.state, "500001")
    assert (row["state"], row["batch"], codes(row)) == ("held", None, ["CHANGED_SINCE_STAGING"])
    assert rows(metadata(result, "netsuite_invoices")["changed_since_staging"].records) == [{"number": "500001"}]
    assert isinstance(system.look("plan_batches"), dg.SkipReason), "not before staging has judged it again"
    assert system.stage().success
    found = system.state.execute("select state from billing.staged_invoices where document_id = %s", [one]).fetchone()
    assert found == {"state": becomes}
    assert system.posts() == 2


@pytest.mark.parametrize("way", ["the sensor", "a person", "the posting asset alone"])
def test_it_is_compared_however_its_run_was_started_and_again_when_what_is_left_is_tried_again(
    system: System, way: str
) -> None:
    key, ids = planned(system, "500001", "500002", "500003")
    ways: dict[str, dict[str, Any]] = {
        "the sensor": {"by_sensor": True},
        "a person": {},
        "the posting asset alone": {"assets": ["netsuite_invoices"]},
    }
    change_document(system.source, ids[0], status="open")
    system.refuse("INV-500002")
    assert not system.post(key, **ways[way]).success
    assert in_netsuite(system) == {"INV-500003"}
    change_document(system.source, ids[1], status="open")  # it was refused; somebody reconsiders
    system.refuse()
    sent = system.posts()
    system.post(key)  # a person's run takes up what was refused
    assert (system.posts(), in_netsuite(system)) == (sent, {"INV-500003"})
    assert system.states() == {"500001": "held", "500002": "held", "500003": "posted"}


def test_a_staging_is_asked_for_once_for_what_was_sent_back(system: System) -> None:
    key, (one, _) = planned(system, "500001", "500002")
    system.look("stage_when_closed")
    system.run("stage_invoices", tags={"billing/asked_by": "stage_when_closed"})
    assert isinstance(system.look("stage_when_closed"), dg.SkipReason)
    change_document(system.source, one, memo="changed")  # no count of the billing system shows it
    assert system.post(key).success
    cursor: Any = system.cursors["stage_when_closed"]
    system.cursors["stage_when_closed"] = cursor.replace(cursor.rsplit(",", 1)[1], " 0]")  # it was asked for long ago
    asked_for = system.look("stage_when_closed")
    assert isinstance(asked_for, dg.RunRequest)
    assert isinstance(system.look("stage_when_closed"), dg.SkipReason)
    system.run("stage_invoices", tags=asked_for.tags)
    assert system.states() == {"500001": "ready", "500002": "posted"}
    assert isinstance(system.look("stage_when_closed"), dg.SkipReason)
    (again,) = system.planned()
    assert system.post(again).success
    assert set(system.states().values()) == {"posted"}


@pytest.mark.parametrize("with_digests", [True, False])
def test_a_batch_costs_the_billing_system_two_queries_at_most(system: System, with_digests: bool) -> None:
    insert_document(system.source, "500001", lines=TWO)
    assert system.stage().success
    (first,) = system.planned()
    assert system.post(first).success
    credit = insert_document(system.source, "C500002", kind="credit_memo")
    apply_credit(system.source, credit, "500001", "4")
    key, ids = planned(system, *(str(500_003 + number) for number in range(5)))
    strip(system.source, ids[3])
    if not with_digests:
        system.state.execute(
            "update billing.staged_invoices set source_digest = null where batch = %s and id = ("
            " select min(id) from billing.staged_invoices where batch = %s)",
            [key, key],
        )
    with asked(system) as queries:
        assert system.post(key).success
    assert 1 <= len(queries) <= (1 if with_digests else 2)
    assert system.states()["500006"] == "held"
    assert sorted(system.states().values()) == ["held", *["posted"] * 6]
    with asked(system) as queries:
        assert system.post(key).success
    assert queries == [], "of a finished batch there is nothing to ask"


def test_an_application_that_changes_before_its_credit_memo_is_sent_sends_it_back(system: System) -> None:
    for number in ("500001", "500002"):
        insert_document(system.source, number)
    assert system.stage().success
    (first,) = system.planned()
    assert system.post(first).success
    credits_ = [insert_document(system.source, number, kind="credit_memo") for number in ("C1", "C2")]
    for one in credits_:
        apply_credit(system.source, one, "500001", "4")
    assert system.stage().success
    (key,) = system.planned()
    system.source.execute(
        "update credit_applications set invoice_number = '500002' where credit_id = %s", [credits_[0]]
    )
    assert system.post(key).success
    assert {number: system.states()[number] for number in ("C1", "C2")} == {"C1": "held", "C2": "posted"}


def test_a_credit_memo_of_our_own_is_not_looked_for_in_the_billing_system(system: System) -> None:
    key, (one,) = planned(system, "500001")
    assert system.post(key).success
    void_document(system.source, one)
    assert system.stage().success
    now = datetime.now(UTC)
    judge = validation(system.runtime)
    confirm(system.state, "500001", by="an auditor", why="agreed", validation=judge, now=now, zones=Zones())
    (correction,) = system.planned()
    with asked(system) as queries:
        assert system.post(correction).success
    assert (system.states()["VOID-500001"], queries) == ("posted", [])


def test_what_may_be_in_netsuite_is_looked_up_and_what_is_proven_absent_is_compared_before_it_is_sent_again(
    state_url: str, database: str, sandbox: Any, sandbox_account: Any, tmp_path: Any
) -> None:
    with System.open(state_url, database, sandbox, sandbox_account, home=tmp_path) as system:
        key, (absent, landed, _) = planned(system, "500001", "500002", "500003")
        system.account.switch(
            faults=[
                {"fault": "drop_without_commit", "external_ids": ["INV-500001"], "next": 1},
                {"fault": "commit_then_drop", "external_ids": ["INV-500002"], "next": 1},
            ],
            suiteql_lag_seconds=3600,
        )
        system.changed(netsuite={"max_request_seconds": 900}).post(key)
        assert system.states() == {"500001": "posting", "500002": "posting", "500003": "posted"}
        system.account.switch(suiteql_lag_seconds=0)
        change_document(system.source, absent, status="open")
        change_document(system.source, landed, status="open")
        sent = system.posts()
        until(lambda: system.post(key, by_sensor=True) and system.states()["500001"] != "posting")
        assert system.states() == {"500001": "held", "500002": "posted", "500003": "posted"}
        assert system.posts() == sent
        assert system.stage().success
        assert staged(system.state, "500002")["drift"]["source_status"] == "open"


def test_what_may_be_in_netsuite_is_not_compared_whatever_the_billing_system_says_of_it(
    state_url: str, database: str, sandbox: Any, sandbox_account: Any, tmp_path: Any
) -> None:
    patience = {"max_request_seconds": 900}
    with System.open(state_url, database, sandbox, sandbox_account, home=tmp_path, netsuite=patience) as system:
        key, (unknown, *_) = planned(system, "500001", "500002", "500003")
        system.account.switch(faults=[{"fault": "drop_without_commit", "external_ids": ["INV-500001"], "next": 1}])
        system.post(key)
        assert system.states() == {"500001": "posting", "500002": "posted", "500003": "posted"}
        change_document(system.source, unknown, status="open")
        with asked(system) as queries:
            result = system.post(key)
        assert "1 of unknown outcome" in str(failure(result, "netsuite_invoices").user_failure_data.description)
        assert (system.states()["500001"], queries) == ("posting", [])


# A billing system that cannot be asked


def shut(system: System, url: str) -> None:
    """The billing database takes no connections any more, and ends those of ours."""
    name = make_url(url).database
    system.state.execute(f'alter database "{name}" allow_connections false')
    system.state.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s and application_name = 'billing'",
        [name],
    )


def reopen(system: System, url: str) -> None:
    system.state.execute(f'alter database "{make_url(url).database}" allow_connections true')


def test_while_the_billing_system_cannot_be_reached_nothing_is_sent_and_the_batch_waits(
    system: System, database: str
) -> None:
    key, _ = planned(system, "500001", "500002")
    shut(system, database)
    result = system.post(key, by_sensor=True)
    error = failure(result, "netsuite_invoices").error.cause
    assert error.cls_name == "CannotConnect"
    assert "Cannot connect to the billing database" in error.message
    assert (system.posts(), set(system.states().values())) == (0, {"batched"})
    reopen(system, database)
    system.state.execute("update billing.locked_batches set finished_at = finished_at - interval '1 minute'")
    assert system.planned() == [key], "it is asked for again once it has rested"
    assert system.post(key, by_sensor=True).success
    assert set(system.states().values()) == {"posted"}
    assert system.posts() == 2


def test_a_run_waits_for_a_billing_system_that_is_away_for_a_moment(
    state_url: str, database: str, sandbox: Any, sandbox_account: Any, tmp_path: Any
) -> None:
    patience = {"outage_seconds": 60}
    with System.open(state_url, database, sandbox, sandbox_account, home=tmp_path, netsuite=patience) as system:
        key, _ = planned(system, "500001", "500002")
        shut(system, database)
        results: list[Any] = []
        run = threading.Thread(target=lambda: results.append(system.post(key, by_sensor=True)))
        with capture_logs() as logs:
            run.start()
            try:
                until(lambda: any(one["event"] == "billing_system_unreachable" for one in logs))
            finally:
                reopen(system, database)
                run.join()
        assert results[0].success
        assert set(system.states().values()) == {"posted"}
