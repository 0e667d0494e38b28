"""The close of a month against a real billing system, staging and NetSuite's stand-in, each spoilt in turn."""

from base64 import b64decode
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import dagster as dg

from billing_assets.erp.close import store
from billing_assets.erp.close.causes import CAUSES
from billing_assets.erp.netsuite import differing
from billing_assets.erp.netsuite.differing_store import Decided
from billing_assets.erp.netsuite.resource import NetSuite
from billing_assets.erp.netsuite.validation import validation
from billing_assets.erp.staging.corrections.voids import confirm
from billing_assets.foundation.calendar.business_days import Zones
from proving.world.builders import (
    change_document,
    close_document,
    delete_document,
    insert_document,
    states,
    void_document,
)
from proving.world.system import PERIOD, System, checks, exact, metadata, rows, unknown_transaction


def posted_month(system: System) -> str:
    """Three documents in NetSuite, one held, one excluded; the id of the first at the source."""
    first = insert_document(system.source, "500001")
    insert_document(system.source, "500002", country="France", lines=[("10002", "2", "0.07", "0.14")])
    insert_document(system.source, "C500003", kind="credit_memo")
    insert_document(system.source, "500004", customer_no=None)
    insert_document(system.source, "500005", lines=[("10002", "1", "0", "0")])
    assert system.stage().success
    for key in system.planned():
        assert system.post(key).success
    return first


def close(system: System) -> tuple[dict[str, Any], dict[str, bool]]:
    result = system.run("close_month", PERIOD)
    assert result.success, "a difference is a failed check, not a failed run: the table must be there to be read"
    return metadata(result, "month_close"), checks(result)


def differences(system: System) -> list[tuple[str, str, str]]:
    """Cause, number and text of every difference of a month that must not agree."""
    shown, passed = close(system)
    assert shown["reconciled"] is False
    assert passed["billing_equals_netsuite"] is False
    found = [(row["cause"], row["number"], row["what"]) for row in rows(shown["differences"].records)]
    return [one for one in found if one[0] not in {"HELD", "EXCLUDED"}]


def test_a_month_that_agrees_shows_every_sum_exactly(system: System) -> None:
    posted_month(system)
    shown, passed = close(system)
    assert passed == {
        "billing_equals_netsuite": True,
        "nothing_unknown": True,
        "nothing_unposted": False,
        "no_drift": True,
    }, "what is held is a warning"
    assert shown["reconciled"] is True
    assert shown["complete"] is True
    assert (shown["documents_billing_GBP"], shown["documents_posted_GBP"], shown["documents_netsuite_GBP"]) == (5, 3, 3)
    assert (shown["documents_held_GBP"], shown["documents_excluded_GBP"], shown["documents_in_flight_GBP"]) == (1, 1, 0)
    assert exact(shown["total_billing_GBP_exact"]) == Decimal("10.14")
    assert exact(shown["total_netsuite_GBP_exact"]) == Decimal("0.14")
    table = rows(shown["per_branch"].records)
    assert {(row["branch"], row["kind"], row["netsuite"]) for row in table} == {
        ("France", "invoice", "0.14"),
        ("United Kingdom", "invoice", "10.00"),
        ("United Kingdom", "credit_memo", "-10.00"),
    }
    assert {row["code"] for row in rows(shown["findings"].records)} == {"CUSTOMER_MISSING", "ZERO_TOTAL"}
    assert system.instance.get_materialized_partitions(dg.AssetKey("month_close")) == {PERIOD}


def test_finance_sees_how_long_documents_took_and_the_months_side_by_side(system: System) -> None:
    posted_month(system)
    insert_document(system.source, "600001", document_date="2010-12-05")
    assert system.stage().success
    assert [key for key in system.planned() if not system.post(key).success] == []
    shown, _ = close(system)
    assert 0 < shown["days_billed_to_posted_median_GBP"] <= shown["days_billed_to_posted_p95_GBP"] < 1
    assert shown["days_it_used_to_take"] == 7
    assert shown["oldest_left_GBP"] == "2010-11-05", "500004 is held"
    december = metadata(system.run("close_month", "2010-12"), "month_close")
    assert "oldest_left_GBP" not in december
    with system.runtime.state() as connection:
        months = store.figures_until(connection, "2010-12", "GBP", 12)
    assert [(one.period, one.documents_posted, one.total_posted, one.total_held) for one in months] == [
        (PERIOD, 3, Decimal("0.14"), Decimal(10)),
        ("2010-12", 1, Decimal(10), Decimal(0)),
    ]
    picture = b64decode(december["trend"].partition("base64,")[2].rstrip(")"))
    assert picture.startswith(b"\x89PNG")


