"""Closing a month soft and hard: what is refused, what happens to what comes late, and who did it."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import psycopg
import pytest

from billing_assets.erp.batches.ledger import DOCUMENTS
from billing_assets.erp.batches.unlocking import requeue
from billing_assets.erp.billing_system.resource import BillingSystem
from billing_assets.erp.close.causes import Sort
from billing_assets.erp.close.closing import CloseRefusedError, Decision, hard_close
from billing_assets.erp.close.pack import make_pack
from billing_assets.erp.close.reconciliation import Billing, MonthClose, close_month
from billing_assets.erp.close.store import closings, months_that_moved
from billing_assets.erp.netsuite.resource import NetSuite
from billing_assets.erp.settings import CloseSettings
from billing_assets.foundation.calendar.business_days import Days, Zones
from billing_assets.foundation.periods import LateDocuments
from billing_assets.posting.batch_lock import lock
from billing_assets_tests.rooms.operations.test_cli import Command, machine
from proving.world.builders import (
    apply_credit,
    change_document,
    close_document,
    codes,
    insert_document,
    staged,
    void_document,
)
from proving.world.command import complete
from proving.world.journals import new_journal
from proving.world.system import PERIOD, System, metadata, rows

__all__ = ["machine"]

FINANCE = Decision("A. Clerk", "All is explained.")
TODAY = Days(date(2026, 11, 30))
OPS = {"soft_close_month": "close_softly", "hard_close_month": "close_for_good", "reopen_month": "open_again"}


def press(system: System, job: str, period: str = PERIOD) -> dg.ExecuteInProcessResult:
    """A button of the web UI, with who and why."""
    config = {"ops": {OPS[job]: {"config": {"by": FINANCE.by, "why": FINANCE.why}}}}
    return system.run(job, period, config=config)


def refusal(result: dg.ExecuteInProcessResult) -> str:
    """Why a button did not do it."""
    assert not result.success
    (event,) = result.get_step_failure_events()
    error = event.step_failure_data.error
    assert error is not None
    assert error.cause is not None
    return error.cause.message


def compared(system: System, period: str = PERIOD) -> MonthClose:
    found = system.runtime
    with found.state() as connection, found.of(BillingSystem).connection() as source:
        close = close_month(
            connection,
            [Billing("billing", source, found.of(BillingSystem).queries)],
            found.of(NetSuite).client,
            found.of(NetSuite).mapping,
            period,
        )
        make_pack(connection, close)
        return close


def bill(system: System) -> None:
    """Stages and posts whatever can go."""
    assert system.stage().success
    for key in system.planned():
        assert system.post(key).success


def late(system: System, policy: LateDocuments) -> System:
    """The same system under another setting for late documents."""
    settings = system.runtime.settings
    close = settings.of(CloseSettings).model_copy(update={"late_documents": policy})
    system.settings = settings.model_copy(update={"close": close})
    return system


def test_a_month_that_agrees_is_closed_for_good_and_it_is_kept_who_did_it_and_why(system: System) -> None:
    insert_document(system.source, "500001")
    insert_document(system.source, "500002", customer_no=None)
    bill(system)
    assert press(system, "hard_close_month").success
    (done,) = closings(system.state)
    assert (done.period, done.action, done.acted_by, done.why) == (PERIOD, "hard_close", FINANCE.by, FINANCE.why)
    assert done.figures == compared(system).figures, "its pack can be found again"
    for job in ("hard_close_month", "soft_close_month", "reopen_month"):
        assert "closed" in refusal(press(system, job))
    for statement in ("delete from billing.closed_months", "update billing.month_closings set figures = ''"):
        with pytest.raises(psycopg.errors.CheckViolation):
            system.state.execute(statement)


def _off_by_a_cent(system: System) -> str:
    lines = {"items": [{"item": {"id": "101"}, "quantity": 1, "rate": 10.01}]}
    system.change_in_netsuite("invoice/eid:INV-500001", {"item": lines})
    return "1 documents differ. invoice 500001: NetSuite has 10.01 instead of 10.000."


def _changed_after_posting(system: System) -> str:
    change_document(system.source, staged(system.state, "500001")["document_id"], memo="Changed")
    assert system.stage().success
    return "1 documents differ. invoice 500001: Posted with 10.000, the billing system has other contents."


def _ready(system: System) -> str:
    insert_document(system.source, "500009")
    assert system.stage().success
    return "1 documents are on their way (ready)"


def _planned(system: System) -> str:
    _ready(system)
    assert len(system.planned()) == 1
    return "1 documents are on their way (batched)"


def _locked(system: System) -> str:
    _ready(system)
    (key,) = system.planned()
    lock(system.state, DOCUMENTS, key, "some-run", 60, retry_rejected=False)
    return "1 documents are on their way (locked)"


def _live_batch(system: System) -> str:
    lock(system.state, DOCUMENTS, "2010-11-0001", "some-run", 60, retry_rejected=False)
    return "the batches 2010-11-0001 are being posted"


def _unknown(system: System) -> str:
    insert_document(system.source, "500009")
    assert system.stage().success
    (key,) = system.planned()
    system.account.switch(faults=[{"fault": "drop_without_commit"}])
    system.post(key)
    system.account.switch(faults=[])
    assert system.states()["500009"] == "posting"
    return "1 documents were sent and their outcome is not known yet"


def _not_read_back(system: System) -> str:
    system.state.execute("update billing.staged_invoices set read_back_at = null")
    return "1 documents were posted and not read back from NetSuite yet."


def _read_back_otherwise(system: System) -> str:
    system.state.execute("update billing.staged_invoices set difference = '4 applied instead of 10'")
    return "1 documents differ. invoice 500001: NetSuite has 4 applied instead of 10."


def _earlier_month_open(system: System) -> str:
    insert_document(system.source, "400001", document_date=date(2010, 10, 5))
    bill(system)
    return "2010-10 is not. Close the months in their order."


@pytest.mark.parametrize(
    "spoil",
    [
        _off_by_a_cent,
        _changed_after_posting,
        _ready,
        _planned,
        _locked,
        _live_batch,
        _unknown,
        _not_read_back,
        _read_back_otherwise,
        _earlier_month_open,
    ],
)
def test_a_hard_close_is_refused_with_what_is_in_the_way(spoil: Callable[[System], str], system: System) -> None:
    insert_document(system.source, "500001")
    bill(system)
    expected = spoil(system)
    assert expected in refusal(press(system, "hard_close_month"))
    assert closings(system.state) == []
    assert press(system, "soft_close_month").success, "a soft close may be undone, so it is not refused"


def test_what_moves_between_the_comparison_and_the_close_refuses_it(system: System) -> None:
    insert_document(system.source, "500001")
    bill(system)
    before = compared(system)
    insert_document(system.source, "500002")
    bill(system)
    with pytest.raises(CloseRefusedError, match="moved while it was compared"):
        hard_close(system.state, ["billing"], before, FINANCE, new_journal(), TODAY)
    before = compared(system)
    change_document(system.source, staged(system.state, "500002")["document_id"], memo="Changed")
    assert system.stage().success
    with pytest.raises(CloseRefusedError, match="moved while it was compared"):
        hard_close(system.state, ["billing"], before, FINANCE, new_journal(), TODAY)
    change_document(system.source, staged(system.state, "500002")["document_id"], memo=None)
    assert system.stage().success
    hard_close(system.state, ["billing"], compared(system), FINANCE, new_journal(), TODAY)


def test_a_month_is_closed_on_the_figures_that_were_compared_last(system: System) -> None:
    insert_document(system.source, "500001")
    bill(system)
    before = compared(system)
    _off_by_a_cent(system)
    assert compared(system).figures != before.figures
    with pytest.raises(CloseRefusedError, match="compared again by someone else"):
        hard_close(system.state, ["billing"], before, FINANCE, new_journal(), TODAY)


def test_a_month_is_compared_at_night_after_something_in_it_was_posted_or_drifted(system: System) -> None:
    document = insert_document(system.source, "500001")
    bill(system)
    assert months_that_moved(system.state, 24) == [PERIOD]
    system.state.execute(
        """update billing.locked_batches set planned_at = planned_at - interval '2 days',
           leased_at = leased_at - interval '2 days', finished_at = finished_at - interval '2 days'"""
    )
    assert system.stage().success
    assert months_that_moved(system.state, 24) == []
    void_document(system.source, document)
    assert system.stage().success
    assert months_that_moved(system.state, 24) == [PERIOD]


def test_a_month_is_not_closed_for_good_before_it_is_over_in_every_branch(system: System) -> None:
    insert_document(system.source, "500001")
    bill(system)
    zones = Zones(branches={"USA": ZoneInfo("America/Los_Angeles")})
    midnight = datetime(2010, 12, 1, 8, tzinfo=UTC)  # there
    earlier = zones.days(midnight - timedelta(seconds=1))
    with pytest.raises(CloseRefusedError, match="not over yet"):
        hard_close(system.state, ["billing"], compared(system), FINANCE, new_journal(), earlier)
    hard_close(system.state, ["billing"], compared(system), FINANCE, new_journal(), zones.days(midnight))


@pytest.mark.parametrize("decision", [("", "why"), ("me", " ")])
def test_nobody_closes_a_month_without_a_name_and_a_reason(decision: tuple[str, str]) -> None:
    with pytest.raises(CloseRefusedError):
        Decision(*decision)


def test_a_soft_close_keeps_new_documents_back_until_the_month_is_reopened(system: System) -> None:
    insert_document(system.source, "500001")
    bill(system)
    assert press(system, "soft_close_month").success
    insert_document(system.source, "500002")
    insert_document(system.source, "600001", document_date=date(2010, 12, 5))
    bill(system)
    assert system.states() == {"500001": "posted", "500002": "held", "600001": "posted"}
    row = staged(system.state, "500002")
    assert codes(row) == ["PERIOD_CLOSED"]
    assert row["findings"][0]["message"] == "2010-11 is closed; it may be reopened."
    assert press(system, "reopen_month").success
    bill(system)
    assert system.states()["500002"] == "posted"
    assert press(system, "hard_close_month").success
    assert [one.action for one in closings(system.state, PERIOD)] == ["soft_close", "reopen", "hard_close"]


def test_a_soft_close_starts_nothing_that_was_not_on_its_way(system: System) -> None:
    insert_document(system.source, "500001")
    insert_document(system.source, "500002")
    assert system.stage().success
    (key,) = system.planned()
    system.refuse("INV-500002")
    system.post(key)
    insert_document(system.source, "500003")
    assert system.stage().success
    assert press(system, "soft_close_month").success
    system.refuse()
    posts = system.posts()
    assert system.planned() == []
    assert requeue(system.state, None, 0) == 0
    system.post(key)
    assert system.states() == {"500001": "posted", "500002": "rejected", "500003": "ready"}
    assert system.posts() == posts
    assert "reopen it to post them, or stage again" in refusal(press(system, "hard_close_month"))
    assert press(system, "reopen_month").success
    system.post(key)
    bill(system)
    assert set(system.states().values()) == {"posted"}


def test_what_comes_after_a_hard_close_is_held(system: System) -> None:
    opened = insert_document(system.source, "500001", status="open")
    insert_document(system.source, "500003")
    bill(system)
    assert press(system, "hard_close_month").success, "what is not closed in billing keeps no month open"
    close_document(system.source, opened)
    insert_document(system.source, "500002")
    bill(system)
    assert system.states() == {"500001": "held", "500002": "held", "500003": "posted"}
    assert codes(staged(system.state, "500002")) == ["PERIOD_CLOSED"]
    assert compared(system).reconciled, "it is explained"


def test_what_comes_after_a_hard_close_goes_with_the_next_open_month_by_setting(system: System) -> None:
    late(system, "next_period")
    insert_document(system.source, "500001")
    insert_document(system.source, "600001", document_date=date(2010, 12, 5))
    bill(system)
    assert press(system, "hard_close_month").success
    assert press(system, "soft_close_month", "2010-12").success
    insert_document(system.source, "500002", lines=[("10002", "1", "3.00", "3.00")])
    insert_document(system.source, "C500003", kind="credit_memo", lines=[("10002", "-1", "1.00", "-1.00")])
    insert_document(system.source, "500004", customer_no=None)
    apply_credit(system.source, insert_document(system.source, "C500005", kind="credit_memo"), "nobody's")
    bill(system)
    moved = staged(system.state, "500002")
    assert (moved["state"], moved["period"], moved["posting_date"]) == ("posted", "2011-01", date(2011, 1, 1))
    for number in ("500004", "C500005"):
        row = staged(system.state, number)
        assert (row["state"], row["period"], row["posting_date"]) == ("held", PERIOD, None), (
            "it goes on from its own month"
        )
    dated = system.account.rows(
        "SELECT TO_CHAR(trandate, 'YYYY-MM-DD') AS d, duedate FROM transaction WHERE externalid = 'INV-500002'"
    )
    assert dated[0]["d"] == "2011-01-01"
    november, january = compared(system), compared(system, "2011-01")
    assert november.reconciled
    assert january.complete
    assert steps(november) == [
        ("billing", 5, "12.00"),
        ("moved_out", -2, "-2.00"),
        ("HELD", -2, "0.00"),
        ("netsuite", 1, "10.00"),
    ]
    assert steps(january) == [("billing", 0, "0.00"), ("moved_in", 2, "2.00"), ("netsuite", 2, "2.00")]
    bill(system)
    assert system.posts() == 4, "staging again sends nothing"


def test_a_refused_document_of_a_month_that_closes_goes_on_as_what_comes_late(system: System) -> None:
    late(system, "next_period")
    insert_document(system.source, "500001")
    insert_document(system.source, "C500002", kind="credit_memo", applies_to="500001")
    assert system.stage().success
    (key,) = system.planned()
    system.refuse("INV-500001")
    assert not system.post(key).success
    (waits,) = (one for one in compared(system).differences if one.number == "C500002")
    assert waits.cause == "WAITS_FOR_INVOICE"
    assert waits.what.startswith("It waits for invoice 500001: NetSuite refused the invoice in batch")
    assert press(system, "hard_close_month").success, "it waits for what does not refuse either"
    for number in ("500001", "C500002"):
        row = staged(system.state, number)
        assert (row["state"], codes(row)) == ("held", ["PERIOD_CLOSED"])
    system.refuse()
    bill(system)
    bill(system)
    for number in ("500001", "C500002"):
        row = staged(system.state, number)
        assert (row["state"], row["period"]) == ("posted", "2010-12")


def test_the_database_itself_lets_nothing_go_out_in_a_month_that_is_closed_for_good(system: System) -> None:
    insert_document(system.source, "500001", status="open")
    assert system.stage().success
    system.state.execute("insert into billing.closed_months (period, state) values ('2010-12', 'hard')")
    with pytest.raises(psycopg.errors.CheckViolation, match="which is closed"):
        system.state.execute("update billing.staged_invoices set state = 'ready'")


def steps(close: MonthClose) -> list[tuple[str, int, str]]:
    return [(step.what, step.documents, f"{step.total:.2f}") for step in close.steps]


def shown(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    found = metadata(result, "month_close")
    return {"closed": found["closed"], "causes": rows(found["causes"].records)}


def test_the_asset_says_whether_its_month_is_closed(system: System) -> None:
    insert_document(system.source, "500001")
    bill(system)
    assert shown(system.run("close_month", PERIOD))["closed"] == "no"
    assert press(system, "soft_close_month").success
    assert shown(system.run("close_month", PERIOD)) == {"closed": "soft", "causes": []}


def test_a_change_that_somebody_answers_for_is_listed_and_keeps_no_month_open_until_it_changes_again(
    machine: Command, system: System
) -> None:
    changed = insert_document(system.source, "500001")
    voided = insert_document(system.source, "500002")
    bill(system)
    said = ("--by", FINANCE.by, "--why", "Corrected by credit memo C9.")
    change_document(system.source, changed, total=Decimal("11.00"))
    complete(machine("close", "accept", "500001", *said), 2, ["Staging noted no change of 500001", "Run the job"])
    void_document(system.source, voided)
    assert system.stage().success
    complete(machine("close", "accept", "500002", *said), 2, ["`billing voids decline`"])
    assert "documents differ" in refusal(press(system, "hard_close_month"))
    complete(machine("close", "accept", "500001", *said), 0, ["Invoice 500001 of 2010-11, posted with GBP 10.00"])
    complete(machine("voids", "decline", "500002", *said), 0, ["declined by A. Clerk"])
    close = compared(system)
    assert close.complete
    assert [(one.cause, one.what) for one in close.differences] == [
        ("VOID_DECLINED", "A. Clerk declined a credit memo for it."),
        ("ACCEPTED", "Posted with 10.000, the billing system has 11.000. A. Clerk accepted it."),
    ]
    change_document(system.source, changed, total=Decimal("12.00"))
    assert system.stage().success
    assert compared(system).count(Sort.DRIFT) == 1
    complete(machine("close", "accept", "500001", *said), 0, ["in billing now 12.00 (closed)"])
    complete(machine("close", "accepted", COLUMNS="200"), 0, ["2 accepted", "Corrected by", "it changed again", "yes"])
    assert press(system, "hard_close_month").success
    with pytest.raises(psycopg.errors.CheckViolation):
        system.state.execute("delete from billing.accepted_drifts")
