"""The close of a month against a real billing system, staging and NetSuite's stand-in, each spoilt in turn."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import dagster as dg

from billing_assets_tests.builders import change_document, delete_document, insert_document
from billing_assets_tests.end_to_end.system import PERIOD, System, checks, exact, metadata, rows


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


def differences(system: System) -> list[tuple[str, str]]:
    """Number and text of every difference of a month that must not agree."""
    shown, passed = close(system)
    assert shown["reconciled"] is False
    assert passed["billing_and_netsuite_agree"] is False
    return [(row["number"], row["what"]) for row in rows(shown["differences"].records)]


def test_a_month_that_agrees_shows_every_sum_exactly(system: System) -> None:
    posted_month(system)
    shown, passed = close(system)
    assert passed == {"billing_and_netsuite_agree": True, "nothing_on_its_way": True}
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


def test_a_transaction_that_vanished_from_the_month_is_named(system: System) -> None:
    posted_month(system)
    system.change_in_netsuite("invoice/eid:INV-500002", {"tranDate": "2010-12-01"})
    ((number, what),) = differences(system)
    assert number == "500002"
    assert "no such transaction" in what


def test_a_transaction_under_our_prefix_that_we_never_posted_is_named(system: System) -> None:
    posted_month(system)
    system.change_in_netsuite("invoice/eid:INV-500002", {"externalId": "INV-999999"})
    found = dict(differences(system))
    assert found.keys() == {"500002", "INV-999999"}
    assert "which we do not know as posted" in found["INV-999999"]


def test_a_total_that_somebody_changed_in_netsuite_is_named_with_both_sides(system: System) -> None:
    posted_month(system)
    lines = {"items": [{"item": {"id": "101"}, "quantity": 1, "rate": 10.01}]}
    system.change_in_netsuite("invoice/eid:INV-500001", {"item": lines})
    assert differences(system) == [("500001", "NetSuite has total 10.01 instead of 10.000.")]


def test_a_document_that_changed_at_the_source_after_posting_is_named_and_never_sent_again(system: System) -> None:
    first = posted_month(system)
    posts = system.posts()
    change_document(system.source, first, total=Decimal("11.00"))
    before_staging = differences(system)
    assert len(before_staging) == 1, "staging still says what was posted"
    assert "Stage again" in before_staging[0][1]
    assert system.stage().success
    assert system.planned() == []
    named = dict(differences(system))
    assert "changed in the billing system after it was posted" in named["500001"]
    assert system.posts() == posts


def test_a_document_that_disappeared_at_the_source_after_posting_is_named(system: System) -> None:
    first = posted_month(system)
    delete_document(system.source, first)
    assert system.stage().success
    assert "disappeared from the billing system" in dict(differences(system))["500001"]


def test_a_document_that_is_new_at_the_source_and_not_staged_is_named_by_its_branch(system: System) -> None:
    posted_month(system)
    insert_document(system.source, "500009", country="France")
    ((_, what),) = differences(system)
    assert what.startswith("France GBP: the billing system has 2 documents over 10.14")
    assert "Stage again" in what


def test_a_rejected_document_leaves_the_month_incomplete(system: System) -> None:
    insert_document(system.source, "500001")
    insert_document(system.source, "500002")
    assert system.stage().success
    (key,) = system.planned()
    system.refuse("INV-500002")
    assert not system.post(key).success
    shown, passed = close(system)
    assert passed == {"billing_and_netsuite_agree": True, "nothing_on_its_way": False}
    assert (shown["reconciled"], shown["complete"], shown["documents_in_flight_GBP"]) == (True, False, 1)
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
    found = system.defs.resolve_schedule_def("close_months_that_moved").evaluate_tick(context)
    return [str(request.partition_key) for request in found.run_requests or []]