def test_a_cent_that_somebody_changed_in_netsuite_is_named_with_both_sides(system: System) -> None:
    posted_month(system)
    lines = {"items": [{"item": {"id": "101"}, "quantity": 1, "rate": 10.01}]}
    system.change_in_netsuite("invoice/eid:INV-500001", {"item": lines})
    (row,) = system.state.execute("select netsuite_id from billing.staged_invoices where number = '500001'").fetchall()
    link = f"https://tstdrv1234567.app.netsuite.com/app/accounting/transactions/transaction.nl?id={row['netsuite_id']}"
    assert link in close(system)[0]["differences_in_netsuite"]
    assert differences(system) == [("AMOUNT_DIFFERS", "500001", "NetSuite has 10.01 instead of 10.000.")]


def test_cents_that_cancel_each_other_are_found_all_the_same(system: System) -> None:
    insert_document(system.source, "500006")
    posted_month(system)
    for number, rate in (("500001", 10.01), ("500006", 9.99)):
        lines = {"items": [{"item": {"id": "101"}, "quantity": 1, "rate": rate}]}
        system.change_in_netsuite(f"invoice/eid:INV-{number}", {"item": lines})
    assert [(cause, number) for cause, number, _ in differences(system)] == [
        ("AMOUNT_DIFFERS", "500001"),
        ("AMOUNT_DIFFERS", "500006"),
    ]


def test_a_customer_that_somebody_swapped_in_netsuite_is_named(system: System) -> None:
    posted_month(system)
    system.change_in_netsuite("invoice/eid:INV-500001", {"entity": {"id": "1002"}})
    assert differences(system) == [("CUSTOMER_DIFFERS", "500001", "NetSuite has customer 1002 instead of 1001.")]


def test_a_transaction_that_was_deleted_in_netsuite_is_named(system: System) -> None:
    posted_month(system)
    system.delete_in_netsuite("invoice/eid:INV-500002")
    ((cause, number, _),) = differences(system)
    assert (cause, number) == ("DELETED_IN_NETSUITE", "500002")


def test_a_transaction_that_was_voided_in_netsuite_is_named(system: System) -> None:
    posted_month(system)
    system.void_in_netsuite("INV-500002")
    ((cause, number, _),) = differences(system)
    assert (cause, number) == ("VOIDED_IN_NETSUITE", "500002")


def test_a_transaction_that_was_dated_into_another_month_is_named_in_both(system: System) -> None:
    posted_month(system)
    system.change_in_netsuite("invoice/eid:INV-500002", {"tranDate": "2010-12-01"})
    named = [("DATED_ELSEWHERE", "500002", "NetSuite dates it 2010-12-01; it was posted in 2010-11.")]
    assert differences(system) == named
    result = system.run("close_month", "2010-12")
    shown = rows(metadata(result, "month_close")["differences"].records)
    assert [(row["cause"], row["number"]) for row in shown] == [("DATED_ELSEWHERE", "500002")]


def test_an_external_id_that_somebody_changed_is_named(system: System) -> None:
    posted_month(system)
    system.change_in_netsuite("invoice/eid:INV-500002", {"externalId": "INV-999999"})
    what = "NetSuite has it under INV-999999 instead of INV-500002."
    assert differences(system) == [("EXTERNAL_ID_DIFFERS", "500002", what)]


def test_a_transaction_under_our_prefix_that_we_never_posted_is_named(system: System) -> None:
    posted_month(system)
    unknown_transaction(system.account, "INV-999999")
    ((cause, number, what),) = differences(system)
    assert (cause, number) == ("NOT_IN_BILLING", "INV-999999")
    assert "which we never posted" in what


def test_other_peoples_invoices_in_netsuite_are_counted_apart(system: System) -> None:
    posted_month(system)
    unknown_transaction(system.account, "SHOP-17")
    shown, passed = close(system)
    assert passed["billing_equals_netsuite"]
    assert rows(shown["elsewhere_in_netsuite"].records) == [
        {"what": "CustInvc", "currency": "GBP", "documents": 1, "total": "10.00"}
    ]


def test_a_document_that_changed_at_the_source_after_posting_is_named_and_never_sent_again(system: System) -> None:
    first = posted_month(system)
    posts = system.posts()
    change_document(system.source, first, total=Decimal("11.00"))
    named = [("CHANGED_AFTER_POSTING", "500001", "Posted with 10.000, the billing system has 11.000.")]
    assert differences(system) == named, "the billing system itself is asked, not staging"
    assert system.stage().success
    assert system.planned() == []
    assert differences(system) == named
    assert close(system)[1]["no_drift"] is False
    assert system.posts() == posts


def test_a_document_that_was_voided_at_the_source_after_posting_is_named(system: System) -> None:
    void_document(system.source, posted_month(system))
    for _ in range(2):
        ((cause, number, _),) = differences(system)
        assert (cause, number) == ("VOIDED_AFTER_POSTING", "500001")
        assert system.stage().success


def test_a_document_that_disappeared_at_the_source_after_posting_is_named(system: System) -> None:
    first = posted_month(system)
    delete_document(system.source, first)
    for _ in range(2):
        ((cause, number, _),) = differences(system)
        assert (cause, number) == ("DELETED_AFTER_POSTING", "500001")
        assert system.stage().success


def test_the_job_stage_fetches_what_the_close_says_is_not_staged_whatever_its_creation_date(system: System) -> None:
    posted_month(system)
    gone = insert_document(system.source, "500008")
    assert system.stage().success
    delete_document(system.source, gone)
    assert system.stage().success
    system.state.execute("alter table billing.staged_invoices disable trigger guard_document")
    system.state.execute("update billing.staged_invoices set state_since = '2010-12-01' where state = 'gone'")
    insert_document(system.source, "500008", created_at=datetime(2010, 11, 5, tzinfo=UTC), id=gone)
    insert_document(system.source, "500009", created_at=datetime(2010, 11, 5, tzinfo=UTC))
    found = differences(system)
    assert [(cause, number) for cause, number, _ in found] == [("NOT_STAGED", "500009"), ("STAGED_OTHERWISE", "500008")]
    assert system.stage().success
    assert {number: system.states()[number] for number in ("500008", "500009")} == {
        "500008": "ready",
        "500009": "ready",
    }


def test_what_staging_has_not_seen_yet_is_named(system: System) -> None:
    first = insert_document(system.source, "500007", status="open")
    posted_month(system)
    insert_document(system.source, "500009", country="France")
    change_document(system.source, first, total=Decimal("12.00"))
    found = differences(system)
    assert [(cause, number) for cause, number, _ in found] == [("NOT_STAGED", "500009"), ("STAGED_OTHERWISE", "500007")]
    assert system.stage().success
    assert [key for key in system.planned() if not system.post(key).success] == []
    shown, passed = close(system)
    assert passed["billing_equals_netsuite"]
    causes = {row["cause"]: row["documents"] for row in rows(shown["causes"].records)}
    assert causes == {"NOT_CLOSED": 1, "HELD": 1, "EXCLUDED": 1}


def test_every_step_from_billing_to_netsuite_is_shown_and_they_add_up(system: System) -> None:
    insert_document(system.source, "500008", lines=[("10002", "1", "3.00", "3.00")])
    posted_month(system)
    system.change_in_netsuite(
        "invoice/eid:INV-500008", {"item": {"items": [{"item": {"id": "101"}, "quantity": 1, "rate": 3.5}]}}
    )
    unknown_transaction(system.account, "INV-999999")
    shown, _ = close(system)
    steps = [(row["what"], row["documents"], row["total"]) for row in rows(shown["from_billing_to_netsuite"].records)]
    assert steps == [
        ("billing", 6, "13.14"),
        ("EXCLUDED", -1, "0.00"),
        ("HELD", -1, "-10.00"),
        ("AMOUNT_DIFFERS", 0, "0.50"),
        ("NOT_IN_BILLING", 1, "10.00"),
        ("netsuite", 5, "13.64"),
    ]


def test_a_document_without_a_known_outcome_is_unknown_and_no_difference(system: System) -> None:
    insert_document(system.source, "500001")
    assert system.stage().success
    (key,) = system.planned()
    system.account.switch(suiteql_lag_seconds=600, faults=[{"fault": "commit_then_drop", "next": 1}])
    system.post(key)
    system.account.switch(suiteql_lag_seconds=0, faults=[])
    assert system.states() == {"500001": "posting"}
    _, passed = close(system)
    assert passed == {
        "billing_equals_netsuite": True,
        "nothing_unknown": False,
        "nothing_unposted": False,
        "no_drift": True,
    }


def test_a_rejected_document_leaves_the_month_incomplete(system: System) -> None:
    insert_document(system.source, "500001")
    insert_document(system.source, "500002")
    assert system.stage().success
    (key,) = system.planned()
    system.refuse("INV-500002")
    assert not system.post(key).success
    shown, passed = close(system)
    assert (passed["billing_equals_netsuite"], passed["nothing_unposted"]) == (True, False)
    assert (shown["reconciled"], shown["complete"], shown["documents_in_flight_GBP"]) == (True, False, 1)
    by_state = {row["state"]: row["billing"] for row in rows(shown["per_state_documents"].records)}
    assert by_state == {"rejected": 1, "posted": 1}
    assert exact(shown["total_in_flight_GBP_exact"]) == Decimal(10)


def test_the_close_fails_with_the_cause_named_while_netsuite_cannot_be_asked(system: System) -> None:
    posted_month(system)
    system.account.switch(faults=[{"fault": "refuse_permission", "operations": ["suiteql"]}])
    result = system.run("close_month", PERIOD)
    assert not result.success
    (event,) = result.get_step_failure_events()
    assert "permission" in str(event.step_failure_data.error).lower()


def test_every_night_the_months_in_which_something_moved_are_closed(system: System) -> None:
    posted_month(system)
    insert_document(system.source, "400001", document_date="2010-09-30")
    insert_document(system.source, "100001", document_date="2005-01-01")
    assert system.stage().success
    assert closed_tonight(system) == ["2010-09", PERIOD], "no partition for a month before the first one"
    system.state.execute("alter table billing.staged_invoices disable trigger guard_document")
    system.state.execute(
        "update billing.staged_invoices set state_since = now() - interval '2 days', read_back_at = null, "
        "staged_at = now() - interval '2 days' where period <> '2010-09'"
    )
    assert closed_tonight(system) == ["2010-09", PERIOD], "its batch ended tonight"
    system.state.execute(
        "update billing.locked_batches set planned_at = now() - interval '2 days', leased_at = null, "
        "finished_at = now() - interval '2 days'"
    )
    assert closed_tonight(system) == ["2010-09"]


def closed_tonight(system: System) -> list[str]:
    """The partitions that the nightly schedule asks for."""
    night = datetime(2026, 11, 21, 5, tzinfo=UTC)
    context = dg.build_schedule_context(
        instance=system.instance,
        scheduled_execution_time=night,
        resources={"billing": system.runtime},
        repository_def=system.defs.get_repository_def(),
    )
    found = system.defs.resolve_schedule_def("close_changed_months").evaluate_tick(context)
    return [str(request.partition_key) for request in found.run_requests or []]


def test_a_void_before_posting_is_gone_and_one_after_it_is_corrected_by_a_credit_memo_that_reconciles(
    system: System,
) -> None:
    voided = posted_month(system)
    never_sent = insert_document(system.source, "500006")
    void_document(system.source, never_sent)
    void_document(system.source, voided)
    assert system.stage().success
    assert states(system.state)["500006"] == "gone"
    ((cause, number, _),) = differences(system)
    assert (cause, number) == ("VOIDED_AFTER_POSTING", "500001")
    assert system.planned() == []  # proposed is not sent
    runtime, day = system.runtime, datetime(2010, 11, 29, tzinfo=UTC)
    for _ in range(2):
        confirm(system.state, "500001", by="x", why="y", validation=validation(runtime), now=day, zones=Zones())
    (key,) = system.planned()
    assert system.post(key).success
    shown, passed = close(system)
    causes = {row["cause"]: row["documents"] for row in rows(shown["causes"].records)}
    assert (causes.get("VOIDED"), causes.get("VOID_CREDITED"), causes.get("VOIDED_AFTER_POSTING")) == (1, 1, None)
    steps = [(row["what"], row["documents"], row["total"]) for row in rows(shown["from_billing_to_netsuite"].records)]
    assert ("corrections", 1, "-10.00") in steps, "our own credit memo is not from another month"
    assert (shown["reconciled"], passed["no_drift"], passed["billing_equals_netsuite"]) == (True, True, True)
    assert exact(shown["total_netsuite_GBP_exact"]) == Decimal("-9.86")
    (open_amount,) = system.account.rows("SELECT foreignamountunpaid FROM transaction WHERE externalid = 'INV-500001'")
    assert Decimal(open_amount["foreignamountunpaid"]) == 0
    close_document(system.source, never_sent)
    assert system.stage().success
    assert states(system.state)["500006"] == "ready"


def test_staging_and_batch_show_which_credit_memo_waits_for_which_invoice_and_why(system: System) -> None:
    insert_document(system.source, "500001")
    insert_document(system.source, "C500002", kind="credit_memo", applies_to="500001")
    staged = metadata(system.stage(), "staged_invoices")
    (row,) = rows(staged["waiting_credits"].records)
    assert (staged["credits_waiting"], row["number"], row["invoice"]) == (1, "C500002", "500001")
    assert row["why"] == "The invoice waits for a batch."
    system.refuse("INV-500001")
    (key,) = system.planned()
    assert not system.post(key).success
    observed = system.instance.fetch_observations(dg.AssetKey("netsuite_invoices"), limit=1).records
    (row,) = rows(observed[0].asset_observation.metadata["waiting_credits"].value.records)  # type: ignore[union-attr]
    assert row["why"] == f"NetSuite refused the invoice in batch {key}; `billing rejected` says why."


def lost_and_changed(system: System) -> None:
    """A month of which one invoice landed without an answer and got a further line in NetSuite before we looked."""
    for number in ("500001", "500002", "500003"):
        insert_document(system.source, number)
    assert system.stage().success
    lost = [{"fault": "commit_then_drop", "external_ids": ["INV-500002"]}]
    system.account.switch(suiteql_lag_seconds=600, faults=lost)
    (key,) = system.planned()
    assert not system.post(key).success
    system.account.switch(suiteql_lag_seconds=0, faults=[])
    add_line(system, "INV-500002")
    assert not system.post(key).success


def add_line(system: System, external_id: str) -> None:
    records = system.account.admin("records", limit=1000)["items"]
    (record,) = [one for one in records if one["externalId"] == external_id]
    system.account.session.patch(
        f"{system.account.base_url}/services/rest/record/v1/invoice/{record['id']}",
        json={"item": {"items": [{"item": {"id": "101"}, "amount": 0.01}]}},
        timeout=30,
    ).raise_for_status()


def decide(system: System, decision: Callable[..., Decided], number: str = "500002") -> Decided:
    runtime = system.runtime
    return decision(
        system.state, runtime.of(NetSuite).client, runtime.settings, number, by="Ada", why="the cent is tax"
    )


def test_what_differs_is_named_as_ours_with_the_difference_and_no_advice_to_delete_it(system: System) -> None:
    lost_and_changed(system)
    ((cause, number, what),) = differences(system)
    assert (cause, number) == ("DIFFERS", "500002")
    assert "total 10.01 instead of 10" in what
    assert "do not delete it" in CAUSES[cause].to_do


def test_an_accepted_difference_closes_the_month_until_netsuite_changes_it_again(system: System) -> None:
    lost_and_changed(system)
    assert decide(system, differing.accept).decision == "accepted"
    shown, passed = close(system)
    assert passed["billing_equals_netsuite"]
    assert [row["cause"] for row in rows(shown["differences"].records)] == ["DIFFERENCE_ACCEPTED"]
    assert (shown["documents_posted_GBP"], exact(shown["total_netsuite_GBP_exact"])) == (3, Decimal("30.01"))
    add_line(system, "INV-500002")
    ((cause, _, what),) = differences(system)
    assert (cause, what) == ("AMOUNT_DIFFERS", "NetSuite has 10.02 instead of 10.000.")


def test_a_difference_in_its_date_is_found_in_either_month_and_accepted_in_both(system: System) -> None:
    for number in ("500001", "500002"):
        insert_document(system.source, number)
    assert system.stage().success
    lost = [{"fault": "commit_then_drop", "external_ids": ["INV-500002"]}]
    system.account.switch(suiteql_lag_seconds=600, faults=lost)
    (key,) = system.planned()
    system.post(key)
    system.account.switch(suiteql_lag_seconds=0, faults=[])
    (record,) = [one for one in system.account.admin("records")["items"] if one["externalId"] == "INV-500002"]
    system.account.session.patch(
        f"{system.account.base_url}/services/rest/record/v1/invoice/{record['id']}",
        json={"tranDate": "2010-12-01"},
        timeout=30,
    ).raise_for_status()
    system.post(key)
    assert [one[0] for one in differences(system)] == ["DIFFERS"]
    decide(system, differing.accept)
    for period in (PERIOD, "2010-12"):
        result = system.run("close_month", period)
        assert checks(result)["billing_equals_netsuite"], period
        causes = [row["cause"] for row in rows(metadata(result, "month_close")["differences"].records)]
        assert causes == ["DIFFERENCE_ACCEPTED"], period


def test_one_total_that_netsuite_writes_with_an_exponent_is_one_difference_of_the_month(system: System) -> None:
    posted_month(system)
    system.account.switch(suiteql_exponents=["INV-500002"])
    assert differences(system) == [
        ("AMOUNT_DIFFERS", "500002", "NetSuite has a total that cannot be read instead of 0.140.")
    ]
    system.account.switch(suiteql_exponents=[])
    assert close(system)[1]["billing_equals_netsuite"]
